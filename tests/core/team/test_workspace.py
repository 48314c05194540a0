from datetime import UTC, datetime
from typing import Any

import pytest

from core.billing.workspaces import begin_zones
from core.errors import ConfirmRequired, Forbidden, Impossible
from core.team.workspace import (
    change_budget,
    change_workspace,
    require_second_factor,
    workspace_view,
)
from core.unit import FRESH_FOR
from data.enums import BudgetMode, PlanName, Role
from data.people import Workspace
from tests.core.office import Office


def test_name_and_plan_change_and_the_slug_stays(office: Office) -> None:
    owner = office.owner()
    view = office.do(owner.browser, change_workspace, name=" North  wind ", plan=PlanName.STARTER)
    assert (view.name, view.slug, view.plan) == ("North wind", "northwind", PlanName.STARTER)
    entry = office.last_entry()
    assert (entry.action, entry.before, entry.after) == (
        "workspace.changed",
        {"name": "Northwind", "plan": "pro"},
        {"name": "North wind", "plan": "starter"},
    )


def test_what_does_not_change_leaves_no_entry(office: Office) -> None:
    owner = office.owner()
    before = len(office.entries())
    office.do(owner.browser, change_workspace, name="Northwind", timezone="UTC", plan=PlanName.PRO)
    assert len(office.entries()) == before


@pytest.mark.parametrize("wrong", [{"name": " "}, {"name": "x" * 201}, {"timezone": "Mars/Base"}])
def test_what_is_no_name_and_no_zone_is_refused(office: Office, wrong: dict[str, Any]) -> None:
    office.refused(Impossible, office.owner().browser, change_workspace, **wrong)


def test_only_owners_change_the_workspace(office: Office) -> None:
    for role in (Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT):
        person = office.hire(role)
        office.refused(Forbidden, person.browser, change_workspace, name="Mine")
        office.refused(Forbidden, person.browser, change_budget, monthly_micros=1, mode=None)
        office.refused(Forbidden, person.browser, require_second_factor, required=False)
        assert office.ask(person.browser, workspace_view).name == "Northwind"


def test_b6_a_new_zone_counts_from_the_next_period(office: Office) -> None:
    owner = office.owner()
    view = office.do(owner.browser, change_workspace, timezone="Europe/Berlin")
    assert (view.timezone, view.pending_timezone) == ("UTC", "Europe/Berlin")
    assert view.pending_timezone_from == datetime(2026, 12, 1, tzinfo=UTC)
    begin_zones(office.runtime)
    assert office.ask(owner.browser, workspace_view).timezone == "UTC"
    office.later((datetime(2026, 12, 1, tzinfo=UTC) - office.now).total_seconds())
    begin_zones(office.runtime)
    view = office.ask(office.browser_of_owner(), workspace_view)
    assert (view.timezone, view.pending_timezone, view.pending_timezone_from) == ("Europe/Berlin", None, None)
    assert office.last_entry().action == "workspace.zone_began"


def test_b6_the_zone_that_counts_now_takes_a_pending_one_back(office: Office) -> None:
    owner = office.owner()
    office.do(owner.browser, change_workspace, timezone="Europe/Berlin")
    assert office.do(owner.browser, change_workspace, timezone="UTC").pending_timezone is None


def test_a_budget_is_soft_unless_said_and_can_be_taken_away(office: Office) -> None:
    owner = office.owner()
    view = office.do(owner.browser, change_budget, monthly_micros=25_500_000, mode=None)
    assert (view.monthly_budget_micros, view.budget_mode) == (25_500_000, BudgetMode.SOFT)
    assert office.last_entry().after == {"monthly_budget_usd": "25.5", "budget_mode": "soft"}
    view = office.do(owner.browser, change_budget, monthly_micros=0, mode=BudgetMode.HARD)
    assert view.budget_mode is BudgetMode.HARD
    view = office.do(owner.browser, change_budget, monthly_micros=None, mode=None)
    assert (view.monthly_budget_micros, view.budget_mode) == (None, None)
    office.refused(Impossible, owner.browser, change_budget, monthly_micros=-1, mode=None)


def test_money_and_second_factors_ask_for_the_password_again(office: Office) -> None:
    owner = office.owner()
    office.later(FRESH_FOR.total_seconds() + 1)
    office.refused(ConfirmRequired, owner.browser, change_budget, monthly_micros=1, mode=None)
    office.refused(ConfirmRequired, owner.browser, change_workspace, plan=PlanName.FREE)
    office.refused(ConfirmRequired, owner.browser, require_second_factor, required=False)
    office.do(owner.browser, change_workspace, name="Renamed")


def test_p5_another_workspace_is_left_alone(office: Office, other_office: Office) -> None:
    office.do(office.owner().browser, change_workspace, name="Renamed", plan=PlanName.FREE)
    with office.runtime.unit(office.place.owner) as unit:
        other = unit.session.get_one(Workspace, other_office.place.workspace.id)
    assert (other.name, other.plan) == ("Harbour", PlanName.PRO)
