"""Messages, their attempts and statuses, dead letters, and whom they go to."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, text
from sqlmodel import Field, SQLModel, UniqueConstraint

from data.columns import Instant, document, enumerated, instant
from data.enums import (
    Direction,
    LetterState,
    MessageKind,
    MessageState,
    Outcome,
    SuppressionKind,
    WaitingFor,
)

DUE = text("state IN ('queued', 'retry_queued')")
LEASED = text("state IN ('claimed', 'sending')")
PARKED = text("waiting_for = 'template'")
TEMPLATE_FAILED = text("template_name IS NOT NULL AND state IN ('failed', 'dead')")
REDRIVEN = text("redrive_id IS NOT NULL")
CLOSED = text("closed_at IS NOT NULL")
IN_BULK = text("bulk_id IS NOT NULL")
LISTED = text("merged_into IS NULL AND erased_at IS NULL")


class Contact(SQLModel, table=True):
    """Someone a workspace writes with. Meta may send no phone number, so the number is not the key (B5).

    One that was merged into another stays as an alias: whoever comes by its ids is led to the survivor. An
    erased one stays for the counts, without ids and name, with a ``digest`` of what it was known by.
    ``named_at`` is Meta's time of the message that brought the name: an older one never changes it.
    """

    __tablename__ = "contact"
    __table_args__ = (
        UniqueConstraint("workspace_id", "wa_id"),
        UniqueConstraint("workspace_id", "business_user_id"),
        Index(
            "ix_contact_activity",
            "workspace_id",
            "last_activity_at",
            "id",
            sqlite_where=LISTED,
            postgresql_where=LISTED,
        ),
        Index(
            "ix_contact_merged",
            "merged_into",
            sqlite_where=text("merged_into IS NOT NULL"),
            postgresql_where=text("merged_into IS NOT NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    wa_id: str | None = None
    business_user_id: str | None = None
    name: str | None = None
    named_at: datetime | None = instant(nullable=True)
    created_at: datetime = instant()
    last_activity_at: datetime = Field(
        sa_column=Column(Instant, nullable=False, server_default=text("0"))  # of the newest message
    )
    merged_into: str | None = Field(default=None, foreign_key="contact.id")
    erased_at: datetime | None = instant(nullable=True)
    digest: str | None = None


class ServiceWindow(SQLModel, table=True):
    """Meta's sliding 24 hours for one phone and contact: counted from the customer's last message."""

    __tablename__ = "service_window"

    phone_number_id: str = Field(primary_key=True, foreign_key="phone.id")
    contact_id: str = Field(primary_key=True, foreign_key="contact.id", index=True)
    last_inbound_at: datetime = instant()


class Suppression(SQLModel, table=True):
    """Messages of a kind that a contact must not be sent, and why. Lifted by a person, or by the contact's
    own word to Meta. ``message_id`` is the send that told us, if one did."""

    __tablename__ = "suppression"
    __table_args__ = (
        Index(
            "ix_suppression_active",
            "contact_id",
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
        Index(
            "ix_suppression_opted_out",
            "workspace_id",
            "contact_id",
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
        Index("ix_suppression_contact", "contact_id", "id"),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    contact_id: str = Field(foreign_key="contact.id")
    kind: SuppressionKind = enumerated(SuppressionKind)
    error_code: str
    message_id: str | None = None
    created_at: datetime = instant()
    lifted_at: datetime | None = instant(nullable=True)
    lifted_by: str | None = None
    lift_reason: str | None = None


class Message(SQLModel, table=True):
    """One logical send, or one inbound message.

    ``payload`` has the shape of a send through the API: ``{to, template}`` or ``{to, text}``.
    ``attempt`` is the number of the newest attempt (0: none yet), ``rung`` how many rungs of the ladder
    this round has used up, ``leases_lost`` how many leases ran out on the wire in this round.
    ``meta_type`` is Meta's word for what a customer sent: text, image, reaction, system …
    ``redrive_id``: the bulk redrive that put it into the queue for this round.
    """

    __tablename__ = "message"
    __table_args__ = (
        # What waits is counted from this index alone, without reading the messages.
        Index(
            "ix_message_due",
            *("phone_number_id", "due_at", "id", "waiting_for", "state"),
            sqlite_where=DUE,
            postgresql_where=DUE,
        ),
        Index("ix_message_leased", "lease_until", sqlite_where=LEASED, postgresql_where=LEASED),
        Index("ix_message_workspace", "workspace_id", "id"),
        Index("ix_message_state", "workspace_id", "state", "id"),
        Index("ix_message_phone", "workspace_id", "phone_number_id", "id"),
        Index("ix_message_recipient", "workspace_id", "recipient", "id"),
        # Language and phone are there to count by, without reading the messages.
        Index(
            "ix_message_template",
            *("workspace_id", "template_name", "id", "template_language", "phone_number_id"),
        ),
        Index(
            "ix_message_template_failed",
            *(
                "workspace_id",
                "template_name",
                "id",
                "template_language",
                "phone_number_id",
                "error_code",
                "state",
            ),
            sqlite_where=TEMPLATE_FAILED,
            postgresql_where=TEMPLATE_FAILED,
        ),
        Index(
            "ix_message_error",
            "workspace_id",
            "error_code",
            "id",
            sqlite_where=text("error_code IS NOT NULL"),
            postgresql_where=text("error_code IS NOT NULL"),
        ),
        Index("ix_message_contact", "contact_id", "id"),
        Index(
            "ix_message_parked",
            *("template_name", "template_language", "phone_number_id", "id"),
            sqlite_where=PARKED,
            postgresql_where=PARKED,
        ),
        Index("ix_message_wamid", "wamid"),
        Index("ix_message_sent", "workspace_id", "sent_at"),
        Index(
            "ix_message_redrive",
            "redrive_id",
            "state",
            "waiting_for",
            sqlite_where=REDRIVEN,
            postgresql_where=REDRIVEN,
        ),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    phone_number_id: str = Field(foreign_key="phone.id")
    contact_id: str = Field(foreign_key="contact.id")
    direction: Direction = enumerated(Direction)
    kind: MessageKind = enumerated(MessageKind)
    meta_type: str | None = None
    recipient: str
    payload: dict[str, Any] = document()
    template_name: str | None = None
    template_language: str | None = None
    state: MessageState = enumerated(MessageState)
    waiting_for: WaitingFor | None = enumerated(WaitingFor, nullable=True)
    due_at: datetime | None = instant(nullable=True)
    expires_at: datetime | None = instant(nullable=True)
    attempt: int = 0
    round: int = 1
    rung: int = 0
    rate_waits: int = 0
    leases_lost: int = 0
    lease_until: datetime | None = instant(nullable=True)
    lease_holder: str | None = None
    may_duplicate: bool = False
    wamid: str | None = None
    error_code: str | None = None
    error_detail: str | None = None
    created_at: datetime = instant()
    sent_at: datetime | None = instant(nullable=True)
    delivered_at: datetime | None = instant(nullable=True)
    read_at: datetime | None = instant(nullable=True)
    sent_by: str | None = None
    redrive_id: str | None = None


class PairLimit(SQLModel, table=True):
    """Meta's limit for one phone and contact. Nothing of the pair goes before ``until``, which its
    ``refusals``-th complaint set; ``owed_until`` is when what was sent so far is paid for."""

    __tablename__ = "pair_limit"
    __table_args__ = (Index("ix_pair_limit_until", "phone_number_id", "until"),)

    phone_number_id: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    refusals: int = 0
    until: datetime | None = instant(nullable=True)
    owed_until: datetime | None = instant(nullable=True)


class Attempt(SQLModel, table=True):
    """One try at a send. ``started_at`` is when it was marked as sending: without it nothing left us."""

    __tablename__ = "attempt"
    __table_args__ = (
        Index(
            "ix_attempt_wamid",
            "wamid",
            sqlite_where=text("wamid IS NOT NULL"),
            postgresql_where=text("wamid IS NOT NULL"),
        ),
    )

    message_id: str = Field(primary_key=True, foreign_key="message.id")
    number: int = Field(primary_key=True)
    round: int
    may_duplicate: bool = False
    claimed_at: datetime = instant()
    started_at: datetime | None = instant(nullable=True)
    finished_at: datetime | None = instant(nullable=True)
    outcome: Outcome | None = enumerated(Outcome, nullable=True)
    error_code: str | None = None
    error_detail: str | None = None
    http_status: int | None = None
    trace_id: str | None = None
    wamid: str | None = None


class MessageStatus(SQLModel, table=True):
    """One status that Meta reported for one wamid: its time at Meta, and when it reached us; what Meta says
    about its price, as it came."""

    __tablename__ = "message_status"

    wamid: str = Field(primary_key=True)
    status: str = Field(primary_key=True)
    at: datetime = instant(primary_key=True)
    message_id: str = Field(foreign_key="message.id", index=True)
    received_at: datetime = instant()
    error_code: str | None = None
    error_detail: str | None = None
    pricing: dict[str, Any] | None = document(nullable=True)
    conversation: dict[str, Any] | None = document(nullable=True)


class DeadLetter(SQLModel, table=True):
    """A message out of attempts: one a message and round. Facts that filters need are copied here.

    ``closed_reason``: why it is not open any more, in the words of whoever closed it. ``bulk_id``: the bulk
    work that did so.
    """

    __tablename__ = "dead_letter"
    __table_args__ = (
        UniqueConstraint("message_id", "round"),
        Index("ix_dead_letter_state", "workspace_id", "state", "dead_at", "id"),
        Index("ix_dead_letter_code", "workspace_id", "state", "error_code", "dead_at", "id"),
        Index("ix_dead_letter_fingerprint", "workspace_id", "state", "fingerprint", "dead_at", "id"),
        Index("ix_dead_letter_phone", "workspace_id", "state", "phone_number_id", "dead_at", "id"),
        Index("ix_dead_letter_template", "workspace_id", "state", "template_name", "dead_at", "id"),
        Index("ix_dead_letter_recipient", "workspace_id", "state", "recipient", "dead_at", "id"),
        Index("ix_dead_letter_attempts", "workspace_id", "state", "attempts", "dead_at", "id"),
        Index("ix_dead_letter_assignee", "workspace_id", "state", "assignee_id", "dead_at", "id"),
        Index(
            "ix_dead_letter_bulk", "bulk_id", "dead_at", "id", sqlite_where=IN_BULK, postgresql_where=IN_BULK
        ),
        Index("ix_dead_letter_closed", "closed_at", sqlite_where=CLOSED, postgresql_where=CLOSED),
    )

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    message_id: str = Field(foreign_key="message.id")
    round: int
    state: LetterState = enumerated(LetterState)
    error_code: str
    error_detail: str
    fingerprint: str
    recipient: str
    phone_number_id: str
    template_name: str | None = None
    attempts: int
    may_duplicate: bool
    dead_at: datetime = instant()
    closed_at: datetime | None = instant(nullable=True)
    closed_reason: str | None = None
    bulk_id: str | None = None
    assignee_id: str | None = Field(default=None, foreign_key="user_account.id")


class LetterAction(SQLModel, table=True):
    """What someone did to a dead letter, alone or as part of bulk work. An edit keeps the payload as it
    was."""

    __tablename__ = "letter_action"

    id: str = Field(primary_key=True)
    letter_id: str = Field(foreign_key="dead_letter.id", index=True)
    at: datetime = instant()
    actor: str
    verb: str
    text: str | None = None
    payload_before: dict[str, Any] | None = document(nullable=True)
    bulk_id: str | None = None


class IdempotencyKey(SQLModel, table=True):
    """The first answer to a send that carried a key (Q12), kept 24 hours."""

    __tablename__ = "idempotency_key"

    workspace_id: str = Field(primary_key=True, foreign_key="workspace.id")
    key: str = Field(primary_key=True)
    body_hash: str
    message_id: str = Field(foreign_key="message.id")
    created_at: datetime = instant(index=True)
    answer: dict[str, Any] | None = document(nullable=True)
