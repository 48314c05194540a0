"""A unit is one operation: one transaction, one actor, one commit at its edge."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlmodel import Session, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from core import access, audit
from core.errors import Forbidden, NotFound, NotSignedIn
from core.ids import new_id
from core.ports.vault import Vault
from core.settings import Settings
from data.enums import MemberStatus, Role
from data.people import ApiKey, BrowserSession, Member, User, Workspace

Row = TypeVar("Row", bound=SQLModel)
Known = TypeVar("Known")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a cookie, a key or one of our own processes says it is. Exactly one of the first three is set."""

    session_hash: str | None = None
    key_hash: str | None = None
    process: str | None = None
    workspace_id: str | None = None
    address: str | None = None
    request_id: str | None = None


ANONYMOUS = Identity()


@dataclass(frozen=True, slots=True)
class Actor:
    """What the database says, at this moment, that an identity may do (P2)."""

    id: str
    name: str
    workspace_id: str | None
    role: Role | None = None
    user_id: str | None = None
    permissions: frozenset[str] = frozenset()
    is_process: bool = False

    def can(self, permission: str) -> bool:
        return self.is_process or permission in self.permissions


NOBODY = Actor(id="anonymous", name="Nobody", workspace_id=None)


@dataclass(slots=True)
class Unit:
    """What a command or query works with: the rows, the moment, the actor, and what to do after commit."""

    session: Session
    now: datetime
    settings: Settings
    vault: Vault
    identity: Identity
    actor: Actor
    throughput_lifted: bool = False
    rings: bool = False

    def require(self, permission: str) -> None:
        """Refuses with NotSignedIn or Forbidden unless the actor may."""
        if permission not in access.PERMISSIONS and permission != access.PLATFORM_ADMIN:
            raise LookupError(f"no such permission: {permission}")
        if self.actor is NOBODY:
            raise NotSignedIn("Sign in, or send a valid API key as 'Authorization: Bearer wp_…'.")
        if not self.actor.can(permission):
            raise Forbidden.lacking(permission)

    @property
    def workspace_id(self) -> str:
        """The actor's workspace. Forbidden for those that have none, such as platform keys."""
        if self.actor.workspace_id is None:
            raise Forbidden(
                "This needs a key of a workspace; a platform key belongs to none.",
                permission="workspace.view",
            )
        return self.actor.workspace_id

    def workspace(self) -> Workspace:
        workspace = self.session.get(Workspace, self.workspace_id)
        if workspace is None:
            raise NotFound.of("workspace")
        return workspace

    def scoped(self, model: type[Row]) -> SelectOfScalar[Row]:
        """The one way to read a tenant's rows: only those of the actor's workspace."""
        column: Any = model.workspace_id  # type: ignore[attr-defined]
        return select(model).where(col(column) == self.workspace_id)

    def find(self, model: type[Row], row_id: str, *, called: str, lock: bool = False) -> Row:
        """The row of this workspace with that id. NotFound covers other workspaces' rows too (P5)."""
        statement = self.scoped(model).where(col(model.id) == row_id)  # type: ignore[attr-defined]
        row = self.session.exec(statement.with_for_update() if lock else statement).first()
        if row is None:
            raise NotFound.of(called)
        return row

    def new_id(self, prefix: str) -> str:
        return new_id(prefix, self.now)

    def record(
        self,
        action: str,
        target: str,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        workspace_id: str | None = None,
    ) -> None:
        """One audit entry in this transaction. Secrets are never handed to it."""
        audit.append(
            self.session,
            self.vault,
            at=self.now,
            workspace_id=workspace_id or self.actor.workspace_id,
            actor=self.actor.id,
            action=action,
            target=target,
            before=before,
            after=after,
            address=self.identity.address,
            request_id=self.identity.request_id,
        )

    def once(self, question: str, *about: object, ask: Callable[[], Known]) -> Known:
        """The answer to a question whose answer nothing in this transaction changes: asked once, however many
        sends share the transaction."""
        known = self.session.info
        if (question, about) not in known:
            known[question, about] = ask()
        answer: Known = known[question, about]
        return answer

    def ring(self) -> None:
        """Wakes a worker once this unit is committed."""
        self.rings = True


def load_actor(session: Session, identity: Identity, *, now: datetime, settings: Settings) -> Actor:
    """Asks the database, never a copy. An identity that is no longer good is NOBODY."""
    if identity.process is not None:
        return Actor(
            id=f"process:{identity.process}",
            name=identity.process,
            workspace_id=identity.workspace_id,
            is_process=True,
        )
    if identity.key_hash is not None:
        return _actor_of_key(session, identity.key_hash, now=now)
    if identity.session_hash is not None:
        return _actor_of_session(session, identity.session_hash, now=now, settings=settings)
    return NOBODY


def _actor_of_session(session: Session, token_hash: str, *, now: datetime, settings: Settings) -> Actor:
    statement = (
        select(BrowserSession, User, Member)
        .join(User, col(User.id) == col(BrowserSession.user_id))
        .join(
            Member,
            (col(Member.user_id) == col(User.id))
            & (col(Member.workspace_id) == col(BrowserSession.workspace_id)),
        )
        .where(col(BrowserSession.token_hash) == token_hash)
    )
    found = session.exec(statement).first()
    if found is None:
        return NOBODY
    browser, user, member = found
    if not is_live(browser, now=now, settings=settings) or member.status is not MemberStatus.ACTIVE:
        return NOBODY
    return Actor(
        id=user.id,
        name=user.name,
        workspace_id=member.workspace_id,
        role=member.role,
        user_id=user.id,
        permissions=access.granted(member.role) | _platform(user),
    )


def is_live(browser: BrowserSession, *, now: datetime, settings: Settings) -> bool:
    """Not ended, not idle too long, not older than a session may be."""
    idle_s = (now - browser.last_seen_at).total_seconds()
    age_s = (now - browser.created_at).total_seconds()
    return (
        browser.ended_at is None
        and idle_s < settings.waypost_session_idle
        and age_s < settings.waypost_session_max
    )


def _actor_of_key(session: Session, key_hash: str, *, now: datetime) -> Actor:
    statement = (
        select(ApiKey, Member)
        .outerjoin(
            Member,
            (col(Member.user_id) == col(ApiKey.created_by))
            & (col(Member.workspace_id) == col(ApiKey.workspace_id)),
        )
        .where(col(ApiKey.key_hash) == key_hash)
    )
    found = session.exec(statement).first()
    if found is None:
        return NOBODY
    key, creator = found
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        return NOBODY
    if key.workspace_id is None or key.role is None:
        permissions = frozenset({access.PLATFORM_ADMIN})
    else:
        permissions = access.granted(key.role)
    if key.created_by is not None:  # P7: never more than the creator's present role
        active = creator is not None and creator.status is MemberStatus.ACTIVE
        permissions &= access.granted(creator.role) if active else frozenset()
    return Actor(
        id=key.id, name=key.name, workspace_id=key.workspace_id, role=key.role, permissions=permissions
    )


def _platform(user: User) -> frozenset[str]:
    return frozenset({access.PLATFORM_ADMIN}) if user.is_platform_admin else frozenset()
