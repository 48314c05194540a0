"""The flags of workspaces: who was stopped, why, and who let them go on (T3)."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select

from core import access
from core.errors import Malformed
from core.unit import Unit
from data.abuse import AbuseFlag
from data.people import ApiKey, User, Workspace


@dataclass(frozen=True, slots=True)
class FlagRow:
    """``workspace`` is its slug. ``cleared_by``: a name, None while nobody has."""

    id: str
    workspace: str
    workspace_name: str
    reasons: tuple[str, ...]
    opened_at: datetime
    cleared_at: datetime | None
    cleared_by: str | None
    cleared_reason: str | None
    can_clear: bool


@dataclass(frozen=True, slots=True)
class FlagPage:
    items: list[FlagRow]
    next_cursor: str | None


def list_flags(
    unit: Unit,
    *,
    workspace_id: str | None = None,
    only_open: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> FlagPage:
    """Newest first: people of the platform see every workspace's, others their own."""
    if not unit.actor.can(access.PLATFORM_SUPPORT):
        unit.require("templates.view")
        workspace_id = unit.workspace_id
    if cursor is not None and not cursor.startswith("flg_"):
        raise Malformed.field("cursor", "must be the nextCursor of an earlier answer")
    statement = select(AbuseFlag, Workspace).join(Workspace, col(Workspace.id) == col(AbuseFlag.workspace_id))
    if workspace_id is not None:
        statement = statement.where(col(AbuseFlag.workspace_id) == workspace_id)
    if only_open:
        statement = statement.where(col(AbuseFlag.cleared_at).is_(None))
    if cursor is not None:
        statement = statement.where(col(AbuseFlag.id) < cursor)
    found = unit.session.exec(statement.order_by(col(AbuseFlag.id).desc()).limit(limit + 1)).all()
    names = _names(unit, [flag for flag, _ in found[:limit]])
    rows = [flag_row(unit, flag, workspace, names) for flag, workspace in found[:limit]]
    return FlagPage(rows, rows[-1].id if len(found) > limit else None)


def get_flag(unit: Unit, flag_id: str) -> FlagRow:
    """One that was just cleared, for who cleared it."""
    unit.require(access.PLATFORM_SUPPORT)
    flag = unit.session.get_one(AbuseFlag, flag_id)
    return flag_row(unit, flag, unit.session.get_one(Workspace, flag.workspace_id), _names(unit, [flag]))


def flag_row(unit: Unit, flag: AbuseFlag, workspace: Workspace, names: dict[str, str]) -> FlagRow:
    by = flag.cleared_by
    return FlagRow(
        id=flag.id,
        workspace=workspace.slug,
        workspace_name=workspace.name,
        reasons=tuple(flag.reasons),
        opened_at=flag.opened_at,
        cleared_at=flag.cleared_at,
        cleared_by=names.get(by, by) if by else None,
        cleared_reason=flag.cleared_reason,
        can_clear=flag.cleared_at is None and unit.actor.can(access.PLATFORM_ADMIN),
    )


def _names(unit: Unit, flags: list[AbuseFlag]) -> dict[str, str]:
    """actor → name, of the people and keys that cleared these."""
    actors = {flag.cleared_by for flag in flags if flag.cleared_by}
    names: dict[str, str] = {}
    for model in (User, ApiKey) if actors else ():
        found = select(col(model.id), col(model.name)).where(col(model.id).in_(actors))
        names.update(dict(unit.session.exec(found).all()))
    return names
