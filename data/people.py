"""Workspaces, the people in them, their sessions and keys."""

from datetime import datetime

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel, UniqueConstraint

from data.columns import enumerated, flag, instant, sealed
from data.enums import BudgetMode, MemberStatus, PlanName, Role


class Workspace(SQLModel, table=True):
    """The tenant: owns members, phones, templates and messages."""

    __tablename__ = "workspace"

    id: str = Field(primary_key=True)
    slug: str = Field(unique=True)
    name: str
    timezone: str
    plan: PlanName = enumerated(PlanName)
    is_demo: bool = False
    created_at: datetime = instant()
    # A new zone counts from the next billing period on (B6).
    pending_timezone: str | None = None
    pending_timezone_from: datetime | None = instant(nullable=True)
    monthly_budget_micros: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    budget_mode: BudgetMode | None = enumerated(BudgetMode, nullable=True)
    require_second_factor: bool = flag()


class User(SQLModel, table=True):
    """A person, known by e-mail address, whatever workspaces they belong to. One who was invited and has not
    accepted yet has an empty ``password_hash``, which no password fits."""

    __tablename__ = "user_account"

    id: str = Field(primary_key=True)
    email: str = Field(unique=True)
    name: str
    password_hash: str
    is_platform_admin: bool = False
    is_platform_support: bool = False
    created_at: datetime = instant()


class Member(SQLModel, table=True):
    """A person's place in one workspace, from the invitation on. ``joined_at`` is empty until they accept;
    ``invited_until`` is when the newest invitation expires."""

    __tablename__ = "member"
    __table_args__ = (UniqueConstraint("workspace_id", "user_id"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    role: Role = enumerated(Role)
    status: MemberStatus = enumerated(MemberStatus)
    invited_at: datetime | None = instant(nullable=True)
    invited_until: datetime | None = instant(nullable=True)
    joined_at: datetime | None = instant(nullable=True)
    last_seen_at: datetime | None = instant(nullable=True)


class Invitation(SQLModel, table=True):
    """An offer of a place (P4), bound to address and role. Only the SHA-256 of its token is here; resending
    revokes it and makes another."""

    __tablename__ = "invitation"

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    member_id: str = Field(foreign_key="member.id", index=True)
    email: str
    role: Role = enumerated(Role)
    token_hash: str = Field(unique=True)
    invited_by: str
    created_at: datetime = instant()
    expires_at: datetime = instant()
    accepted_at: datetime | None = instant(nullable=True)
    revoked_at: datetime | None = instant(nullable=True)


class BrowserSession(SQLModel, table=True):
    """One signed-in browser. Only the SHA-256 of its cookie is here.

    ``is_pending``: the password was right, the second factor is still asked for; good for nothing else.
    ``second_factor_at``: when a code was given. ``confirmed_at``: when its person last proved who they are.
    ``support_workspace_id``: a platform person looks into that workspace, and said why. ``view_as``: shows
    what that lesser role sees.
    """

    __tablename__ = "browser_session"

    token_hash: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    created_at: datetime = instant()
    last_seen_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    address: str
    agent: str
    is_pending: bool = flag()
    second_factor_at: datetime | None = instant(nullable=True)
    confirmed_at: datetime | None = instant(nullable=True)
    support_workspace_id: str | None = Field(default=None, foreign_key="workspace.id")
    support_reason: str | None = None
    view_as: Role | None = enumerated(Role, nullable=True)


class SecondFactor(SQLModel, table=True):
    """A person's authenticator app (TOTP). It counts once a first code was right. ``last_step`` is the time
    step of the newest code taken: no code is taken twice."""

    __tablename__ = "second_factor"

    user_id: str = Field(primary_key=True, foreign_key="user_account.id")
    sealed: bytes = sealed()
    created_at: datetime = instant()
    confirmed_at: datetime | None = instant(nullable=True)
    last_step: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))


class RecoveryCode(SQLModel, table=True):
    """Stands in for the authenticator once. Only its SHA-256 is here."""

    __tablename__ = "recovery_code"

    code_hash: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    used_at: datetime | None = instant(nullable=True)


class PasswordReset(SQLModel, table=True):
    """A link that lets its person choose a new password once. Only the SHA-256 of its token is here."""

    __tablename__ = "password_reset"

    token_hash: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    created_at: datetime = instant()
    expires_at: datetime = instant()
    used_at: datetime | None = instant(nullable=True)


class SignInFailure(SQLModel, table=True):
    """One wrong password. What the throttle counts; the address tried is kept as a hash only."""

    __tablename__ = "sign_in_failure"

    id: str = Field(primary_key=True)
    email_hash: str = Field(index=True)
    address: str = Field(index=True)
    at: datetime = instant(index=True)


class ApiKey(SQLModel, table=True):
    """A key for the REST API. Only its SHA-256 is here. Without a workspace it is a platform key."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    workspace_id: str | None = Field(default=None, foreign_key="workspace.id", index=True)
    name: str
    role: Role | None = enumerated(Role, nullable=True)
    key_hash: str = Field(unique=True)
    created_by: str | None = Field(default=None, foreign_key="user_account.id")
    created_at: datetime = instant()
    expires_at: datetime | None = instant(nullable=True)
    last_used_at: datetime | None = instant(nullable=True)
    revoked_at: datetime | None = instant(nullable=True)
