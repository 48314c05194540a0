"""Conversations as people see them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, literal_column
from sqlmodel import col, false, func, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from core.contacts.rules import mask_number, pretty_number
from core.conversations.rules import FUTURE, LENGTH, TimeFlag, flag_of, opener_of
from core.errors import Malformed
from core.unit import Unit
from data.billing import Conversation, ConversationDue, Invoice
from data.columns import Instant, from_micros, to_micros
from data.enums import Direction, OpenedBy
from data.messages import Contact, Message

_DAY = timedelta(microseconds=LENGTH)
_MESSAGES_SHOWN = 500


class ConversationStatus(StrEnum):
    """Active until 24 hours are over, then closed: by time alone."""

    ACTIVE = "active"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """What a list is narrowed to; None does not narrow. ``contact``: a number, or our id of a contact.
    ``since`` and ``until`` bound when it opened, half-open; ``spans`` are several such bounds, of which one
    must hold. ``from_on`` and ``before`` bound its place in the order of (opened at, id). ``is_owed``: it has
    messages, or has lost them.
    """

    status: ConversationStatus | None = None
    contact: str | None = None
    phone_number_id: str | None = None
    opened_by: OpenedBy | None = None
    since: datetime | None = None
    until: datetime | None = None
    invoice_id: str | None = None
    spans: tuple[tuple[datetime, datetime], ...] | None = None
    from_on: tuple[datetime, str] | None = None
    before: tuple[datetime, str] | None = None
    is_owed: bool | None = None


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """One line of a list. ``contact`` is E.164, masked for those who may not see it, or Meta's own id where
    there is no number; ``contact_pretty`` is for eyes."""

    id: str
    contact: str
    contact_pretty: str
    contact_id: str
    contact_name: str | None
    phone_number_id: str
    opened_at: datetime
    closes_at: datetime
    opened_by: OpenedBy
    status: ConversationStatus
    messages_in: int
    messages_out: int
    invoice_id: str | None


@dataclass(frozen=True, slots=True)
class ConversationPage:
    items: list[ConversationRow]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ConversationMessage:
    """A message sent or received while it ran. ``opens``: it is what opened the conversation; ``flag``: what
    is odd about the time that Meta reported of a customer's message."""

    id: str
    at: datetime
    direction: Direction
    state: str
    meta_type: str | None
    template_name: str | None
    opens: bool
    flag: TimeFlag | None


@dataclass(frozen=True, slots=True)
class ConversationDetail:
    """``previous``: the conversation of the same two before it."""

    row: ConversationRow
    previous: ConversationRow | None
    messages: list[ConversationMessage]
    invoice_number: int | None


def list_conversations(
    unit: Unit, wanted: ConversationFilter, *, cursor: str | None = None, limit: int = 50
) -> ConversationPage:
    """Newest first. Forbidden when a number is searched for by someone who may not see numbers."""
    unit.require("conversations.view")
    statement = _narrow(unit, wanted)
    if cursor is not None:
        opened_at, conversation_id = _read_cursor(cursor)
        statement = statement.where(
            (col(Conversation.opened_at) < opened_at)
            | ((col(Conversation.opened_at) == opened_at) & (col(Conversation.id) < conversation_id))
        )
    ordered = statement.order_by(col(Conversation.opened_at).desc(), col(Conversation.id).desc())
    found = list(unit.session.exec(ordered.limit(limit + 1)))
    shown = found[:limit]
    return ConversationPage(_rows(unit, shown), _cursor(shown[-1]) if len(found) > limit else None)


def count_conversations(unit: Unit, wanted: ConversationFilter) -> int:
    """How many match: the same conditions as the list."""
    unit.require("conversations.view")
    return unit.session.exec(select(func.count()).select_from(_narrow(unit, wanted).subquery())).one()


def conversation_detail(unit: Unit, conversation_id: str) -> ConversationDetail:
    """NotFound for another workspace's, as for one that is not there."""
    unit.require("conversations.view")
    conversation = unit.find(Conversation, conversation_id, called="conversation")
    invoice = None if conversation.invoice_id is None else unit.session.get(Invoice, conversation.invoice_id)
    return ConversationDetail(
        row=_rows(unit, [conversation])[0],
        previous=_previous(unit, conversation),
        messages=_messages(unit, conversation),
        invoice_number=None if invoice is None else invoice.number,
    )


def oldest_due(unit: Unit, workspace_id: str) -> datetime | None:
    """Since when a workspace's conversations lag behind its messages; None when they do not."""
    statement = select(func.min(ConversationDue.marked_at)).where(
        col(ConversationDue.workspace_id) == workspace_id
    )
    return unit.session.exec(statement).one()


def _narrow(unit: Unit, wanted: ConversationFilter) -> SelectOfScalar[Conversation]:
    statement = unit.scoped(Conversation)
    opened = col(Conversation.opened_at)
    if wanted.status is ConversationStatus.ACTIVE:
        statement = statement.where(opened > unit.now - _DAY, col(Conversation.closes_at) > unit.now)
    elif wanted.status is ConversationStatus.CLOSED:
        statement = statement.where(col(Conversation.closes_at) <= unit.now)
    if wanted.contact is not None:
        statement = statement.where(col(Conversation.contact_id) == _contact_id(unit, wanted.contact))
    if wanted.phone_number_id is not None:
        statement = statement.where(col(Conversation.phone_number_id) == wanted.phone_number_id)
    if wanted.opened_by is not None:
        statement = statement.where(col(Conversation.opened_by) == wanted.opened_by)
    if wanted.since is not None:
        statement = statement.where(opened >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(opened < wanted.until)
    if wanted.invoice_id is not None:
        statement = statement.where(col(Conversation.invoice_id) == wanted.invoice_id)
    return _narrow_by_place(statement, wanted)


def _narrow_by_place(
    statement: SelectOfScalar[Conversation], wanted: ConversationFilter
) -> SelectOfScalar[Conversation]:
    opened, own = col(Conversation.opened_at), col(Conversation.id)
    if wanted.spans is not None:
        either = [(opened >= start) & (opened < end) for start, end in wanted.spans]
        statement = statement.where(or_(false(), *either))
    if wanted.from_on is not None:
        at, first = wanted.from_on
        statement = statement.where((opened > at) | ((opened == at) & (own >= first)))
    if wanted.before is not None:
        at, first = wanted.before
        statement = statement.where((opened < at) | ((opened == at) & (own < first)))
    if wanted.is_owed is not None:
        count = col(Conversation.messages_in) + col(Conversation.messages_out)
        statement = statement.where(count > 0 if wanted.is_owed else count == 0)
    return statement


def _contact_id(unit: Unit, contact: str) -> str:
    """Our id of the contact; a number nobody has matches nothing."""
    if contact.startswith("con_"):
        return contact
    unit.require("contacts.reveal")
    digits = "".join(character for character in contact if character.isdecimal())
    found = select(Contact.id).where(
        col(Contact.workspace_id) == unit.workspace_id, col(Contact.wa_id) == digits
    )
    return unit.session.exec(found).first() or ""


def _rows(unit: Unit, conversations: list[Conversation]) -> list[ConversationRow]:
    people = select(Contact).where(col(Contact.id).in_({one.contact_id for one in conversations}))
    contacts = {person.id: person for person in unit.session.exec(people)}
    return [_row(unit, one, contacts[one.contact_id]) for one in conversations]


def _row(unit: Unit, conversation: Conversation, contact: Contact) -> ConversationRow:
    is_active = conversation.closes_at > unit.now
    reveals = unit.actor.can("contacts.reveal")
    shown = _shown(contact, reveals=reveals)
    return ConversationRow(
        id=conversation.id,
        contact=shown,
        contact_pretty=pretty_number(shown) if reveals else shown,
        contact_id=contact.id,
        contact_name=contact.name if reveals else None,
        phone_number_id=conversation.phone_number_id,
        opened_at=conversation.opened_at,
        closes_at=conversation.closes_at,
        opened_by=conversation.opened_by,
        status=ConversationStatus.ACTIVE if is_active else ConversationStatus.CLOSED,
        messages_in=conversation.messages_in,
        messages_out=conversation.messages_out,
        invoice_id=conversation.invoice_id,
    )


def _shown(contact: Contact, *, reveals: bool) -> str:
    if contact.wa_id is None:
        return contact.business_user_id or contact.id
    number = f"+{contact.wa_id}"
    return number if reveals else mask_number(number)


def _previous(unit: Unit, conversation: Conversation) -> ConversationRow | None:
    statement = (
        unit.scoped(Conversation)
        .where(
            col(Conversation.contact_id) == conversation.contact_id,
            col(Conversation.phone_number_id) == conversation.phone_number_id,
            col(Conversation.opened_at) < conversation.opened_at,
        )
        .order_by(col(Conversation.opened_at).desc(), col(Conversation.id).desc())
        .limit(1)
    )
    found = unit.session.exec(statement).first()
    return None if found is None else _rows(unit, [found])[0]


def _messages(unit: Unit, conversation: Conversation) -> list[ConversationMessage]:
    """What was exchanged while it ran, oldest first; reactions and failures too, for they are part of it."""
    # B3, as for the events of conversations: what claims to come from the future happened when it arrived.
    happened_at: ColumnElement[datetime] = literal_column(
        f"CASE WHEN message.direction = 'inbound' AND message.sent_at > message.created_at + {FUTURE} "
        "THEN message.created_at ELSE coalesce(message.sent_at, message.created_at) END",
        type_=Instant(),
    )
    statement = (
        unit.scoped(Message)
        .where(
            col(Message.contact_id) == conversation.contact_id,
            col(Message.phone_number_id) == conversation.phone_number_id,
            happened_at >= conversation.opened_at,
            happened_at < conversation.closes_at,
        )
        .order_by(happened_at, col(Message.id))
        .limit(_MESSAGES_SHOWN)
    )
    found = list(unit.session.exec(statement))
    opener = opener_of(conversation.id)
    if all(message.id != opener for message in found):  # reported with another time than it was stored with
        first = unit.session.get(Message, opener)
        found = found if first is None else [first, *found]
    return [_message(message, opens=message.id == opener) for message in found]


def _message(message: Message, *, opens: bool) -> ConversationMessage:
    flag = time_flag(message)
    reported = message.sent_at or message.created_at
    return ConversationMessage(
        id=message.id,
        at=message.created_at if flag is TimeFlag.AHEAD else reported,
        direction=message.direction,
        state=message.state.value,
        meta_type=message.meta_type,
        template_name=message.template_name,
        opens=opens,
        flag=flag,
    )


def time_flag(message: Message) -> TimeFlag | None:
    """B3 of what a customer sent; None for what we sent, whose statuses are flagged each by itself."""
    if message.direction is Direction.OUTBOUND or message.sent_at is None:
        return None
    return flag_of(to_micros(message.sent_at), arrived=to_micros(message.created_at))


def _cursor(conversation: Conversation) -> str:
    return f"{to_micros(conversation.opened_at)}.{conversation.id}"


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    micros, _, conversation_id = cursor.partition(".")
    if not (micros.isascii() and micros.isdigit() and len(micros) <= 17 and conversation_id):
        raise Malformed.field("cursor", "must be the nextCursor of an earlier answer")
    return from_micros(int(micros)), conversation_id
