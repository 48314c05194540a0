"""Whether each part that this deployment runs is alive."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, func, select

from core.unit import Unit
from data.operations import Heartbeat

BEAT_EVERY_S = 10.0
STALE_AFTER = timedelta(seconds=25)


@dataclass(frozen=True, slots=True)
class Health:
    """Words of the health endpoint: ``running``, ``stopped`` or ``disabled``."""

    clock: str
    worker: str
    webhooks: str
    worker_seen_at: datetime | None
    clock_seen_at: datetime | None

    @property
    def is_well(self) -> bool:
        return "stopped" not in (self.clock, self.worker, self.webhooks)


def health(unit: Unit) -> Health:
    """What the heartbeats say. Open to anyone: it names no tenant."""
    seen = last_beats(unit)
    return Health(
        clock=_word(seen.get("clock"), now=unit.now, enabled=True),
        worker=_word(seen.get("worker"), now=unit.now, enabled=unit.settings.start_message_retry_worker),
        webhooks=_word(seen.get("inbox"), now=unit.now, enabled=unit.settings.start_webhook_worker),
        worker_seen_at=seen.get("worker"),
        clock_seen_at=seen.get("clock"),
    )


def last_beats(unit: Unit) -> dict[str, datetime]:
    """kind of process → when one of it last beat; kinds that never did are absent."""
    statement = select(Heartbeat.kind, func.max(Heartbeat.beat_at)).group_by(col(Heartbeat.kind))
    return {row[0]: row[1] for row in unit.session.exec(statement)}


def _word(seen_at: datetime | None, *, now: datetime, enabled: bool) -> str:
    if not enabled:
        return "disabled"
    return "running" if seen_at is not None and now - seen_at < STALE_AFTER else "stopped"
