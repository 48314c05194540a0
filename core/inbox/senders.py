"""Who wrote: the contacts of a batch of customers' messages, and what they are called."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text

from core.contacts.commands import find_or_add, find_or_add_all
from core.contacts.names import rename
from core.inbox.updates import InboundMessage
from core.unit import Unit
from data.columns import to_micros
from data.messages import Contact

_KNOWN_AS = text("SELECT id, name, named_at, business_user_id FROM contact WHERE id IN :keys").bindparams(
    bindparam("keys", expanding=True)
)
_NAMED_SO_STILL = text("UPDATE contact SET named_at = :at WHERE id = :id AND named_at < :at")


@dataclass(frozen=True, slots=True)
class Received:
    """A customer's message, the phone and workspace it came for, when it reached us, and its ``number`` in
    the delivery that brought it."""

    message: InboundMessage
    phone_number_id: str
    workspace_id: str
    received_at: datetime
    number: int


def contacts_of(unit: Unit, received: Sequence[Received]) -> list[str]:
    """The id of each message's sender, in order; named as the newest of their messages says."""
    by_number = find_or_add_all(
        unit, {(one.workspace_id, one.message.wa_id) for one in received if one.message.wa_id is not None}
    )
    known = _known_as(unit, set(by_number.values()))
    contacts = [_contact(unit, one, by_number, known) for one in received]
    newest: dict[str, Received] = {}
    for one, contact_id in zip(received, contacts, strict=True):
        if one.message.name and _rank(one) > _rank(newest.get(contact_id)):
            newest[contact_id] = one
    _name_all(unit, newest, known)
    return contacts


def _contact(
    unit: Unit, received: Received, by_number: dict[tuple[str, str], str], known: dict[str, Any]
) -> str:
    """Whoever Meta now knows by another id too, or by no number at all, is looked up alone (B5)."""
    message = received.message
    if message.wa_id is not None:
        contact_id = by_number[received.workspace_id, message.wa_id]
        if message.user_id is None or known[contact_id].business_user_id == message.user_id:
            return contact_id
    return find_or_add(
        unit,
        workspace_id=received.workspace_id,
        wa_id=message.wa_id,
        business_user_id=message.user_id,
    ).id


def _rank(received: Received | None) -> tuple[datetime, str] | tuple[()]:
    """Of two names of one second the later in the alphabet wins: any order of arrival ends the same."""
    return () if received is None else (received.message.at, received.message.name or "")


def _name_all(unit: Unit, newest: dict[str, Received], known: dict[str, Any]) -> None:
    """Few names are new; of the others it is written how new they are."""
    same = []
    for contact_id, one in newest.items():
        row = known.get(contact_id)
        if row is None or row.named_at is None or row.name != one.message.name:
            _name(unit, contact_id, one)
        else:
            same.append({"id": contact_id, "at": to_micros(one.message.at)})
    if same:
        unit.session.connection().execute(_NAMED_SO_STILL, same)


def _name(unit: Unit, contact_id: str, received: Received) -> None:
    contact = unit.session.get_one(Contact, contact_id)
    message = received.message
    if contact.named_at is not None and (message.at, message.name or "") <= (
        contact.named_at,
        contact.name or "",
    ):
        return
    rename(unit, contact, message.name)
    contact.named_at = message.at
    unit.session.add(contact)
    unit.session.flush()


def _known_as(unit: Unit, ids: set[str]) -> dict[str, Any]:
    if not ids:
        return {}
    return {row.id: row for row in unit.session.connection().execute(_KNOWN_AS, {"keys": sorted(ids)})}
