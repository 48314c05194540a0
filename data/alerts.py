"""What a person must see, and what goes to them by mail."""

from datetime import datetime

from sqlmodel import Field, Index, LargeBinary, SQLModel, text

from data.columns import enumerated, instant, sealed
from data.enums import MailState, Severity

DUE = text("state = 'queued'")


class Alert(SQLModel, table=True):
    """Something that is not as it should be. ``workspace_id`` is None for what concerns the installation.

    ``open_key`` says what it is about while it is open, and is None once it is resolved: two open alerts
    about the same thing cannot be. ``told_severity`` is the one that channels were last told; ``outcome``
    says what its end let go.
    """

    __tablename__ = "alert"
    __table_args__ = (
        # Not a partial one: beside ix_alert_workspace SQLite would not choose it.
        Index("ix_alert_open", "workspace_id", "resolved_at", "id"),
        Index("ix_alert_workspace", "workspace_id", "id"),
        Index("ix_alert_severity", "workspace_id", "severity", "id"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str | None = Field(default=None, foreign_key="workspace.id")
    kind: str
    subject: str
    open_key: str | None = Field(default=None, unique=True)
    severity: Severity = enumerated(Severity)
    title: str
    detail: str
    link: str
    times: int
    opened_at: datetime = instant()
    last_seen_at: datetime = instant()
    acknowledged_at: datetime | None = instant(nullable=True)
    acknowledged_by: str | None = None
    resolved_at: datetime | None = instant(nullable=True)
    told_severity: Severity | None = enumerated(Severity, nullable=True)
    outcome: str | None = None


class Mail(SQLModel, table=True):
    """One mail to one person. ``sealed_text`` is gone once nothing more will be tried: it may hold a link
    that lets its reader in. ``due_at`` is when it is tried next; while it is being tried, when another may
    take it."""

    __tablename__ = "mail"
    __table_args__ = (
        Index("ix_mail_due", "due_at", "id", sqlite_where=DUE, postgresql_where=DUE),
        Index("ix_mail_workspace", "workspace_id", "id"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str | None = Field(default=None, foreign_key="workspace.id")
    kind: str
    recipient: str
    subject: str
    sealed_text: bytes | None = sealed(nullable=True)
    attachment_name: str | None = None
    attachment_kind: str | None = None
    attachment: bytes | None = Field(default=None, sa_type=LargeBinary)
    state: MailState = enumerated(MailState)
    attempts: int
    last_error: str | None = None
    created_at: datetime = instant()
    due_at: datetime | None = instant(nullable=True)
    sent_at: datetime | None = instant(nullable=True)
