"""What a workspace sends from: accounts, phones, their lanes, tokens, templates, holds, plans."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, LargeBinary, SQLModel, UniqueConstraint

from data.columns import document, enumerated, flag, instant, sealed
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
    """A WhatsApp Business Account, by Meta's id. It belongs to one workspace.

    ``restriction``: Meta's word for what it may not do; None when nothing. ``described`` is Meta's last
    description of it, whole. ``sync_due_at`` None: it is not read by itself; ``templates_due_at`` the same
    for its templates, ``costs_due_at`` for what Meta charges.
    """

    __tablename__ = "waba"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    name: str
    connected_at: datetime = instant()
    templates_synced_at: datetime | None = instant(nullable=True)
    templates_due_at: datetime | None = instant(nullable=True, index=True)
    templates_error: str | None = None
    business_id: str | None = None
    status: str | None = None
    review_status: str | None = None
    verification: str | None = None
    restriction: str | None = None
    restricted_until: datetime | None = instant(nullable=True)
    described: dict[str, Any] | None = document(nullable=True)
    synced_at: datetime | None = instant(nullable=True)
    sync_due_at: datetime | None = instant(nullable=True, index=True)
    sync_error: str | None = None
    costs_read_at: datetime | None = instant(nullable=True)
    costs_due_at: datetime | None = instant(nullable=True, index=True)
    costs_error: str | None = None


class AccessToken(SQLModel, table=True):
    """The token that one account's phones send with, sealed by the vault (K3). One a WABA.

    ``expires_at`` None: never, once ``inspected_at`` says that Meta was asked. ``refused_at``: since when
    Meta takes it no more, so that a person must replace it. ``let_go``: how many messages its last renewal
    set free.

    The rest is the work that keeps it alive (K1, K2). ``due_at``: when its next step is due, or, while one is
    under way, when another process may take it up. ``turn`` counts who has had it: whoever was overtaken
    writes nothing. ``wants_new``: it is to be exchanged however long it lives. ``new_sealed`` was exchanged
    for it and is not proven yet. ``attempts`` have failed since the last success. ``told_days``: how near to
    its end it was when people were told last.
    """

    __tablename__ = "access_token"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    waba_id: str = Field(foreign_key="waba.id", unique=True)
    new_sealed: bytes | None = sealed(nullable=True)
    sealed: bytes = sealed()
    expires_at: datetime | None = instant(nullable=True)
    replaced_at: datetime = instant()
    kind: str | None = None
    scopes: list[str] | None = document(nullable=True)
    inspected_at: datetime | None = instant(nullable=True)
    refreshed_at: datetime | None = instant(nullable=True)
    refused_at: datetime | None = instant(nullable=True)
    let_go: int | None = None
    due_at: datetime | None = instant(nullable=True, index=True)
    taken_at: datetime | None = instant(nullable=True)
    turn: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    wants_new: bool = flag()
    new_expires_at: datetime | None = instant(nullable=True)
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    last_error: str | None = None
    needs_attention: bool = flag()
    told_days: int | None = None


class Phone(SQLModel, table=True):
    """A sending number, by Meta's phone number id, as Meta last described it (``described``, whole).
    ``own_limit``: what Meta lets it carry a second, where that is not its level's."""

    __tablename__ = "phone"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    waba_id: str = Field(foreign_key="waba.id", index=True)
    display_number: str
    verified_name: str
    quality: str
    throughput_level: str
    own_limit: int | None = None
    messaging_tier: str | None = None
    name_status: str | None = None
    new_name_status: str | None = None
    status: str
    described: dict[str, Any] | None = document(nullable=True)
    synced_at: datetime = instant()


class Lane(SQLModel, table=True):
    """The queue of one phone. ``slots`` are the moments of its newest sends, packed as in core's lanes."""

    __tablename__ = "lane"

    phone_number_id: str = Field(primary_key=True, foreign_key="phone.id")
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    slots: bytes = Field(default=b"", sa_type=LargeBinary)


class Hold(SQLModel, table=True):
    """A stop with a reason. What it names waits, and uses up no rung, until it is released.

    ``until``: when it ends by itself; ``probe_at``: when somebody looks next whether its cause has passed,
    for the ``probes``-th time and one.
    """

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
    until: datetime | None = instant(nullable=True)
    probe_at: datetime | None = instant(nullable=True)
    probes: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    released_at: datetime | None = instant(nullable=True)
    released_by: str | None = None


class FailureRun(SQLModel, table=True):
    """What failed in passing, one after the other, since Meta last answered: of one lane, or of all (subject
    ``*``). ``message_ids`` in that order, a message as often as it failed; ``held`` once they are ten."""

    __tablename__ = "failure_run"

    subject: str = Field(primary_key=True)
    message_ids: list[str] = document()
    held: bool = False


class Template(SQLModel, table=True):
    """A pre-approved message form, as Meta last described it; it was asked at ``synced_at``.

    ``category`` is the one that Meta gave, ``asked_category`` the one that was asked for, where that is
    known. ``planned_category``: the one that Meta gives it from ``planned_at`` on.
    """

    __tablename__ = "template"
    __table_args__ = (
        UniqueConstraint("waba_id", "name", "language"),
        Index("ix_template_named", "workspace_id", "name", "language", "id"),
    )

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
    meta_id: str | None = None
    asked_category: str | None = None
    planned_category: str | None = None
    planned_at: datetime | None = instant(nullable=True)
    quality: str | None = None
    rejected_reason: str | None = None
