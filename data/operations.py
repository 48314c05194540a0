"""What the console keeps about itself: audit entries, heartbeats, leases, counts."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlmodel import Field, Index, SQLModel

from data.columns import document, instant, sealed


class AuditEntry(SQLModel, table=True):
    """What someone did (P9). Append-only by trigger; each entry is chained to the one before by HMAC."""

    __tablename__ = "audit_entry"
    # In the order of the list: newest of a workspace first, whatever it is narrowed to.
    __table_args__ = (
        Index("ix_audit_entry_at", "workspace_id", "at", "number"),
        Index("ix_audit_entry_actor", "workspace_id", "actor", "at", "number"),
        Index("ix_audit_entry_action", "workspace_id", "action", "at", "number"),
        Index("ix_audit_entry_target", "workspace_id", "target", "at", "number"),
    )

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = instant()
    workspace_id: str | None = None
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


class Tally(SQLModel, table=True):
    """How often something happened, in all processes and ever since; ``label``: in which way."""

    __tablename__ = "tally"

    name: str = Field(primary_key=True)
    label: str = Field(primary_key=True)
    count: int = Field(sa_type=BigInteger)
