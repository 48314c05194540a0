"""What the frame of every page and the overview show: a few numbers, each from an index."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, literal_column
from sqlalchemy import select as select_columns
from sqlmodel import col, func, select

from core.ids import new_id
from core.monitoring.queries import Health, health
from core.unit import Unit
from data.enums import Direction, LetterState, MessageState
from data.messages import DeadLetter, Message

WAITING = (MessageState.QUEUED, MessageState.RETRY_QUEUED)
ACCEPTED = (MessageState.SENT, MessageState.DELIVERED, MessageState.READ)
LOST = (MessageState.DEAD, MessageState.FAILED, MessageState.DISCARDED)
DAY = timedelta(hours=24)
# The shares of a day come from its newest messages: 10,000 of a million take 15 ms, all of them a second.
SAMPLE = 10_000
_PREFIX_DIGITS = len("msg_") + 11  # 55 of the 56 bits of an id that say when


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every page shows around itself. Counts are None for those who may not see the queue."""

    workspace_name: str
    timezone: str
    is_demo: bool
    waiting: int | None
    open_letters: int | None
    health: Health


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours of sending. ``settled``: reached Meta or was given up; ``delivered`` of those;
    ``retried``: settled after more than one attempt; ``recovered``: of those, taken by Meta in the end.
    ``is_sample`` when there were more messages than the newest ``SAMPLE``."""

    settled: int
    delivered: int
    retried: int
    recovered: int
    is_sample: bool


@dataclass(frozen=True, slots=True)
class Overview:
    sent_last_minute: int
    waiting: int
    open_letters: int
    oldest_waiting_at: datetime | None
    day: Day


def surroundings(unit: Unit) -> Surroundings:
    unit.require("workspace.view")
    workspace = unit.workspace()
    sees = unit.actor.can("queues.view")
    return Surroundings(
        workspace_name=workspace.name,
        timezone=workspace.timezone,
        is_demo=workspace.is_demo,
        waiting=_waiting(unit) if sees else None,
        open_letters=_open_letters(unit) if unit.actor.can("dead_letters.view") else None,
        health=health(unit),
    )


def overview(unit: Unit) -> Overview:
    unit.require("monitoring.view")
    return Overview(
        sent_last_minute=_sent_since(unit, unit.now - timedelta(seconds=60)),
        waiting=_waiting(unit),
        open_letters=_open_letters(unit),
        oldest_waiting_at=_oldest_waiting(unit),
        day=_day(unit),
    )


def _waiting(unit: Unit) -> int:
    return unit.session.exec(
        select(func.count())
        .select_from(Message)
        .where(col(Message.workspace_id) == unit.workspace_id, col(Message.state).in_(WAITING))
    ).one()


def _open_letters(unit: Unit) -> int:
    return unit.session.exec(
        select(func.count())
        .select_from(DeadLetter)
        .where(col(DeadLetter.workspace_id) == unit.workspace_id, col(DeadLetter.state) == LetterState.OPEN)
    ).one()


def _sent_since(unit: Unit, since: datetime) -> int:
    return unit.session.exec(
        select(func.count())
        .select_from(Message)
        .where(
            col(Message.workspace_id) == unit.workspace_id,
            col(Message.sent_at) > since,
            col(Message.direction) == Direction.OUTBOUND,
        )
    ).one()


def _oldest_waiting(unit: Unit) -> datetime | None:
    """Ids sort by the moment that made them, so the first id is the oldest message."""
    return unit.session.exec(
        select(Message.created_at)
        .where(col(Message.workspace_id) == unit.workspace_id, col(Message.state).in_(WAITING))
        .order_by(col(Message.id))
        .limit(1)
    ).first()


def _day(unit: Unit) -> Day:
    first_id = new_id("msg", unit.now - DAY)[:_PREFIX_DIGITS]
    newest = (
        select_columns(col(Message.state).label("state"), col(Message.attempt).label("attempt"))
        .where(
            col(Message.workspace_id) == unit.workspace_id,
            col(Message.id) >= first_id,
            col(Message.direction) == Direction.OUTBOUND,
        )
        .order_by(col(Message.id).desc())
        .limit(SAMPLE)
        .subquery()
    )
    one: Any = literal_column("1")
    settled = newest.c.state.in_((*ACCEPTED, *LOST))
    retried = settled & (newest.c.attempt > 1)
    row = unit.session.execute(
        select_columns(
            func.count(),
            func.count(case((settled, one))),
            func.count(case((newest.c.state.in_(ACCEPTED[1:]), one))),
            func.count(case((retried, one))),
            func.count(case((retried & newest.c.state.in_(ACCEPTED), one))),
        ).select_from(newest)
    ).one()
    return Day(settled=row[1], delivered=row[2], retried=row[3], recovered=row[4], is_sample=row[0] >= SAMPLE)
