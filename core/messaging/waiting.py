"""What is on its way or waits, as a list. Its counts are those of ``queue_status``."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import literal, tuple_, union_all
from sqlalchemy import select as select_columns
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from core.errors import Malformed
from core.lanes.queries import holds
from core.messaging.queries import MessagePage, rows_of
from core.unit import Unit
from data.columns import Instant, from_micros, to_micros
from data.enums import HoldScope, MessageState, WaitingFor
from data.messages import DUE, LEASED, Message
from data.sending import Lane


class Waits(StrEnum):
    """How something waits in the queue; the counts of ``QueueStatus`` by the same names."""

    READY = "ready"
    IN_FLIGHT = "in_flight"
    DELAYED = "delayed"
    HELD = "held"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WaitingFilter:
    """What the list of what waits is narrowed to; None does not narrow."""

    show: Waits | None = None
    phone_number_id: str | None = None


def waiting_messages(
    unit: Unit, wanted: WaitingFilter, *, cursor: str | None = None, limit: int = 50
) -> MessagePage:
    """What is on its way or waits, most urgent first: what is being sent, what waits for a person's word, and
    then by the moment it is due. These are the rows that ``queue_status`` counts."""
    unit.require("queues.view")
    after = _read_place(cursor)
    found: list[tuple[str, Message]] = []
    for section, statement in _sections(unit, wanted, after, limit=limit + 1):
        rest = limit + 1 - len(found)
        found += [(section, message) for message in unit.session.exec(statement.limit(rest))]
    shown = [message for _, message in found[:limit]]
    more = len(found) > limit
    return MessagePage(rows_of(unit, shown), _place(*found[limit - 1]) if more else None)


def _sections(
    unit: Unit, wanted: WaitingFilter, after: tuple[str, datetime, str] | None, *, limit: int
) -> list[tuple[str, SelectOfScalar[Message]]]:
    """The parts of the list of what waits, from the place that is given."""
    from_section, due_at, message_id = after or ("", unit.now, "")
    parts: list[tuple[str, SelectOfScalar[Message]]] = []
    for section, condition, show in (
        ("a", LEASED, Waits.IN_FLIGHT),
        ("b", col(Message.state) == MessageState.UNKNOWN, Waits.UNKNOWN),
    ):
        if wanted.show in (None, show) and section >= from_section:
            # Sorting the few by an expression keeps SQLite from walking all of the workspace in their order.
            part = unit.scoped(Message).where(condition).order_by(col(Message.id).concat(""))
            if wanted.phone_number_id is not None:
                part = part.where(col(Message.phone_number_id) == wanted.phone_number_id)
            parts.append(
                (section, part.where(col(Message.id) > message_id) if section == from_section else part)
            )
    if wanted.show not in (Waits.IN_FLIGHT, Waits.UNKNOWN):
        due = _due(unit, wanted, (due_at, message_id) if from_section == "c" else None, limit=limit)
        if due is not None:
            parts.append(("c", due))
    return parts


def _due(
    unit: Unit, wanted: WaitingFilter, after: tuple[datetime, str] | None, *, limit: int
) -> SelectOfScalar[Message] | None:
    """The first of each lane come from its own index, so a backlog of a million is never sorted. The index is
    partial: its condition has to stand there word for word, bound values would hide it."""
    firsts = []
    is_parked = col(Message.waiting_for).is_not_distinct_from(WaitingFor.TEMPLATE)
    for lane, is_held in _lanes_that(unit, wanted):
        first = select_columns(col(Message.id)).where(col(Message.phone_number_id) == lane, DUE)
        if wanted.show is Waits.READY:
            first = first.where(col(Message.due_at) <= unit.now, ~is_parked)
        if wanted.show is Waits.DELAYED:
            first = first.where(col(Message.due_at) > unit.now, ~is_parked)
        if wanted.show is Waits.HELD and not is_held:  # what is parked is due when it is too old to be sent
            first = first.where(col(Message.due_at) > unit.now, is_parked)
        if after is not None:
            place = tuple_(literal(after[0], Instant()), literal(after[1]))
            first = first.where(tuple_(col(Message.due_at), col(Message.id)) > place)
        rows = first.order_by(col(Message.due_at), col(Message.id)).limit(limit).subquery()
        firsts.append(select_columns(rows.c.id))
    if not firsts:
        return None
    return (
        select(Message)
        .where(col(Message.id).in_(union_all(*firsts)))
        .order_by(col(Message.due_at), col(Message.id))
    )


def _lanes_that(unit: Unit, wanted: WaitingFilter) -> list[tuple[str, bool]]:
    """The lanes that the list is about, each with whether it is held: of ready and delayed the open ones."""
    statement = select(Lane.phone_number_id).where(col(Lane.workspace_id) == unit.workspace_id)
    if wanted.phone_number_id is not None:
        statement = statement.where(col(Lane.phone_number_id) == wanted.phone_number_id)
    lanes = list(unit.session.exec(statement))
    active = holds(unit)
    is_paused = any(hold.scope in (HoldScope.WORKSPACE, HoldScope.EVERYTHING) for hold in active)
    held = set(lanes) if is_paused else {hold.subject for hold in active if hold.scope is HoldScope.LANE}
    of_open_lanes = wanted.show in (Waits.READY, Waits.DELAYED)
    return [(lane, lane in held) for lane in lanes if not (of_open_lanes and lane in held)]


def _place(section: str, message: Message) -> str:
    return f"{section}.{to_micros(message.due_at or message.created_at)}.{message.id}"


def _read_place(cursor: str | None) -> tuple[str, datetime, str] | None:
    if cursor is None:
        return None
    found = re.fullmatch(r"([abc])\.(\d{1,17})\.(\w+)", cursor, re.ASCII)
    if found is None:
        raise Malformed.field("cursor", "must be the nextCursor of an earlier answer")
    return found[1], from_micros(int(found[2])), found[3]
