"""The webhook inbox: what Meta delivered, raw, and what was made of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from data.columns import document, enumerated, instant
from data.enums import DeliveryState

PENDING = text("state = 'pending'")


class Delivery(SQLModel, table=True):
    """One POST from Meta, as far as it concerns one workspace; one that concerns two is kept once for each.

    ``body`` is the raw body, byte for byte, until retention takes it away. ``phone_number_id`` is set when
    it speaks of one phone only. ``updates`` and ``failures`` count what was and what could not be applied the
    last time; ``error`` is the first reason. Ids sort by arrival.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        Index("ix_delivery_pending", "id", sqlite_where=PENDING, postgresql_where=PENDING),
        Index("ix_delivery_workspace", "workspace_id", "id"),
        Index("ix_delivery_state", "workspace_id", "state", "id"),
        Index("ix_delivery_phone", "workspace_id", "phone_number_id", "id"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str | None = Field(default=None, foreign_key="workspace.id")
    phone_number_id: str | None = None
    received_at: datetime = instant()
    sha256: str
    size: int
    body: bytes | None = Field(default=None, sa_type=LargeBinary)
    state: DeliveryState = enumerated(DeliveryState)
    attempts: int = 0
    applied_at: datetime | None = instant(nullable=True)
    updates: int = 0
    failures: int = 0
    error: str | None = None


class DeliveryFailure(SQLModel, table=True):
    """One update of a delivery that could not be applied: where it stands in the body, and why."""

    __tablename__ = "delivery_failure"

    delivery_id: str = Field(primary_key=True, foreign_key="delivery.id")
    path: str = Field(primary_key=True)
    field: str
    reason: str
    at: datetime = instant()


class MetaUpdate(SQLModel, table=True):
    """Something Meta said that is no message and no status: of an account, a phone, a template, a
    customer's preference. ``id`` is the SHA-256 of what was said, so that saying it twice is one row.
    ``effect_at`` is None while nothing of ours acts on its field."""

    __tablename__ = "meta_update"
    __table_args__ = (Index("ix_meta_update_field", "workspace_id", "field", "at"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    waba_id: str
    phone_number_id: str | None = None
    field: str
    value: dict[str, Any] = document()
    at: datetime = instant()
    received_at: datetime = instant(index=True)
    effect_at: datetime | None = instant(nullable=True)


class PhoneHeard(SQLModel, table=True):
    """When a webhook last spoke of that phone."""

    __tablename__ = "phone_heard"

    phone_number_id: str = Field(primary_key=True, foreign_key="phone.id")
    last_at: datetime = instant()


class BadSignature(SQLModel, table=True):
    """How many webhooks of one minute were refused for their signature. Nothing else of them is kept."""

    __tablename__ = "bad_signature"

    minute: datetime = instant(primary_key=True)
    count: int
