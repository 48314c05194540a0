"""The contacts of a workspace, newest activity first, however many."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import col, func, or_, select

from core.contacts.queries import SERVICE_WINDOW, suppressed
from core.contacts.rules import mask_number, pretty_number
from core.errors import Malformed
from core.unit import Unit
from data.columns import from_micros, to_micros
from data.contacts import ContactWord, words_of
from data.enums import SuppressionKind
from data.messages import LISTED, Contact, ServiceWindow, Suppression

# As many matches are sorted by hand; of more, the newest are soon met on the way from the newest contact on.
# Of 400,000 contacts a page of any search took 1 to 55 ms; either way alone took up to a second for what the
# other is good at.
FEW = 2000
_LAST = "\U0010ffff"
_USER_ID = re.compile(r"[A-Z]{2}\.[\w.]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class ContactFilter:
    """``q``: the beginnings of words of a name, of a number (a former one too), or a business-scoped id."""

    q: str | None = None
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class ContactRow:
    """One line of the list. ``number`` is E.164, masked for those who may not see it, None where Meta gave
    none; so is ``business_user_id``. ``window_ends_at``: of the phone that they wrote to last."""

    id: str
    name: str | None
    number: str | None
    number_pretty: str
    business_user_id: str | None
    first_seen_at: datetime
    last_activity_at: datetime
    window_ends_at: datetime | None
    suppressed: frozenset[SuppressionKind]


@dataclass(frozen=True, slots=True)
class ContactPage:
    """``next_cursor`` is what to go on with; None at the end."""

    items: list[ContactRow]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Criterion:
    """The same twice: the ids of the contacts that meet it, and whether a contact meets it."""

    ids: Any
    holds: ColumnElement[bool]


def list_contacts(
    unit: Unit, wanted: ContactFilter, *, cursor: str | None = None, limit: int = 50
) -> ContactPage:
    """Newest activity first. Forbidden when a number is searched for by someone who may not see numbers."""
    unit.require("contacts.view")
    after = None if cursor is None else _read_cursor(cursor)
    criteria = _criteria(unit, wanted)
    few = _few(unit, criteria)
    if few is None:
        contacts = list(unit.session.exec(walk(unit, criteria, after=after).limit(limit + 1)))
    else:
        contacts = _sorted(unit, few, criteria, after=after)[: limit + 1]
    more = len(contacts) > limit
    shown = contacts[:limit]
    return ContactPage(rows_of(unit, shown), _cursor(shown[-1]) if more else None)


def walk(unit: Unit, criteria: Collection[_Criterion], *, after: tuple[datetime, str] | None = None) -> Any:
    """From the newest contact on, those that meet the criteria."""
    statement = unit.scoped(Contact).where(LISTED, *(each.holds for each in criteria))
    if after is not None:
        statement = statement.where(tuple_(col(Contact.last_activity_at), col(Contact.id)) < after)
    return statement.order_by(col(Contact.last_activity_at).desc(), col(Contact.id).desc())


def rows_of(unit: Unit, contacts: list[Contact]) -> list[ContactRow]:
    """As lists show them, in the order given."""
    ids = [contact.id for contact in contacts]
    kinds = suppressed(unit.session, ids)
    newest = func.max(col(ServiceWindow.last_inbound_at))
    windows = dict(
        unit.session.exec(
            select(ServiceWindow.contact_id, newest)
            .where(col(ServiceWindow.contact_id).in_(ids))
            .group_by(col(ServiceWindow.contact_id))
        ).all()
    )
    reveals = unit.actor.can("contacts.reveal")
    return [_row(contact, kinds, windows, reveals=reveals) for contact in contacts]


def _row(
    contact: Contact,
    kinds: dict[str, frozenset[SuppressionKind]],
    windows: dict[str, datetime],
    *,
    reveals: bool,
) -> ContactRow:
    number = f"+{contact.wa_id}" if contact.wa_id else None
    last = windows.get(contact.id)
    return ContactRow(
        id=contact.id,
        name=contact.name,
        number=number if reveals or number is None else mask_number(number),
        number_pretty="" if number is None else pretty_number(number) if reveals else mask_number(number),
        business_user_id=contact.business_user_id if reveals else None,
        first_seen_at=contact.created_at,
        last_activity_at=contact.last_activity_at,
        window_ends_at=None if last is None else last + SERVICE_WINDOW,
        suppressed=kinds.get(contact.id, frozenset()),
    )


def _criteria(unit: Unit, wanted: ContactFilter) -> list[_Criterion]:
    criteria = _searched(unit, wanted.q.strip()) if wanted.q else []
    return [_opted_out(unit), *criteria] if wanted.opted_out else criteria


def _searched(unit: Unit, q: str) -> list[_Criterion]:
    digits = "".join(each for each in q if each.isdigit() and each.isascii())
    if digits and not any(each.isalpha() for each in q):
        unit.require("contacts.reveal")
        return [_number(unit, digits)]
    if _USER_ID.fullmatch(q):
        unit.require("contacts.reveal")
        known = col(Contact.business_user_id) == q
        return [_Criterion(_ids_of_contacts(unit).where(known), known)]
    return [_word(unit, word) for word in words_of(q)] or [_nobody(unit)]


def _opted_out(unit: Unit) -> _Criterion:
    active = select(Suppression.contact_id).where(
        col(Suppression.workspace_id) == unit.workspace_id, col(Suppression.lifted_at).is_(None)
    )
    return _Criterion(active, active.where(col(Suppression.contact_id) == col(Contact.id)).exists())


def _word(unit: Unit, word: str) -> _Criterion:
    begins = (col(ContactWord.word) >= word) & (col(ContactWord.word) < word + _LAST)
    here = select(ContactWord.contact_id).where(col(ContactWord.workspace_id) == unit.workspace_id, begins)
    theirs = select(ContactWord.word).where(col(ContactWord.contact_id) == col(Contact.id), begins)
    return _Criterion(here, theirs.exists())


def _number(unit: Unit, digits: str) -> _Criterion:
    begins = (col(Contact.wa_id) >= digits) & (col(Contact.wa_id) < digits + ":")
    alias = aliased(Contact)
    former = select(alias.id).where(
        col(alias.merged_into) == col(Contact.id), col(alias.wa_id) >= digits, col(alias.wa_id) < digits + ":"
    )
    return _Criterion(_ids_of_contacts(unit).where(begins), or_(begins, former.exists()))


def _nobody(unit: Unit) -> _Criterion:
    """What was searched for has no letters: no name has such a word."""
    return _Criterion(_ids_of_contacts(unit).where(col(Contact.id) == ""), col(Contact.id) == "")


def _ids_of_contacts(unit: Unit) -> Any:
    """Of the survivors, where some were merged."""
    survivor = func.coalesce(col(Contact.merged_into), col(Contact.id))
    return select(survivor).where(col(Contact.workspace_id) == unit.workspace_id)


def _few(unit: Unit, criteria: list[_Criterion]) -> set[str] | None:
    """The ids among which all matches are, when they are few; else None."""
    few: set[str] | None = None
    for criterion in criteria:  # a handful: one a word of what was typed
        ids = unit.session.exec(criterion.ids.limit(FEW + 1)).all()
        if len(ids) <= FEW:
            few = set(ids) if few is None else few & set(ids)
    return few


def _sorted(
    unit: Unit, few: set[str], criteria: list[_Criterion], *, after: tuple[datetime, str] | None
) -> list[Contact]:
    statement = select(Contact).where(
        col(Contact.id).in_(few), LISTED, *(criterion.holds for criterion in criteria)
    )
    found = sorted(unit.session.exec(statement), key=_place, reverse=True)
    return found if after is None else [contact for contact in found if _place(contact) < after]


def _place(contact: Contact) -> tuple[datetime, str]:
    return contact.last_activity_at, contact.id


def _cursor(contact: Contact) -> str:
    return f"{to_micros(contact.last_activity_at)}.{contact.id}"


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    micros, _, contact_id = cursor.partition(".")
    if not (micros.isascii() and micros.isdigit() and len(micros) < 17 and contact_id):
        raise Malformed.field("cursor", "must be the nextCursor of an earlier answer")
    return from_micros(int(micros)), contact_id
