"""A unit is one operation: one transaction, one actor, one commit at its edge."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import bindparam
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from core import access, audit
from core.errors import ConfirmRequired, Forbidden, NotFound, NotSignedIn
from core.ids import new_id
from core.ports.bell import Due
from core.ports.vault import Vault
from core.settings import Settings
from data.enums import MemberStatus, Role
from data.people import ApiKey, BrowserSession, Member, User, Workspace

# How long a password or code that was given counts for what is dangerous.
FRESH_FOR = timedelta(minutes=10)

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
    """What the database says, at this moment, that an identity may do (P2).

    ``is_support``: a person of the platform looks into this workspace. ``view_as``: the lesser role whose
    view the person has chosen; nothing can be changed meanwhile. ``confirmed_at``: when a browser's person
    last gave their password or a code.
    """

    id: str
    name: str
    workspace_id: str | None
    role: Role | None = None
    user_id: str | None = None
    permissions: frozenset[str] = frozenset()
    is_process: bool = False
    is_support: bool = False
    view_as: Role | None = None
    confirmed_at: datetime | None = field(default=None, compare=False)

    @property
    def acting_role(self) -> Role | None:
        """The role that counts now: the lesser one that is viewed as, else one's own."""
        return self.view_as or self.role

    @property
    def rank(self) -> int:
        """Where the actor stands on the ladder now (P1); our own processes stand with owners."""
        role = Role.OWNER if self.is_process else self.acting_role
        return access.RANK[role] if role else 0

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
    rings: set[Due] = field(default_factory=set)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    is_write: bool = False

    def require(self, permission: str) -> None:
        """Refuses with NotSignedIn or Forbidden unless the actor may."""
        if not access.is_known(permission):
            raise LookupError(f"no such permission: {permission}")
        if self.actor is NOBODY:
            raise NotSignedIn("Sign in, or send a valid API key as 'Authorization: Bearer wp_…'.")
        if not self.actor.can(permission):
            raise Forbidden(access.denial(permission, role=self.actor.acting_role), permission=permission)
        if self.is_write and self.actor.view_as is not None:
            raise Forbidden(
                f"You see the console as {self.actor.view_as.value} does, and nothing can be changed. "
                "Go back to your own role first.",
                permission=permission,
            )

    def require_fresh(self) -> None:
        """For what is dangerous: ConfirmRequired unless this browser's person gave their password or a code
        within the last ten minutes. Keys and our own processes pass."""
        if self.identity.session_hash is None:
            return
        confirmed_at = self.actor.confirmed_at
        if confirmed_at is None or self.now - confirmed_at > FRESH_FOR:
            raise ConfirmRequired("Give your password, or a code of your authenticator, to go on.")

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

    def lock_workspace(self) -> Workspace:
        """The workspace's row, held until the end of this transaction, and the actor as they are from then
        on: whoever changes who may do what takes turns here."""
        mine = select(Workspace).where(col(Workspace.id) == self.workspace_id)
        # Not the strongest lock: rows that refer to the workspace may be added meanwhile.
        self.session.exec(mine.with_for_update(key_share=True)).one()
        self.session.expire_all()
        self.actor = load_actor(self.session, self.identity, now=self.now, settings=self.settings)
        return self.workspace()

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
        by: str | None = None,
    ) -> None:
        """One audit entry in this transaction. Secrets are never handed to it. ``by``: who it was, where that
        is only known now, as when somebody signs in."""
        audit.append(
            self.session,
            self.vault,
            at=self.now,
            workspace_id=workspace_id or self.actor.workspace_id,
            actor=by or self.actor.id,
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

    def ring(self, due: Due = Due.SENDS) -> None:
        """Wakes a worker once this unit is committed."""
        self.rings.add(due)

    def count(self, name: str, label: str, times: int = 1) -> None:
        """So many more of it, once this unit is committed; see ``core/counts.py``."""
        self.counted[name, label] += times


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
    entered = func.coalesce(col(BrowserSession.support_workspace_id), col(BrowserSession.workspace_id))
    statement = (
        select(BrowserSession, User, Workspace, Member)
        .join(User, col(User.id) == col(BrowserSession.user_id))
        .join(Workspace, col(Workspace.id) == entered)
        .outerjoin(
            Member, (col(Member.user_id) == col(User.id)) & (col(Member.workspace_id) == col(Workspace.id))
        )
        .where(col(BrowserSession.token_hash) == token_hash)
    )
    found = session.exec(statement).first()
    if found is None:
        return NOBODY
    browser, user, workspace, member = found
    lacks_code = workspace.require_second_factor and browser.second_factor_at is None
    if browser.is_pending or lacks_code or not is_live(browser, now=now, settings=settings):
        return NOBODY
    if browser.support_workspace_id is not None:
        return _support(user, browser, workspace)
    if member is None or member.status is not MemberStatus.ACTIVE:
        return NOBODY
    permissions = access.granted(member.role) | _platform(user)
    if browser.view_as is not None:
        permissions &= access.granted(browser.view_as)
    return Actor(
        id=user.id,
        name=user.name,
        workspace_id=workspace.id,
        role=member.role,
        user_id=user.id,
        permissions=permissions,
        view_as=browser.view_as,
        confirmed_at=browser.confirmed_at,
    )


def _support(user: User, browser: BrowserSession, workspace: Workspace) -> Actor:
    """A person of the platform inside a workspace: what its support role sees, masked (P8)."""
    if access.PLATFORM_SUPPORT not in _platform(user):
        return NOBODY
    return Actor(
        id=user.id,
        name=user.name,
        workspace_id=workspace.id,
        role=Role.SUPPORT,
        user_id=user.id,
        permissions=access.granted(Role.SUPPORT) | {access.PLATFORM_SUPPORT},
        is_support=True,
        confirmed_at=browser.confirmed_at,
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


# Made ready once, and without rows as objects: every call of the API asks.
_KEY = (
    select_columns(
        *(col(column) for column in (ApiKey.id, ApiKey.name, ApiKey.workspace_id, ApiKey.role)),
        *(col(column) for column in (ApiKey.revoked_at, ApiKey.expires_at, ApiKey.created_by)),
        col(Member.status).label("creator_status"),
        col(Member.role).label("creator_role"),
    )
    .outerjoin(
        Member,
        (col(Member.user_id) == col(ApiKey.created_by))
        & (col(Member.workspace_id) == col(ApiKey.workspace_id)),
    )
    .where(col(ApiKey.key_hash) == bindparam("key_hash"))
)


def _actor_of_key(session: Session, key_hash: str, *, now: datetime) -> Actor:
    key = session.connection().execute(_KEY, {"key_hash": key_hash}).first()
    if key is None:
        return NOBODY
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        return NOBODY
    role = key.role
    if key.workspace_id is None or role is None:
        permissions = frozenset(access.PLATFORM)
    else:
        permissions = access.granted(role)
    if key.created_by is not None:  # P7: never more than the creator's present role
        active = key.creator_status is MemberStatus.ACTIVE
        permissions &= access.granted(key.creator_role) if active else frozenset()
        if role is not None and active:
            role = min(role, key.creator_role, key=access.RANK.__getitem__)
    return Actor(id=key.id, name=key.name, workspace_id=key.workspace_id, role=role, permissions=permissions)


def _platform(user: User) -> frozenset[str]:
    if user.is_platform_admin:
        return frozenset(access.PLATFORM)
    return frozenset({access.PLATFORM_SUPPORT}) if user.is_platform_support else frozenset()
