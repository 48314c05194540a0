"""``/workspace``: its name, zone, plan and budget."""

from typing import Any

from fastapi import APIRouter, Request

from core.team import workspace as commands
from core.team.workspace import WorkspaceView
from core.unit import Unit
from data.enums import BudgetMode, PlanName
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import WorkspaceBody

router = APIRouter(prefix="/workspace", tags=["Workspace"], route_class=ApiRoute)


@router.get("")
@needs("workspace.view")
def get_workspace(request: Request) -> dict[str, Any]:
    """The workspace of this key."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        return workspace_json(commands.workspace_view(unit))


@router.patch("")
@needs("workspace.edit")
def change_workspace(request: Request, body: WorkspaceBody) -> dict[str, Any]:
    """Changes what is given. A new time zone counts from the next billing period on; the budget needs
    ``billing.manage``."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        view = commands.change_workspace(
            unit,
            name=body.name,
            timezone=body.timezone,
            plan=PlanName(body.plan) if body.plan else None,
        )
        if body.model_fields_set & {"monthly_budget_usd", "budget_mode"}:
            view = _change_budget(unit, body, view)
    return workspace_json(view)


def _change_budget(unit: Unit, body: WorkspaceBody, present: WorkspaceView) -> WorkspaceView:
    """What is left out stays as it is."""
    given = body.model_fields_set
    micros, mode = present.monthly_budget_micros, present.budget_mode
    if "monthly_budget_usd" in given:
        micros = None if body.monthly_budget_usd is None else commands.micros_of(body.monthly_budget_usd)
    if "budget_mode" in given:
        mode = BudgetMode(body.budget_mode) if body.budget_mode else None
    return commands.change_budget(unit, monthly_micros=micros, mode=mode)


def workspace_json(view: WorkspaceView) -> dict[str, Any]:
    budget = view.monthly_budget_usd
    return {
        "slug": view.slug,
        "name": view.name,
        "plan": view.plan,
        "timezone": view.timezone,
        "pendingTimezone": view.pending_timezone,
        "monthlyBudgetUSD": None if budget is None else round(float(budget), 2),
        "budgetMode": view.budget_mode,
    }
