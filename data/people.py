"""Workspaces, the people in them, their sessions and keys."""

from datetime import datetime

from sqlmodel import Field, SQLModel, UniqueConstraint

from data.columns import enumerated, instant
from data.enums import MemberStatus, PlanName, Role


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


class User(SQLModel, table=True):
    """A person, known by e-mail address, whatever workspaces they belong to."""

    __tablename__ = "user_account"

    id: str = Field(primary_key=True)
    email: str = Field(unique=True)
    name: str
    password_hash: str
    is_platform_admin: bool = False
    is_platform_support: bool = False
    created_at: datetime = instant()


class Member(SQLModel, table=True):
    """A person's place in one workspace."""

    __tablename__ = "member"
    __table_args__ = (UniqueConstraint("workspace_id", "user_id"),)

    id: str = Field(primary_key=True)
    workspace_id: str = Field(foreign_key="workspace.id", index=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    role: Role = enumerated(Role)
    status: MemberStatus = enumerated(MemberStatus)
    joined_at: datetime = instant()
    last_seen_at: datetime | None = instant(nullable=True)


class BrowserSession(SQLModel, table=True):
    """One signed-in browser. Only the SHA-256 of its cookie is here."""

    __tablename__ = "browser_session"

    token_hash: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    workspace_id: str = Field(foreign_key="workspace.id")
    created_at: datetime = instant()
    last_seen_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    address: str
    agent: str


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
