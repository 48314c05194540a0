"""What the clock does by itself: when, whether it may, and what came of it."""

from datetime import datetime

from sqlalchemy import Column, ForeignKey, String
from sqlmodel import Field, Index, SQLModel

from data.columns import enumerated, instant
from data.enums import RunOutcome


class Schedule(SQLModel, table=True):
    """One line of the clock's table, as the newest leader has it, and where it stands.

    ``every_s`` seconds apart; ``at_s`` after 00:00 UTC, or None for a *tick*: so frequent that only its last
    run and its failures are kept. ``due_at``: when the next run is due; a tick has none. ``asked_at``: since
    when somebody wants it run now. ``ran_at``, ``took_ms``, ``result`` and ``holder`` are of the last run,
    ``failures`` counts those in a row, since ``failing_since``.
    """

    __tablename__ = "schedule"

    name: str = Field(primary_key=True)
    about: str
    every_s: float
    at_s: float | None = None
    can_pause: bool = True
    due_at: datetime | None = instant(nullable=True)
    asked_at: datetime | None = instant(nullable=True)
    asked_by: str | None = None
    paused_at: datetime | None = instant(nullable=True)
    paused_by: str | None = None
    pause_reason: str = ""
    running_since: datetime | None = instant(nullable=True)
    ran_at: datetime | None = instant(nullable=True)
    took_ms: int = 0
    result: str = ""
    holder: str | None = None
    succeeded_at: datetime | None = instant(nullable=True)
    failing_since: datetime | None = instant(nullable=True)
    failures: int = 0

    @property
    def is_tick(self) -> bool:
        return self.at_s is None


class ScheduleRun(SQLModel, table=True):
    """One run: for which moment, or at whose word; by which clock process; how it went, in words.

    ``times``: how often a tick failed so, one after the other.
    """

    __tablename__ = "schedule_run"
    __table_args__ = (Index("ix_schedule_run_schedule", "schedule", "id"),)

    id: str = Field(primary_key=True)
    schedule: str = Field(
        sa_column=Column(String, ForeignKey("schedule.name", ondelete="CASCADE"), nullable=False)
    )
    tick_at: datetime | None = instant(nullable=True)
    asked_by: str | None = None
    holder: str
    started_at: datetime = instant()
    finished_at: datetime | None = instant(nullable=True)
    took_ms: int = 0
    outcome: RunOutcome = enumerated(RunOutcome)
    result: str = ""
    times: int = 1
