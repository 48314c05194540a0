"""What became of templates, counted, and what follows for the workspace (T1-T3, T5)."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from data.columns import document, enumerated, instant
from data.enums import AbuseLevel, ChangeSource, TemplateEvent


class TemplateMetric(SQLModel, table=True):
    """One event of one template. ``template_id`` is Meta's id of it, whether or not we have a copy; one of
    ours where Meta's is not known.

    ``at`` is when it happened, ``noticed_at`` when we came to know. ``counts``: it says something new; one
    that only repeats what came before it does not.
    """

    __tablename__ = "template_metric"
    __table_args__ = (
        Index("ix_template_metric_template", "workspace_id", "template_id", "at", "event", unique=True),
        Index("ix_template_metric_window", "workspace_id", "at", "counts", "event"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    template_id: str
    event: TemplateEvent = enumerated(TemplateEvent)
    reason: str | None = None
    at: datetime = instant(index=True)
    noticed_at: datetime = instant()
    source: ChangeSource = enumerated(ChangeSource)
    counts: bool


class TemplateMetricDay(SQLModel, table=True):
    """What is left of a template's events once their detail is purged: how many there were of each on one
    day of the workspace's time zone, ``2026-11-23``. ``last_event`` is the latest of them, at ``last_at``."""

    __tablename__ = "template_metric_day"

    workspace_id: str = Field(foreign_key="workspace.id", primary_key=True)
    template_id: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    created: int = 0
    approved: int = 0
    rejected: int = 0
    paused: int = 0
    disabled: int = 0
    last_event: TemplateEvent = enumerated(TemplateEvent)
    last_at: datetime = instant()


class RejectedSend(SQLModel, table=True):
    """A send of a rejected template was tried, and refused here."""

    __tablename__ = "rejected_send"
    __table_args__ = (Index("ix_rejected_send_window", "workspace_id", "at"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    template_id: str
    at: datetime = instant(index=True)


class AbuseStanding(SQLModel, table=True):
    """Where a workspace stands; none before its first event. It was judged at ``judged_at``, and is judged
    again at ``due_at``, when the next event is old enough to count no more. What came at ``counts_from`` or
    before counts no more either: a flag was cleared then."""

    __tablename__ = "abuse_standing"

    workspace_id: str = Field(foreign_key="workspace.id", primary_key=True)
    level: AbuseLevel = enumerated(AbuseLevel)
    reasons: list[str] = document()
    since: datetime = instant()
    judged_at: datetime = instant()
    due_at: datetime | None = instant(nullable=True, index=True)
    counts_from: datetime | None = instant(nullable=True)


class AbuseFlag(SQLModel, table=True):
    """A workspace was flagged; until somebody clears it. One that is open at a time."""

    __tablename__ = "abuse_flag"
    __table_args__ = (
        Index(
            "ix_abuse_flag_open",
            "workspace_id",
            unique=True,
            sqlite_where=text("cleared_at IS NULL"),
            postgresql_where=text("cleared_at IS NULL"),
        ),
        Index("ix_abuse_flag_workspace", "workspace_id", "id"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    reasons: list[str] = document()
    opened_at: datetime = instant()
    cleared_at: datetime | None = instant(nullable=True)
    cleared_by: str | None = None
    cleared_reason: str | None = None
