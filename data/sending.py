"""What a workspace sends from: accounts, phones, their lanes, tokens, templates, holds, plans."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, LargeBinary, SQLModel, UniqueConstraint

from data.columns import document, enumerated, instant, sealed
from data.enums import HoldCause, HoldScope, PlanName


class Plan(SQLModel, table=True):
    """One version of a plan: the one table of price and throughput (B7). Versions are added, never edited."""

    __tablename__ = "plan"

    name: PlanName = enumerated(PlanName, primary_key=True)
    version: int = Field(primary_key=True)
    valid_from: datetime = instant()
    included_conversations: int
    overage_micros: int | None = None
    messages_per_second: int


class Waba(SQLModel, table=True):
    """A WhatsApp Business Account, by Meta's id. It belongs to one workspace."""

    __tablename__ = "waba"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    name: str
    connected_at: datetime = instant()
    templates_synced_at: datetime | None = instant(nullable=True)


class AccessToken(SQLModel, table=True):
    """The token that one account's phones send with, sealed by the vault (K3). One a WABA."""

    __tablename__ = "access_token"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    waba_id: str = Field(foreign_key="waba.id", unique=True)
    sealed: bytes = sealed()
    expires_at: datetime | None = instant(nullable=True)
    replaced_at: datetime = instant()


class Phone(SQLModel, table=True):
    """A sending number, by Meta's phone number id, as Meta last described it."""

    __tablename__ = "phone"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    waba_id: str = Field(foreign_key="waba.id", index=True)
    display_number: str
    verified_name: str
    quality: str
    throughput_level: str
    messaging_tier: str | None = None
    name_status: str | None = None
    status: str
    synced_at: datetime = instant()


class Lane(SQLModel, table=True):
    """The queue of one phone. ``slots`` are the moments (packed int64 microseconds) of its newest sends."""

    __tablename__ = "lane"

    phone_number_id: str = Field(primary_key=True, foreign_key="phone.id")
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    slots: bytes = Field(default=b"", sa_type=LargeBinary)


class Hold(SQLModel, table=True):
    """A stop with a reason. What it names waits, and uses up no rung, until it is released."""

    __tablename__ = "hold"
    __table_args__ = (
        Index(
            "ix_hold_active",
            "scope",
            "subject",
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    workspace_id: str | None = Field(default=None, foreign_key="workspace.id", index=True)
    scope: HoldScope = enumerated(HoldScope)
    subject: str
    cause: HoldCause = enumerated(HoldCause)
    error_code: str | None = None
    reason: str
    held_at: datetime = instant()
    held_by: str | None = None
    released_at: datetime | None = instant(nullable=True)
    released_by: str | None = None


class Template(SQLModel, table=True):
    """A pre-approved message form, as Meta last described it."""

    __tablename__ = "template"
    __table_args__ = (UniqueConstraint("waba_id", "name", "language"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    waba_id: str = Field(foreign_key="waba.id")
    name: str
    language: str
    category: str
    status: str
    parameter_format: str
    components: list[dict[str, Any]] = document()
    synced_at: datetime = instant()
