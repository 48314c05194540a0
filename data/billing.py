"""Conversations, what they cost, and the invoices that say so."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel, UniqueConstraint

from data.columns import document, enumerated, instant
from data.enums import InvoiceState, OpenedBy, PlanName

UNWRITTEN = text("closed_at IS NULL")
UNBILLED = text("billed <= 0")
EMPTY = text("messages_in = 0 AND messages_out = 0")
STANDING = text("state <> 'void'")


class Conversation(SQLModel, table=True):
    """What we bill (B1): 24 hours from the first message of one phone and contact.

    Its id is its opener's, with another prefix. ``invoice_id``: the invoice that froze it; from then on its
    bounds never change (a trigger refuses). ``billed``: how often it stands on invoices, those that take it
    back subtracted. One without messages is not owed: what opened it failed after it was frozen.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        Index("ix_conversation_opened", "workspace_id", "opened_at", "id"),
        Index("ix_conversation_phone", "workspace_id", "phone_number_id", "opened_at", "id"),
        Index("ix_conversation_contact", "workspace_id", "contact_id", "opened_at", "id"),
        Index(
            "ix_conversation_unwritten",
            "workspace_id",
            "closes_at",
            sqlite_where=UNWRITTEN,
            postgresql_where=UNWRITTEN,
        ),
        Index(
            "ix_conversation_unbilled",
            "workspace_id",
            "opened_at",
            sqlite_where=UNBILLED,
            postgresql_where=UNBILLED,
        ),
        Index(
            "ix_conversation_empty", "workspace_id", "opened_at", sqlite_where=EMPTY, postgresql_where=EMPTY
        ),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    phone_number_id: str = Field(foreign_key="phone.id")
    contact_id: str = Field(foreign_key="contact.id")
    opened_at: datetime = instant()
    closes_at: datetime = instant()
    opened_by: OpenedBy = enumerated(OpenedBy)
    messages_in: int
    messages_out: int
    closed_at: datetime | None = instant(nullable=True)
    invoice_id: str | None = Field(default=None, foreign_key="invoice.id")
    billed: int = 0


class ConversationDue(SQLModel, table=True):
    """A phone and contact whose conversations are to be computed anew: their messages changed.

    ``version`` grows with each change, so that one that comes while they are computed is not forgotten.
    """

    __tablename__ = "conversation_due"
    __table_args__ = (Index("ix_conversation_due_marked", "workspace_id", "marked_at"),)

    phone_number_id: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    workspace_id: str
    marked_at: datetime = instant()
    version: int = 1


class PlanChange(SQLModel, table=True):
    """When a workspace went from one plan to another. Before the first one it had ``old`` all along."""

    __tablename__ = "plan_change"
    __table_args__ = (Index("ix_plan_change_at", "workspace_id", "at"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    at: datetime = instant()
    old: PlanName = enumerated(PlanName)
    new: PlanName = enumerated(PlanName)
    changed_by: str


class ZoneChange(SQLModel, table=True):
    """When a workspace's months began to follow another time zone: always where a month began (B6)."""

    __tablename__ = "zone_change"

    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id")
    at: datetime = instant(primary_key=True)
    old: str
    new: str


class BillingAccount(SQLModel, table=True):
    """One a workspace: the number of its newest invoice, and whom invoices are mailed to. Whoever changes
    what is owed holds this row."""

    __tablename__ = "billing_account"

    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id")
    last_number: int = 0
    email: str | None = None


class BillingThreshold(SQLModel, table=True):
    """A share of the included conversations or of the budget that a period has reached (B11)."""

    __tablename__ = "billing_threshold"

    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id")
    period: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    percent: int = Field(primary_key=True)
    reached_at: datetime = instant()


class Invoice(SQLModel, table=True):
    """What one workspace owes for one month (B10). Once it is finalised a trigger refuses every change but
    its voiding and the note that it was mailed.

    ``inputs``: what it was computed from, for each month it speaks of; with the entries they make ``hash``.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("workspace_id", "number"),
        Index(
            "ix_invoice_period",
            "workspace_id",
            "period",
            unique=True,
            sqlite_where=STANDING,
            postgresql_where=STANDING,
        ),
        Index("ix_invoice_workspace", "workspace_id", "period", "id"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    number: int | None = None
    state: InvoiceState = enumerated(InvoiceState)
    period: str
    start_at: datetime = instant()
    end_at: datetime = instant()
    timezone: str
    plan: PlanName = enumerated(PlanName)
    conversations: int
    included: int
    billable: int
    amount_micros: int = Field(sa_column=Column(BigInteger, nullable=False))
    lines: list[dict[str, Any]] = document()
    inputs: list[dict[str, Any]] = document()
    hash: str | None = None
    replaces_id: str | None = Field(default=None, foreign_key="invoice.id", unique=True)
    parked_reason: str | None = None
    drafted_at: datetime = instant()
    finalised_at: datetime | None = instant(nullable=True)
    finalised_by: str | None = None
    voided_at: datetime | None = instant(nullable=True)
    voided_by: str | None = None
    void_reason: str | None = None
    mailed_at: datetime | None = instant(nullable=True)


class InvoiceEntry(SQLModel, table=True):
    """One conversation on one invoice: charged (+1), or taken back (-1), and when it opened. Written as the
    invoice is finalised, never changed."""

    __tablename__ = "invoice_entry"

    invoice_id: str = Field(primary_key=True, foreign_key="invoice.id")
    conversation_id: str = Field(primary_key=True, index=True)
    delta: int
    opened_at: datetime = instant()


class MetaRate(SQLModel, table=True):
    """What Meta charges for one message, as the workspace's owner entered it (B12). ``market`` is a country
    by its two letters, or ``*`` for all others. It holds from ``valid_from`` (a date) until the next one."""

    __tablename__ = "meta_rate"

    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id")
    category: str = Field(primary_key=True)
    market: str = Field(primary_key=True)
    valid_from: str = Field(primary_key=True)
    amount_micros: int = Field(sa_column=Column(BigInteger, nullable=False))
    entered_at: datetime = instant()
    entered_by: str


class MetaCost(SQLModel, table=True):
    """What Meta itself says it charged one account on one day for one kind of message (B12): copied, for Meta
    forgets it after a year. ``start_at``: when that day begins for the account; ``kind``: its pricing type.
    ``cost_micros`` are millionths of ``currency``; None: Meta named no cost, or no currency.
    """

    __tablename__ = "meta_cost"
    __table_args__ = (Index("ix_meta_cost_workspace", "workspace_id", "start_at"),)

    waba_id: str = Field(primary_key=True, foreign_key="waba.id")
    start_at: datetime = instant(primary_key=True)
    category: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    messages: int = Field(sa_column=Column(BigInteger, nullable=False))
    cost_micros: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    currency: str | None = None
