"""What the frame of every page and the overview show: a few numbers, each from an index."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, literal_column
from sqlalchemy import select as select_columns
from sqlmodel import col, func, select

from core.alerts.queries import NewestAlert, count_open, newest_open
from core.ids import new_id
from core.monitoring.queries import Health, health
from core.traffic.measures import Counts, Timing, percentile_ms
from core.traffic.series import series
from core.unit import Unit
from data.enums import Direction, LetterState, MessageState, Outcome
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
    """What every page shows around itself. Counts are None for those who may not see what they count."""

    workspace_name: str
    timezone: str
    is_demo: bool
    waiting: int | None
    open_letters: int | None
    open_alerts: int | None
    newest_alerts: tuple[NewestAlert, ...]
    health: Health


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours of sending. ``settled``: reached Meta or was given up; ``delivered`` of those, and
    ``read`` of these; ``retried``: settled after more than one attempt; ``recovered``: of those, taken by
    Meta in the end. ``is_sample`` when there were more messages than the newest ``SAMPLE``."""

    settled: int
    delivered: int
    read: int
    retried: int
    recovered: int
    is_sample: bool


@dataclass(frozen=True, slots=True)
class Trend:
    """``taken``: tries that Meta took in the last 24 hours, by the clock; ``a_week_ago``: in the same hours
    seven days before. ``lag_ms``: what 95 % of the last hours' webhooks took at most until they counted; None
    where none came."""

    taken: int
    a_week_ago: int
    lag_ms: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    waiting: int
    open_letters: int
    oldest_waiting_at: datetime | None
    day: Day
    trend: Trend


def surroundings(unit: Unit) -> Surroundings:
    unit.require("workspace.view")
    workspace = unit.workspace()
    sees, sees_alerts = unit.actor.can("queues.view"), unit.actor.can("alerts.view")
    open_alerts = count_open(unit) if sees_alerts else None
    return Surroundings(
        workspace_name=workspace.name,
        timezone=workspace.timezone,
        is_demo=workspace.is_demo,
        waiting=_waiting(unit) if sees else None,
        open_letters=_open_letters(unit) if unit.actor.can("dead_letters.view") else None,
        open_alerts=open_alerts,
        newest_alerts=newest_open(unit) if open_alerts else (),
        health=health(unit),
    )


def overview(unit: Unit) -> Overview:
    unit.require("monitoring.view")
    return Overview(
        waiting=_waiting(unit),
        open_letters=_open_letters(unit),
        oldest_waiting_at=_oldest_waiting(unit),
        day=_day(unit),
        trend=_trend(unit),
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


def _oldest_waiting(unit: Unit) -> datetime | None:
    """Ids sort by the moment that made them, so the first id is the oldest message."""
    return unit.session.exec(
        select(Message.created_at)
        .where(col(Message.workspace_id) == unit.workspace_id, col(Message.state).in_(WAITING))
        .order_by(col(Message.id))
        .limit(1)
    ).first()


def _trend(unit: Unit) -> Trend:
    hour = unit.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    a_week = timedelta(days=7)
    found = series(unit, since=hour - DAY, until=hour, apart=a_week)
    lately: Counts = Counter()
    for slot in found.slots[-2:]:
        lately.update(slot.counts)
    return Trend(
        taken=found.total[Outcome.ACCEPTED.value],
        a_week_ago=found.before[Outcome.ACCEPTED.value],
        lag_ms=percentile_ms(lately, Timing.APPLIED, 0.95),
    )


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
            func.count(case((newest.c.state == MessageState.READ, one))),
            func.count(case((retried, one))),
            func.count(case((retried & newest.c.state.in_(ACCEPTED), one))),
        ).select_from(newest)
    ).one()
    return Day(
        settled=row[1],
        delivered=row[2],
        read=row[3],
        retried=row[4],
        recovered=row[5],
        is_sample=row[0] >= SAMPLE,
    )
