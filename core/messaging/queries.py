"""Messages and the queue as people see them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy import select as select_columns
from sqlmodel import col, func, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from core.contacts.rules import ERASED, mask_number, pretty_number
from core.conversations.queries import time_flag
from core.conversations.rules import TimeFlag, flag_of
from core.errors import Malformed
from core.ids import first_id
from core.lanes import rules as lane_rules
from core.lanes.queries import HoldView, holds, lane_limit
from core.messaging.letter_counts import Counted, count_kept
from core.messaging.rules import WAITING, public_state
from core.monitoring.queries import health
from core.ports.meta_errors import explain
from core.unit import Unit
from data.columns import to_micros
from data.enums import Direction, HoldScope, LetterState, MessageKind, MessageState, Outcome, WaitingFor
from data.messages import DUE, LEASED, Attempt, Contact, DeadLetter, Message, MessageStatus
from data.people import ApiKey, User
from data.sending import Lane, Phone

HIDDEN_TEXT = "Text hidden"
PREVIEW_MAX = 140


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """What a list of messages is narrowed to; None does not narrow. ``status`` is a public word. ``q`` is an
    id, a wamid, a number or the beginning of one, or the name of a template."""

    status: str | None = None
    direction: Direction | None = None
    to: str | None = None
    phone_number_id: str | None = None
    error_code: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One line of a list. ``to`` is E.164, masked for those who may not see it; ``to_pretty`` is for eyes.
    ``rung`` of ``rungs``: how many retries of this round are used up, one that is waited for included.
    ``contact_id`` is None where the contact was erased."""

    id: str
    contact_id: str | None
    direction: Direction
    kind: MessageKind
    status: str
    to: str
    to_pretty: str
    contact_name: str | None
    phone_number_id: str
    template_name: str | None
    preview: str
    wamid: str | None
    attempts: int
    may_duplicate: bool
    error_code: str | None
    error_title: str | None
    waiting_for: WaitingFor | None
    next_attempt_at: datetime | None
    created_at: datetime
    rung: int
    rungs: int


@dataclass(frozen=True, slots=True)
class MessagePage:
    """``next_cursor`` is the id to go on after; None at the end."""

    items: list[MessageRow]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class AttemptView:
    """``took_s``: how long Meta's answer took; ``waited_s``: since the attempt before ended. None where
    either end is not known."""

    number: int
    round: int
    claimed_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    outcome: Outcome | None
    error_code: str | None
    error_title: str | None
    error_detail: str | None
    http_status: int | None
    trace_id: str | None
    wamid: str | None
    may_duplicate: bool
    took_s: float | None
    waited_s: float | None


@dataclass(frozen=True, slots=True)
class StatusView:
    """A status with its time at Meta and its time here, and what is odd about the first."""

    status: str
    at: datetime
    received_at: datetime
    wamid: str
    error_code: str | None
    error_title: str | None
    error_detail: str | None
    flag: TimeFlag | None


@dataclass(frozen=True, slots=True)
class MessageDetail:
    """Everything about one message. ``payload`` is None for those who may not see it. ``next_step`` says in a
    sentence what happens next; ``flag`` what is odd about the time that Meta reported of an inbound one."""

    row: MessageRow
    payload: dict[str, Any] | None
    expires_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    sent_by: str | None
    sent_by_name: str | None
    error_meaning: str | None
    error_detail: str | None
    advice: str | None
    attempts: list[AttemptView]
    statuses: list[StatusView]
    letter_id: str | None
    letter_state: LetterState | None
    can_settle: bool
    next_step: str
    flag: TimeFlag | None


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """One phone's queue: counts of messages, and its pace. ``parked`` wait for their template and are neither
    ready nor delayed."""

    phone_number_id: str
    display_number: str
    verified_name: str
    ready: int
    delayed: int
    in_flight: int
    parked: int
    oldest_ready_at: datetime | None
    next_due_at: datetime | None
    limit_per_second: int
    remaining: int
    hold: HoldView | None

    @property
    def waiting(self) -> int:
        """What goes when a hold of it ends."""
        return self.ready + self.delayed


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The workspace's queue. ``state``: running, paused (by a person) or stopped (no worker). ``due`` counts
    what should be sent now, held or not; ``paused_only`` what waits for the pause of the workspace and for no
    hold besides; ``next_due_at`` is the next retry that nothing holds."""

    state: str
    ready: int
    delayed: int
    in_flight: int
    held: int
    unknown: int
    dead: int
    oldest_ready_s: float
    sent_last_minute: int
    lanes: list[LaneStatus]
    pause: HoldView | None
    due: int
    paused_only: int
    next_due_at: datetime | None
    worker: str
    worker_seen_at: datetime | None

    @property
    def can_be_resumed(self) -> bool:
        """A pause of everything is not the workspace's to end."""
        return self.pause is not None and self.pause.scope is HoldScope.WORKSPACE


def list_messages(
    unit: Unit, wanted: MessageFilter, *, cursor: str | None = None, limit: int = 50
) -> MessagePage:
    """Newest first. Forbidden when a number is searched for by someone who may not see numbers."""
    unit.require("messages.view")
    statement = narrow(unit, unit.scoped(Message), wanted)
    if cursor is not None:
        statement = statement.where(col(Message.id) < cursor)
    statement = statement.order_by(col(Message.id).desc()).limit(limit + 1)
    messages = list(unit.session.exec(statement))
    more = len(messages) > limit
    rows = rows_of(unit, messages[:limit])
    return MessagePage(rows, rows[-1].id if more else None)


def message_detail(unit: Unit, message_id: str) -> MessageDetail:
    """NotFound for another workspace's message, as for one that is not there."""
    unit.require("messages.view")
    message = unit.find(Message, message_id, called="message")
    row = rows_of(unit, [message])[0]
    letter = unit.session.exec(
        select(DeadLetter)
        .where(col(DeadLetter.message_id) == message.id)
        .order_by(col(DeadLetter.round).desc())
    ).first()
    why = explain(message.error_code) if message.error_code else None
    reveals = unit.actor.can("contacts.reveal")
    return MessageDetail(
        row=row,
        payload=message.payload if reveals else None,
        expires_at=message.expires_at,
        sent_at=message.sent_at,
        delivered_at=message.delivered_at,
        read_at=message.read_at,
        sent_by=message.sent_by,
        sent_by_name=_sender_name(unit, message.sent_by),
        error_meaning=why.meaning if why else None,
        error_detail=message.error_detail,
        advice=why.advice if why else None,
        attempts=attempts_of(unit, message.id),
        statuses=_statuses_of(unit, message.id),
        letter_id=letter.id if letter else None,
        letter_state=letter.state if letter else None,
        can_settle=message.state is MessageState.UNKNOWN and unit.actor.can("dead_letters.redrive"),
        next_step=_next_step(unit, message, row),
        flag=time_flag(message),
    )


def attempts_of(unit: Unit, message_id: str) -> list[AttemptView]:
    """Oldest first."""
    statement = select(Attempt).where(col(Attempt.message_id) == message_id).order_by(col(Attempt.number))
    attempts = list(unit.session.exec(statement))
    ends = [None, *(a.finished_at for a in attempts)]
    return [
        AttemptView(
            number=a.number,
            round=a.round,
            claimed_at=a.claimed_at,
            started_at=a.started_at,
            finished_at=a.finished_at,
            outcome=a.outcome,
            error_code=a.error_code,
            error_title=explain(a.error_code).title if a.error_code else None,
            error_detail=a.error_detail,
            http_status=a.http_status,
            trace_id=a.trace_id,
            wamid=a.wamid,
            may_duplicate=a.may_duplicate,
            took_s=_seconds(a.started_at, a.finished_at),
            waited_s=_seconds(before, a.started_at),
        )
        for a, before in zip(attempts, ends, strict=False)
    ]


def queue_status(unit: Unit) -> QueueStatus:
    """Counts and rows come from the same conditions, so a number and the list behind it agree."""
    unit.require("queues.view")
    active = holds(unit)
    pauses = {hold.scope: hold for hold in active}
    pause = pauses.get(HoldScope.EVERYTHING) or pauses.get(HoldScope.WORKSPACE)
    lanes = _lanes(unit, active)
    held = sum(lane.ready + lane.delayed for lane in lanes if lane.hold is not None or pause is not None)
    held += sum(lane.parked for lane in lanes)
    open_lanes = [lane for lane in lanes if lane.hold is None and pause is None]
    oldest = min((lane.oldest_ready_at for lane in open_lanes if lane.oldest_ready_at), default=None)
    alive = health(unit)
    stopped = "stopped" if alive.worker == "stopped" else "running"
    return QueueStatus(
        state="paused" if pause is not None else stopped,
        ready=sum(lane.ready for lane in open_lanes),
        delayed=sum(lane.delayed for lane in open_lanes),
        in_flight=sum(lane.in_flight for lane in lanes),
        held=held,
        unknown=_count(unit, MessageState.UNKNOWN),
        dead=open_letters(unit),
        oldest_ready_s=max(0.0, (unit.now - oldest).total_seconds()) if oldest else 0.0,
        sent_last_minute=unit.session.exec(
            select(func.count())
            .select_from(Message)
            .where(
                col(Message.workspace_id) == unit.workspace_id,
                col(Message.sent_at) > unit.now - timedelta(seconds=60),
                col(Message.direction) == Direction.OUTBOUND,
            )
        ).one(),
        lanes=lanes,
        pause=pause,
        due=sum(lane.ready for lane in lanes),
        paused_only=sum(lane.waiting for lane in lanes if lane.hold is None) if pause is not None else 0,
        next_due_at=min((lane.next_due_at for lane in open_lanes if lane.next_due_at), default=None),
        worker=alive.worker,
        worker_seen_at=alive.worker_seen_at,
    )


def lane_statuses(unit: Unit, phone_number_ids: Collection[str]) -> list[LaneStatus]:
    """Those of these lanes that are the workspace's, by the names of their phones."""
    return _lanes(unit, holds(unit), col(Lane.phone_number_id).in_(phone_number_ids))


def open_letters(unit: Unit) -> int:
    """How many dead letters wait for a person."""
    return count_kept(unit, Counted(state=LetterState.OPEN))


def _lanes(unit: Unit, active: list[HoldView], *narrower: ColumnElement[bool]) -> list[LaneStatus]:
    rows = unit.session.exec(
        select(Lane, Phone)
        .join(Phone, col(Phone.id) == col(Lane.phone_number_id))
        .where(col(Lane.workspace_id) == unit.workspace_id, *narrower)
        .order_by(col(Phone.verified_name), col(Phone.id))
    ).all()
    ids = [lane.phone_number_id for lane, _ in rows]
    is_parked = col(Message.waiting_for).is_not_distinct_from(WaitingFor.TEMPLATE)
    is_due = (col(Message.due_at) <= unit.now) & ~is_parked
    is_delayed = (col(Message.due_at) > unit.now) & ~is_parked
    waiting = unit.session.execute(
        select_columns(
            col(Message.phone_number_id),
            func.count().filter(is_due),
            func.count().filter(is_delayed),
            func.count().filter(is_parked),
            func.min(col(Message.due_at)).filter(is_due),
            func.min(col(Message.due_at)).filter(is_delayed),
        )
        .where(col(Message.phone_number_id).in_(ids), DUE)
        .group_by(col(Message.phone_number_id))
    ).all()
    counts = {row[0]: row[1:] for row in waiting}
    on_the_way = unit.session.exec(
        select(Message.phone_number_id, func.count())
        .where(col(Message.phone_number_id).in_(ids), LEASED)
        .group_by(col(Message.phone_number_id))
    ).all()
    flying = {row[0]: row[1] for row in on_the_way}
    held = {hold.subject: hold for hold in active if hold.scope is HoldScope.LANE}
    found = []
    for lane, phone in rows:
        ready, delayed, parked, oldest, next_due = counts.get(phone.id, (0, 0, 0, None, None))
        limit, _ = lane_limit(unit, phone)
        found.append(
            LaneStatus(
                phone_number_id=phone.id,
                display_number=pretty_number(phone.display_number),
                verified_name=phone.verified_name,
                ready=ready,
                delayed=delayed,
                in_flight=flying.get(phone.id, 0),
                parked=parked,
                oldest_ready_at=oldest,
                next_due_at=next_due,
                limit_per_second=limit,
                remaining=lane_rules.free(lane.slots, limit=limit, now=unit.now),
                hold=held.get(phone.id),
            )
        )
    return found


def narrow(unit: Unit, statement: SelectOfScalar[Message], wanted: MessageFilter) -> SelectOfScalar[Message]:
    if wanted.status is not None:
        statement = statement.where(col(Message.state).in_(_states(wanted.status)))
    if wanted.direction is not None:
        statement = statement.where(col(Message.direction) == wanted.direction)
    if wanted.direction is Direction.INBOUND:  # says no more, but the index on the state serves
        statement = statement.where(col(Message.state) == MessageState.RECEIVED)
    if wanted.to is not None:
        require_reveal(unit)
        statement = statement.where(col(Message.recipient) == "+" + _digits(wanted.to))
    if wanted.phone_number_id is not None:
        statement = statement.where(col(Message.phone_number_id) == wanted.phone_number_id)
    if wanted.error_code is not None:
        statement = statement.where(col(Message.error_code) == wanted.error_code)
    if wanted.since is not None:
        # An id is as old as its message, and stands in every index.
        statement = statement.where(col(Message.id) >= first_id("msg", wanted.since))
    if wanted.until is not None:
        statement = statement.where(col(Message.created_at) < wanted.until)
    if wanted.q:
        statement = _search(unit, statement, wanted.q.strip())
    return statement


def _search(unit: Unit, statement: SelectOfScalar[Message], q: str) -> SelectOfScalar[Message]:
    if q.startswith("msg_"):
        return statement.where(col(Message.id) == q)
    if q.startswith("wamid."):
        attempts = select(Attempt.message_id).where(col(Attempt.wamid) == q)
        return statement.where(or_(col(Message.wamid) == q, col(Message.id).in_(attempts)))
    digits = _digits(q)
    if digits and not any(character.isalpha() for character in q):
        require_reveal(unit)
        start = f"+{digits}"  # a range, so that the index on the number serves
        return statement.where(col(Message.recipient) >= start, col(Message.recipient) < start + ":")
    return statement.where(col(Message.template_name) == q)


def require_reveal(unit: Unit) -> None:
    """Searching by number would tell the number to those from whom it is hidden."""
    unit.require("contacts.reveal")


def _states(status: str) -> list[MessageState]:
    states = [state for state in MessageState if public_state(state) == status]
    if not states:
        known = ", ".join(dict.fromkeys(public_state(state) for state in MessageState))
        raise Malformed.field("status", f"must be one of {known}")
    return states


def rows_of(unit: Unit, messages: list[Message]) -> list[MessageRow]:
    """As lists show them, in the order given."""
    contacts = {
        row.id: row
        for row in unit.session.exec(
            select(Contact).where(col(Contact.id).in_({message.contact_id for message in messages}))
        )
    }
    active = holds(unit) if any(message.state in WAITING for message in messages) else []
    reveals = unit.actor.can("contacts.reveal")
    return [_row(unit, message, contacts, active, reveals=reveals) for message in messages]


def _row(
    unit: Unit, message: Message, contacts: dict[str, Contact], active: list[HoldView], *, reveals: bool
) -> MessageRow:
    contact = contacts[message.contact_id]
    waits = message.state in WAITING
    is_parked = message.waiting_for is WaitingFor.TEMPLATE
    return MessageRow(
        id=message.id,
        contact_id=contact.id if contact.erased_at is None else None,
        direction=message.direction,
        kind=message.kind,
        status=public_state(message.state),
        to=message.recipient if reveals else mask_number(message.recipient),
        to_pretty=pretty_number(message.recipient) if reveals else mask_number(message.recipient),
        contact_name=contact.name,
        phone_number_id=message.phone_number_id,
        template_name=message.template_name,
        preview=_preview(message) if reveals else HIDDEN_TEXT,
        wamid=message.wamid,
        attempts=message.attempt,
        may_duplicate=message.may_duplicate,
        error_code=message.error_code,
        error_title=explain(message.error_code).title if message.error_code else None,
        waiting_for=WaitingFor.LANE if waits and _is_held(message, active) else message.waiting_for,
        next_attempt_at=message.due_at if waits and not is_parked else None,
        created_at=message.created_at,
        rung=message.rung,
        rungs=len(unit.settings.waypost_retry_delays),
    )


def _preview(message: Message) -> str:
    """What the message says, or for a template what fills it in, in one short line."""
    if message.recipient == ERASED:
        return "Erased"
    template = message.payload.get("template")
    if isinstance(template, dict):
        texts = [
            str(parameter.get("text", ""))
            for component in template.get("components") or []
            for parameter in component.get("parameters") or []
            if isinstance(parameter, dict)
        ]
        line = " · ".join(text for text in texts if text)
    else:
        text = message.payload.get("text")
        line = text if isinstance(text, str) else f"[{message.payload.get('type', 'message')}]"
    line = " ".join(line.split())
    return line if len(line) <= PREVIEW_MAX else line[: PREVIEW_MAX - 1] + "…"


def _is_held(message: Message, active: list[HoldView]) -> bool:
    return any(
        hold.scope is HoldScope.EVERYTHING
        or (hold.scope is HoldScope.WORKSPACE and hold.subject == message.workspace_id)
        or (hold.scope is HoldScope.LANE and hold.subject == message.phone_number_id)
        for hold in active
    )


def _statuses_of(unit: Unit, message_id: str) -> list[StatusView]:
    statement = (
        select(MessageStatus)
        .where(col(MessageStatus.message_id) == message_id)
        .order_by(col(MessageStatus.at), col(MessageStatus.received_at))
    )
    return [
        StatusView(
            status=s.status,
            at=s.at,
            received_at=s.received_at,
            wamid=s.wamid,
            error_code=s.error_code,
            error_title=explain(s.error_code).title if s.error_code else None,
            error_detail=s.error_detail,
            flag=flag_of(to_micros(s.at), arrived=to_micros(s.received_at)),
        )
        for s in unit.session.exec(statement)
    ]


def _sender_name(unit: Unit, actor_id: str | None) -> str | None:
    """The person's, the key's or the process's name."""
    if actor_id is None:
        return None
    if actor_id.startswith("process:"):
        return actor_id.removeprefix("process:").capitalize()
    found = unit.session.get(User, actor_id) or unit.session.get(ApiKey, actor_id)
    return found.name if found is not None else None


def _next_step(unit: Unit, message: Message, row: MessageRow) -> str:
    left = row.rungs - row.rung
    tries = f"{left} {'retry' if left == 1 else 'retries'} left after it"
    if row.waiting_for is WaitingFor.LANE:
        return "Waits until its queue is released. That uses up no retry."
    if row.waiting_for is WaitingFor.TEMPLATE:
        return "Waits until its template may be sent again. That uses up no retry."
    return {
        MessageState.QUEUED: "Waits for its turn to be sent.",
        MessageState.CLAIMED: "Is being sent now.",
        MessageState.SENDING: "Is being sent now.",
        MessageState.RETRY_QUEUED: f"Is tried again at the time shown; {tries}.",
        MessageState.UNKNOWN: "Nobody knows whether Meta took it. It waits for a person's word.",
        MessageState.DEAD: "Waits for a person, among the dead letters.",
        MessageState.FAILED: "Waits for a person, among the dead letters.",
        MessageState.DISCARDED: "Nothing: a person gave it up.",
        MessageState.SENT: "Meta has taken it. Waits for Meta to report that it was delivered.",
        MessageState.DELIVERED: "Nothing more: it was delivered.",
        MessageState.READ: "Nothing more: it was read.",
        MessageState.RECEIVED: "Nothing: the customer wrote it.",
    }[message.state]


def _count(unit: Unit, *states: MessageState) -> int:
    return unit.session.exec(
        select(func.count())
        .select_from(Message)
        .where(col(Message.workspace_id) == unit.workspace_id, col(Message.state).in_(states))
    ).one()


def _seconds(since: datetime | None, until: datetime | None) -> float | None:
    return None if since is None or until is None else max(0.0, (until - since).total_seconds())


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit() and character.isascii())
