"""Taking away what we hold about one person. What is counted and billed stays, without the person."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select
from sqlmodel import col, delete, func, select

from core.contacts.detail import COUNTED_TO, load
from core.contacts.digests import digest, digest_key
from core.contacts.emptying import (
    GIVEN_UP,
    empty_letters,
    empty_messages,
    give_up,
    open_letters,
    rename_wamids,
    theirs,
)
from core.errors import Impossible
from core.unit import Unit
from data.contacts import ContactErasure, ContactWord
from data.messages import Contact, Message, ServiceWindow, Suppression

NEEDLES_FIELD = "contact.erasure"


@dataclass(frozen=True, slots=True)
class Losses:
    """What an erasure would take: ``messages`` whose texts go, of them ``waiting`` ones that are given up;
    ``letters`` that are closed. Each counts up to ``COUNTED_TO``."""

    messages: int
    waiting: int
    letters: int


def losses(unit: Unit, contact_id: str) -> Losses:
    unit.require("contacts.manage")
    contact = load(unit, contact_id)
    messages = theirs(contact)
    return Losses(
        messages=_count(unit, messages),
        waiting=_count(unit, messages.where(col(Message.state).in_(GIVEN_UP))),
        letters=_count(unit, open_letters(contact)),
    )


def erase(unit: Unit, contact_id: str, *, reason: str) -> str:
    """Numbers, names, texts and notes of the contact are gone, and what was on its way to them is given up.
    Whoever writes from that number is a new contact. Returns the erasure's id: raw webhooks that name them
    follow within minutes.

    Messages keep their times, states and direction, so no count and no bill changes; the contact keeps a
    digest (HMAC-SHA256 under a key of the workspace) by which a number can be recognised by who knows it.
    """
    unit.require("contacts.manage")
    if not reason.strip():
        raise Impossible("Say why: erasing needs a reason.", code="reason_required")
    contact = load(unit, contact_id)
    rows = _lock(unit, contact)
    key = digest_key(unit)
    needles = [known for row in rows for known in (row.wa_id, row.business_user_id) if known]
    waiting = give_up(unit, contact)
    rename_wamids(unit, contact, key)
    empty_messages(unit, contact)
    empty_letters(unit, contact)
    for model in (ServiceWindow, Suppression, ContactWord):
        unit.session.exec(delete(model).where(col(model.contact_id) == contact.id))
    for row in rows:
        _empty_contact(unit, row, key)
    erasure_id = _remember(unit, contact, needles)
    unit.record(
        "contact.erased",
        f"contact:{contact.id}",
        after={"reason": reason.strip(), "given_up": waiting, "erasure": erasure_id},
    )
    return erasure_id


def _lock(unit: Unit, contact: Contact) -> list[Contact]:
    """The contact and its aliases, ours until commit: a message for them waits, and then finds nobody."""
    statement = select(Contact).where(
        (col(Contact.id) == contact.id) | (col(Contact.merged_into) == contact.id)
    )
    return list(unit.session.exec(statement.order_by(col(Contact.id)).with_for_update()))


def _empty_contact(unit: Unit, row: Contact, key: bytes) -> None:
    known_by = row.wa_id or row.business_user_id
    row.digest = digest(key, known_by) if known_by else row.digest
    row.wa_id = row.business_user_id = row.name = row.named_at = None
    row.erased_at = unit.now
    unit.session.add(row)


def _remember(unit: Unit, contact: Contact, needles: list[str]) -> str:
    sealed = unit.vault.seal(json.dumps(needles), workspace_id=contact.workspace_id, field=NEEDLES_FIELD)
    erasure = ContactErasure(
        id=unit.new_id("era"),
        workspace_id=contact.workspace_id,
        contact_id=contact.id,
        asked_at=unit.now,
        sealed=sealed,
    )
    unit.session.add(erasure)
    return erasure.id


def _count(unit: Unit, statement: Select[Any]) -> int:
    few = statement.limit(COUNTED_TO).subquery()
    return unit.session.exec(select(func.count()).select_from(few)).one()
