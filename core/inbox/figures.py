"""How fast webhooks come and are applied, and what waits."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, func, select

from core.inbox.queries import DeliveryFilter, count_matching, first_shown, narrow
from core.inbox.signatures import bad_since
from core.unit import Unit
from data.enums import DeliveryState
from data.inbox import Delivery

DAY = timedelta(hours=24)
MINUTE = timedelta(seconds=60)
MINUTES = 30


@dataclass(frozen=True, slots=True)
class InboxStatus:
    """What waits, and what could not be applied. ``oldest_pending_s`` is 0 when nothing waits."""

    pending: int
    failed: int
    oldest_pending_s: float


@dataclass(frozen=True, slots=True)
class InboxFigures:
    """``per_minute``: deliveries received in each of the last 30 minutes, oldest first. ``lag_s``: how long
    the oldest has been waiting, or when none waits how long the newest had to. ``last_day``: state → number
    of the last 24 hours, every state present. ``bad_signatures`` of the last 24 hours concern the whole
    installation: nobody can say whose a forged webhook is."""

    status: InboxStatus
    lag_s: float
    last_received_at: datetime | None
    received_last_minute: int
    per_minute: list[int]
    last_day: dict[DeliveryState, int]
    bad_signatures: int


def inbox_status(unit: Unit) -> InboxStatus:
    """For the workspace of whoever asks."""
    unit.require("queues.view")
    return _status(unit)


def figures(unit: Unit) -> InboxFigures:
    unit.require("webhooks.view")
    status = _status(unit)
    newest = first_shown(unit, narrow(unit, DeliveryFilter()).order_by(col(Delivery.id).desc()))
    per_minute = _per_minute(unit)
    return InboxFigures(
        status=status,
        lag_s=status.oldest_pending_s or _lag_s(unit),
        last_received_at=None if newest is None else newest.received_at,
        received_last_minute=per_minute[-1],
        per_minute=per_minute,
        last_day=_last_day(unit),
        bad_signatures=bad_since(unit, unit.now - DAY),
    )


def _status(unit: Unit) -> InboxStatus:
    waiting = DeliveryFilter(state=DeliveryState.PENDING)
    oldest = first_shown(unit, narrow(unit, waiting).order_by(col(Delivery.id)))
    return InboxStatus(
        pending=count_matching(unit, waiting),
        failed=count_matching(unit, DeliveryFilter(state=DeliveryState.FAILED)),
        oldest_pending_s=0.0 if oldest is None else (unit.now - oldest.received_at).total_seconds(),
    )


def _lag_s(unit: Unit) -> float:
    applied = narrow(unit, DeliveryFilter(state=DeliveryState.APPLIED)).order_by(col(Delivery.id).desc())
    newest = first_shown(unit, applied)
    return 0.0 if newest is None else float((newest.applied_at - newest.received_at).total_seconds())


def _per_minute(unit: Unit) -> list[int]:
    recent = narrow(unit, DeliveryFilter(since=unit.now - MINUTES * MINUTE))
    moments = unit.session.scalars(recent.with_only_columns(col(Delivery.received_at)))
    ago = Counter((unit.now - moment) // MINUTE for moment in moments)
    return [ago[minutes] for minutes in reversed(range(MINUTES))]


def _last_day(unit: Unit) -> dict[DeliveryState, int]:
    day = narrow(unit, DeliveryFilter(since=unit.now - DAY)).subquery()
    counted = unit.session.exec(select(day.c.state, func.count()).group_by(day.c.state))
    return dict.fromkeys(DeliveryState, 0) | {row[0]: row[1] for row in counted}
