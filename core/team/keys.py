"""Keys for the REST API (P7)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, select, update
from sqlmodel.sql.expression import SelectOfScalar

from core import access
from core.errors import Impossible
from core.runtime import Runtime
from core.team.names import NAME_MAX, hash_key, new_secret
from core.team.rules import too_high
from core.unit import Identity, Unit
from data.enums import Role
from data.people import ApiKey, User, Workspace

KEY_PREFIX = "wp_"
LONGEST = timedelta(days=3660)
_CLERK = Identity(process="keys")


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key, never its secret. ``made_by`` is None for one made by command. ``state``: ``active``,
    ``expired`` or ``revoked``."""

    id: str
    name: str
    role: Role
    state: str
    made_by: str | None
    is_own: bool
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    can_revoke: bool


@dataclass(frozen=True, slots=True)
class KeyPage:
    items: list[KeyRow]
    next_cursor: str | None


def make_key(unit: Unit, *, role: Role, name: str, expires_at: datetime | None = None) -> tuple[KeyRow, str]:
    """A new key of this workspace with a role no higher than its maker's, and its secret: shown once."""
    unit.require("keys.manage")
    unit.require_fresh()
    if access.RANK[role] > unit.actor.rank:
        raise too_high(role, by=unit.actor, permission="keys.manage")
    if expires_at is not None and not unit.now < expires_at <= unit.now + LONGEST:
        raise Impossible("The expiry must lie in the future, within ten years.", code="key_expiry")
    key, secret = create_api_key(
        unit, workspace=unit.workspace(), role=role, name=name, expires_at=expires_at
    )
    return _rows(unit, [key])[0], secret


def create_api_key(
    unit: Unit,
    *,
    workspace: Workspace | None,
    role: Role | None,
    name: str,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """The new key's row and its secret, for whoever may do anything. Without a workspace it is a platform
    key."""
    if not name.strip() or len(name) > NAME_MAX:
        raise Impossible(f"A key needs a name of 1 to {NAME_MAX} characters.", code="key_name")
    secret = KEY_PREFIX + new_secret()
    key = ApiKey(
        id=unit.new_id("key"),
        workspace_id=workspace.id if workspace else None,
        name=name.strip(),
        role=role,
        key_hash=hash_key(secret),
        created_by=_maker(unit),
        created_at=unit.now,
        expires_at=expires_at,
    )
    unit.session.add(key)
    made = {"name": key.name, "role": role.value if role else "platform"}
    ends = {"expires_at": expires_at.isoformat()} if expires_at else {}
    unit.record("api_key.created", f"api_key:{key.id}", after=made | ends, workspace_id=key.workspace_id)
    return key, secret


def expiry_in(unit: Unit, *, days: int) -> datetime | None:
    """When a key ends that lives so many days from now on; 0 is for ever."""
    return unit.now + timedelta(days=days) if days else None


def revoke_key(unit: Unit, key_id: str) -> None:
    """The key opens nothing from now on. One's own with ``keys.manage``, anyone's with ``keys.manage_all``;
    again changes nothing."""
    unit.require("keys.manage")
    unit.require_fresh()
    key = unit.session.exec(_visible(unit).where(col(ApiKey.id) == key_id).with_for_update()).first()
    if key is None:
        unit.find(ApiKey, key_id, called="key")
        unit.require("keys.manage_all")
        return
    if key.revoked_at is None:
        key.revoked_at = unit.now
        unit.session.add(key)
        unit.record("api_key.revoked", f"api_key:{key.id}", before={"name": key.name, "role": key.role})


def list_keys(unit: Unit, *, cursor: str | None = None, limit: int = 50) -> KeyPage:
    """Newest first: one's own, or all with ``keys.manage_all``; revoked and expired ones too."""
    unit.require("keys.manage")
    statement = narrow(unit).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(col(ApiKey.id) < cursor)
    keys = list(unit.session.exec(statement))
    shown = keys[:limit]
    return KeyPage(_rows(unit, shown), shown[-1].id if len(keys) > limit else None)


def narrow(unit: Unit) -> SelectOfScalar[ApiKey]:
    return _visible(unit).order_by(col(ApiKey.id).desc())


def note_uses(runtime: Runtime, key_hashes: set[str]) -> None:
    """Those keys were used in the last minute. Many at once, away from any request."""
    if key_hashes:
        with runtime.unit(_CLERK, write=True) as unit:
            used = col(ApiKey.key_hash).in_(key_hashes)
            unit.session.exec(update(ApiKey).where(used).values(last_used_at=unit.now))


def _visible(unit: Unit) -> SelectOfScalar[ApiKey]:
    keys = unit.scoped(ApiKey)
    if unit.actor.can("keys.manage_all"):
        return keys
    maker = _maker(unit)
    if maker is not None:
        return keys.where(col(ApiKey.created_by) == maker)
    # A key that was made by command looks after those of its kind, and of none above it.
    within = [role for role in Role if access.RANK[role] <= unit.actor.rank]
    return keys.where(col(ApiKey.created_by).is_(None), col(ApiKey.role).in_(within))


def _maker(unit: Unit) -> str | None:
    """The person behind the actor; behind a key, whoever made it. None for what was made by command."""
    if unit.identity.key_hash is None:
        return unit.actor.user_id
    mine = select(ApiKey.created_by).where(col(ApiKey.key_hash) == unit.identity.key_hash)
    return unit.session.exec(mine).first()


def _rows(unit: Unit, keys: list[ApiKey]) -> list[KeyRow]:
    makers = select(User.id, User.name).where(col(User.id).in_({key.created_by for key in keys}))
    names = dict(unit.session.exec(makers).all())
    maker = _maker(unit)
    rows = []
    for key in keys:
        is_over = key.expires_at is not None and key.expires_at <= unit.now
        state = "revoked" if key.revoked_at else "expired" if is_over else "active"
        rows.append(
            KeyRow(
                id=key.id,
                name=key.name,
                role=key.role or Role.VIEWER,
                state=state,
                made_by=names.get(key.created_by or ""),
                is_own=key.created_by is not None and key.created_by == maker,
                created_at=key.created_at,
                expires_at=key.expires_at,
                last_used_at=key.last_used_at,
                can_revoke=state == "active",
            )
        )
    return rows
