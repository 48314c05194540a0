"""Every workspace of the installation, for people of the platform (P8): how each is, and nothing of what is
in it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import SQLModel, col, func, select

from core import access
from core.monitoring.overview import WAITING
from core.unit import Unit
from data.abuse import AbuseFlag
from data.enums import HoldScope, LetterState, MemberStatus, PlanName
from data.messages import DeadLetter, Message
from data.people import Member, Workspace
from data.sending import Hold


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """``held`` counts its lanes, templates and the workspace itself where they are held; ``waiting`` the
    messages on their way out. Flagged: for rejected templates, until a platform admin clears it (T3)."""

    id: str
    slug: str
    name: str
    plan: PlanName
    created_at: datetime
    members: int
    waiting: int
    open_letters: int
    held: int
    is_flagged: bool

    @property
    def is_well(self) -> bool:
        return self.held == 0 and self.open_letters == 0 and not self.is_flagged


@dataclass(frozen=True, slots=True)
class WorkspacePage:
    items: list[WorkspaceRow]
    next_cursor: str | None


def list_workspaces(
    unit: Unit, *, q: str | None = None, cursor: str | None = None, limit: int = 50
) -> WorkspacePage:
    """By slug. ``q`` is a part of the name."""
    unit.require(access.PLATFORM_SUPPORT)
    statement = select(Workspace).order_by(col(Workspace.slug)).limit(limit + 1)
    if q:
        statement = statement.where(
            func.lower(col(Workspace.name)).contains(q.strip().lower(), autoescape=True)
        )
    if cursor is not None:
        statement = statement.where(col(Workspace.slug) > cursor)
    found = list(unit.session.exec(statement))
    shown = found[:limit]
    return WorkspacePage(_rows(unit, shown), shown[-1].slug if len(found) > limit else None)


def _rows(unit: Unit, workspaces: list[Workspace]) -> list[WorkspaceRow]:
    ids = [workspace.id for workspace in workspaces]
    members = _count(unit, Member, ids, col(Member.status) == MemberStatus.ACTIVE)
    letters = _count(unit, DeadLetter, ids, col(DeadLetter.state) == LetterState.OPEN)
    waiting = _count(unit, Message, ids, col(Message.state).in_(WAITING))
    flags = _count(unit, AbuseFlag, ids, col(AbuseFlag.cleared_at).is_(None))
    held = _count(
        unit, Hold, ids, col(Hold.released_at).is_(None) & (col(Hold.scope) != HoldScope.EVERYTHING)
    )
    return [
        WorkspaceRow(
            id=workspace.id,
            slug=workspace.slug,
            name=workspace.name,
            plan=workspace.plan,
            created_at=workspace.created_at,
            members=members.get(workspace.id, 0),
            waiting=waiting.get(workspace.id, 0),
            open_letters=letters.get(workspace.id, 0),
            held=held.get(workspace.id, 0),
            is_flagged=workspace.id in flags,
        )
        for workspace in workspaces
    ]


def _count(unit: Unit, model: type[SQLModel], ids: list[str], *conditions: Any) -> dict[str, int]:
    """workspace → how many of its rows meet the conditions; none where there is none."""
    owner: Any = model.workspace_id  # type: ignore[attr-defined]
    statement = select(owner, func.count()).where(col(owner).in_(ids), *conditions).group_by(owner)
    return dict(unit.session.exec(statement).all())
