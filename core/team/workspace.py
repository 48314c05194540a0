"""The workspace itself: name, time zone, plan, budget, and whether everybody needs a second factor."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from core.billing.workspaces import change_plan, next_month
from core.errors import Impossible
from core.team.names import NAME_MAX
from core.team.owners import known_zone
from core.team.sessions import own_browser
from core.unit import Unit
from data.enums import BudgetMode, PlanName
from data.people import Workspace

MICROS = 1_000_000
BUDGET_MAX_MICROS = 1_000_000_000 * MICROS


@dataclass(frozen=True, slots=True)
class WorkspaceView:
    """``pending_timezone`` counts from ``pending_timezone_from`` on, the next billing period."""

    id: str
    slug: str
    name: str
    plan: PlanName
    timezone: str
    pending_timezone: str | None
    pending_timezone_from: datetime | None
    monthly_budget_micros: int | None
    budget_mode: BudgetMode | None
    require_second_factor: bool

    @property
    def monthly_budget_usd(self) -> Decimal | None:
        return None if self.monthly_budget_micros is None else Decimal(self.monthly_budget_micros) / MICROS


def micros_of(usd: Decimal) -> int:
    """*12.34 → 12 340 000*; parts of a millionth are rounded half up."""
    return int((usd * MICROS).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def workspace_view(unit: Unit) -> WorkspaceView:
    unit.require("workspace.view")
    return _view(unit, unit.workspace())


def change_workspace(
    unit: Unit, *, name: str | None = None, timezone: str | None = None, plan: PlanName | None = None
) -> WorkspaceView:
    """Those that are given are changed; the slug stays. A new zone counts from the next billing period on;
    given again, the one that counts now takes a pending one back (B6)."""
    unit.require("workspace.edit")
    workspace = unit.lock_workspace()
    before = _shown(_view(unit, workspace))
    if name is not None:
        workspace.name = _named(name)
    if timezone is not None:
        _plan_zone(unit, workspace, known_zone(timezone))
    if plan is not None and plan is not workspace.plan:
        unit.require_fresh()
        change_plan(unit, workspace, plan)
    return _record(unit, workspace, before)


def change_budget(unit: Unit, *, monthly_micros: int | None, mode: BudgetMode | None) -> WorkspaceView:
    """The budget of a month, in millionths of a US dollar; None is none. Without a word about the mode a
    budget is soft."""
    unit.require("billing.manage")
    unit.require_fresh()
    if monthly_micros is not None and not 0 <= monthly_micros <= BUDGET_MAX_MICROS:
        raise Impossible("A budget is between 0 and 1,000,000,000 US dollars.", code="budget")
    workspace = unit.lock_workspace()
    before = _shown(_view(unit, workspace))
    workspace.monthly_budget_micros = monthly_micros
    workspace.budget_mode = None if monthly_micros is None else mode or BudgetMode.SOFT
    return _record(unit, workspace, before)


def require_second_factor(unit: Unit, *, required: bool) -> WorkspaceView:
    """Whether everybody needs a second factor. Who has given none is signed out at once, and sets one up at
    the next sign-in; so whoever asks for it must have given one."""
    unit.require("settings.manage")
    unit.require_fresh()
    workspace = unit.lock_workspace()
    is_person = unit.identity.session_hash is not None
    if required and is_person and own_browser(unit).second_factor_at is None:
        raise Impossible(
            "Set up your own second factor first, or sign in with it: you would lock yourself out.",
            code="second_factor_missing",
        )
    before = _shown(_view(unit, workspace))
    workspace.require_second_factor = required
    return _record(unit, workspace, before)


def _plan_zone(unit: Unit, workspace: Workspace, timezone: str) -> None:
    if timezone == workspace.timezone:
        workspace.pending_timezone = workspace.pending_timezone_from = None
    elif timezone != workspace.pending_timezone:
        workspace.pending_timezone = timezone
        workspace.pending_timezone_from = next_month(unit, workspace)


def _named(name: str) -> str:
    text = " ".join(name.split())
    if not text or len(text) > NAME_MAX:
        raise Impossible(f"A workspace needs a name of 1 to {NAME_MAX} characters.", code="workspace_name")
    return text


def _record(unit: Unit, workspace: Workspace, before: dict[str, Any]) -> WorkspaceView:
    unit.session.add(workspace)
    after = _shown(_view(unit, workspace))
    changed = [field for field in after if after[field] != before[field]]
    if changed:
        unit.record(
            "workspace.changed",
            f"workspace:{workspace.slug}",
            before={field: before[field] for field in changed},
            after={field: after[field] for field in changed},
        )
    return _view(unit, workspace)


def _shown(view: WorkspaceView) -> dict[str, Any]:
    budget = view.monthly_budget_usd
    return {
        "name": view.name,
        "plan": view.plan.value,
        "timezone": view.timezone,
        "pending_timezone": view.pending_timezone,
        "monthly_budget_usd": None if budget is None else str(budget),
        "budget_mode": view.budget_mode.value if view.budget_mode else None,
        "require_second_factor": view.require_second_factor,
    }


def _view(unit: Unit, workspace: Workspace) -> WorkspaceView:
    return WorkspaceView(
        id=workspace.id,
        slug=workspace.slug,
        name=workspace.name,
        plan=workspace.plan,
        timezone=workspace.timezone,
        pending_timezone=workspace.pending_timezone,
        pending_timezone_from=workspace.pending_timezone_from,
        monthly_budget_micros=workspace.monthly_budget_micros,
        budget_mode=workspace.budget_mode,
        require_second_factor=workspace.require_second_factor,
    )
