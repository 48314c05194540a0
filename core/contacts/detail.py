"""Everything about one contact but the messages."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, func, select

from core.contacts.lists import ContactRow, rows_of
from core.contacts.queries import SERVICE_WINDOW
from core.contacts.rules import mask_number, pretty_number
from core.errors import NotFound
from core.ports.meta_errors import explain
from core.unit import Unit
from data.enums import SuppressionKind
from data.messages import Contact, Message, ServiceWindow, Suppression
from data.people import ApiKey, User

# What a customer decided in WhatsApp itself; every other reason is the code of a refused send.
OPTED_OUT = "opted_out"
SUPPRESSIONS_SHOWN = 20
NUMBERS_SHOWN = 20
COUNTED_TO = 10_000


@dataclass(frozen=True, slots=True)
class SuppressionView:
    """``message_id``: the send whose refusal told us, if one did. ``lifted_by``: a name."""

    id: str
    kind: SuppressionKind
    error_code: str
    title: str
    meaning: str
    message_id: str | None
    since: datetime
    lifted_at: datetime | None
    lifted_by: str | None
    lift_reason: str | None


@dataclass(frozen=True, slots=True)
class ContactDetail:
    """``former_numbers`` as people write them, masked for those who may not see numbers. ``windows``: phone →
    when its service window closes or closed. ``suppressions``: those in force first, newest first.
    ``messages`` counts up to ``COUNTED_TO``."""

    row: ContactRow
    former_numbers: list[str]
    last_wrote_at: datetime | None
    windows: dict[str, datetime]
    suppressions: list[SuppressionView]
    messages: int
    can_manage: bool


def load(unit: Unit, contact_id: str) -> Contact:
    """The contact, or the one that it was merged into. NotFound for one that was erased."""
    contact = unit.find(Contact, contact_id, called="contact")
    if contact.merged_into is not None:
        contact = unit.find(Contact, contact.merged_into, called="contact")
    if contact.erased_at is not None:
        raise NotFound.of("contact")
    return contact


def contact_detail(unit: Unit, contact_id: str) -> ContactDetail:
    """NotFound for another workspace's contact, as for one that is not there or was erased."""
    unit.require("contacts.view")
    contact = load(unit, contact_id)
    [row] = rows_of(unit, [contact])
    heard = {
        window.phone_number_id: window.last_inbound_at
        for window in unit.session.exec(
            select(ServiceWindow).where(col(ServiceWindow.contact_id) == contact.id)
        )
    }
    counted = select(Message.id).where(col(Message.contact_id) == contact.id).limit(COUNTED_TO).subquery()
    return ContactDetail(
        row=row,
        former_numbers=_former_numbers(unit, contact),
        last_wrote_at=max(heard.values(), default=None),
        windows={phone: last + SERVICE_WINDOW for phone, last in heard.items()},
        suppressions=_suppressions(unit, contact),
        messages=unit.session.exec(select(func.count()).select_from(counted)).one(),
        can_manage=unit.actor.can("contacts.manage"),
    )


def _former_numbers(unit: Unit, contact: Contact) -> list[str]:
    statement = (
        select(Contact.wa_id)
        .where(col(Contact.merged_into) == contact.id, col(Contact.wa_id).is_not(None))
        .order_by(col(Contact.id).desc())
        .limit(NUMBERS_SHOWN)
    )
    shown = pretty_number if unit.actor.can("contacts.reveal") else mask_number
    return [shown(f"+{wa_id}") for wa_id in unit.session.exec(statement)]


def _suppressions(unit: Unit, contact: Contact) -> list[SuppressionView]:
    statement = (
        select(Suppression)
        .where(col(Suppression.contact_id) == contact.id)
        .order_by(col(Suppression.lifted_at).is_not(None), col(Suppression.id).desc())
        .limit(SUPPRESSIONS_SHOWN)
    )
    rows = unit.session.exec(statement).all()
    names = _names(unit, {row.lifted_by for row in rows if row.lifted_by})
    return [_view(row, names) for row in rows]


def _names(unit: Unit, actors: set[str]) -> dict[str, str]:
    """actor → what the person or key is called; processes and customers have no row."""
    if not actors:
        return {}
    people = unit.session.exec(select(User.id, User.name).where(col(User.id).in_(actors))).all()
    keys = unit.session.exec(select(ApiKey.id, ApiKey.name).where(col(ApiKey.id).in_(actors))).all()
    return dict([*people, *keys])


def _view(row: Suppression, names: dict[str, str]) -> SuppressionView:
    why = explain(row.error_code)
    by_choice = row.error_code == OPTED_OUT
    return SuppressionView(
        id=row.id,
        kind=row.kind,
        error_code=row.error_code,
        title="Opted out in WhatsApp" if by_choice else why.title,
        meaning="They told WhatsApp that they want no marketing from you." if by_choice else why.meaning,
        message_id=row.message_id or None,
        since=row.created_at,
        lifted_at=row.lifted_at,
        lifted_by=names.get(row.lifted_by, row.lifted_by) if row.lifted_by else None,
        lift_reason=row.lift_reason,
    )
