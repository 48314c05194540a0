"""Where alerts go beside the page: channels of a workspace, and what was said through each."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, Index, SQLModel

from data.columns import document, enumerated, flag, instant, sealed
from data.enums import AlertEvent, ChannelKind, NoticeState, Severity


class AlertChannel(SQLModel, table=True):
    """A way to people: mail, a webhook, or a service such as Slack.

    Mail has ``roles`` and ``addresses``; the others a ``sealed_target``, an address that may itself let its
    holder in, of which ``target`` shows what may be seen. Webhooks are signed with ``sealed_secret``. No
    ``kinds`` is all kinds. ``quiet_from`` and ``quiet_until`` are minutes since midnight in the workspace's
    zone, or both None. ``of_platform``: the installation's alerts go there too.
    """

    __tablename__ = "alert_channel"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    name: str
    kind: ChannelKind = enumerated(ChannelKind)
    is_on: bool
    roles: list[str] = document()
    addresses: list[str] = document()
    target: str
    sealed_target: bytes | None = sealed(nullable=True)
    sealed_secret: bytes | None = sealed(nullable=True)
    least: Severity = enumerated(Severity)
    kinds: list[str] = document()
    quiet_from: int | None = None
    quiet_until: int | None = None
    critical_passes: bool
    of_platform: bool = flag()
    made_at: datetime = instant()
    tried_at: datetime | None = instant(nullable=True)
    told_at: datetime | None = instant(nullable=True)
    last_error: str | None = None


class AlertNotice(SQLModel, table=True):
    """One thing that is said of one alert through one channel. ``said`` is how the alert was at that moment;
    of a digest, the list of what it gathers. ``due_at`` is when it is tried next, or when quiet hours end;
    while it is being tried, when another may take it."""

    __tablename__ = "alert_notice"
    __table_args__ = (
        Index("ix_alert_notice_due", "state", "due_at", "id"),
        Index("ix_alert_notice_channel", "channel_id", "id"),
        Index("ix_alert_notice_alert", "alert_id", "channel_id", "id"),
    )

    id: str = Field(primary_key=True)
    channel_id: str = Field(foreign_key="alert_channel.id")
    workspace_id: str = Field(foreign_key="workspace.id")
    alert_id: str | None = Field(default=None, foreign_key="alert.id")
    event: AlertEvent = enumerated(AlertEvent)
    said: dict[str, Any] = document()
    state: NoticeState = enumerated(NoticeState)
    attempts: int
    last_error: str | None = None
    created_at: datetime = instant()
    due_at: datetime | None = instant(nullable=True)
    sent_at: datetime | None = instant(nullable=True)
