"""What the console keeps about itself: audit entries, heartbeats, leases."""

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from data.columns import document, instant, sealed


class AuditEntry(SQLModel, table=True):
    """What someone did (P9). Append-only by trigger; each entry is chained to the one before by HMAC."""

    __tablename__ = "audit_entry"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = instant()
    workspace_id: str | None = Field(default=None, index=True)
    actor: str
    action: str
    target: str
    before: dict[str, Any] | None = document(nullable=True)
    after: dict[str, Any] | None = document(nullable=True)
    address: str | None = None
    request_id: str | None = None
    hash: str


class AuditHead(SQLModel, table=True):
    """The newest number and hash, so that cutting off the end shows; and the chain's own key, sealed."""

    __tablename__ = "audit_head"

    id: int = Field(primary_key=True)
    number: int
    hash: str
    sealed_key: bytes = sealed()


class Heartbeat(SQLModel, table=True):
    """When a process of ours was last alive."""

    __tablename__ = "heartbeat"

    holder: str = Field(primary_key=True)
    kind: str = Field(index=True)
    started_at: datetime = instant()
    beat_at: datetime = instant()


class Lease(SQLModel, table=True):
    """Something that one process at a time may be, such as the clock's leader."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True)
    holder: str
    until: datetime = instant()
