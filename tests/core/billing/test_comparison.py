"""B8: the same month on each plan, beside what it costs as it is."""

from datetime import UTC, datetime, timedelta

import pytest

from core.billing.comparison import PlanCost, compare_plans, months
from core.billing.queries import current_month, one_month
from core.errors import Forbidden
from core.runtime import Runtime
from data.enums import PlanName, Role
from data.people import Workspace
from tests.conftest import Place
from tests.core.ledger import CLERK, Ledger

HOUR = timedelta(hours=1)
FIRST = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def ledger(runtime: Runtime, place: Place) -> Ledger:
    return Ledger(runtime, place)


def put_on(ledger: Ledger, plan: PlanName) -> None:
    with ledger.runtime.unit(CLERK, write=True) as unit:
        workspace = unit.session.get_one(Workspace, ledger.place.workspace.id)
        workspace.plan = plan
        unit.session.add(workspace)


def compared(ledger: Ledger, name: str = "2026-11") -> dict[PlanName, PlanCost]:
    with ledger.runtime.unit(ledger.place.owner) as unit:
        return {each.plan: each for each in compare_plans(unit, one_month(unit, name))}


def test_b8_the_month_on_each_plan(ledger: Ledger) -> None:
    put_on(ledger, PlanName.STARTER)
    ledger.many(120, FIRST, apart=HOUR)
    ledger.settle()
    found = compared(ledger)
    assert {plan: each.rating.amount_micros for plan, each in found.items()} == {
        PlanName.FREE: 0,
        PlanName.STARTER: 200_000,
        PlanName.PRO: 0,
        PlanName.ENTERPRISE: 0,
    }
    assert [each.rating.billable for each in found.values()] == [0, 20, 0, 0]
    assert [each.included for each in found.values()] == [100, 100, 500, 50_000]
    with ledger.runtime.unit(ledger.place.owner) as unit:
        month = current_month(unit)
    assert found[PlanName.STARTER].forecast == month.forecast
    assert found[PlanName.STARTER].saved_micros == 0
    assert found[PlanName.PRO].saved_micros == month.forecast.amount_micros > 200_000


def test_a_month_that_is_over_comes_to_what_it_cost(ledger: Ledger) -> None:
    ledger.many(130, datetime(2026, 10, 2, tzinfo=UTC), apart=HOUR)
    ledger.settle()
    starter = compared(ledger, "2026-10")[PlanName.STARTER]
    assert starter.forecast == starter.rating
    assert (starter.rating.amount_micros, starter.saved_micros) == (300_000, -300_000)


def test_the_months_go_from_the_first_conversation_to_the_present(ledger: Ledger) -> None:
    ledger.many(1, datetime(2026, 9, 30, tzinfo=UTC), apart=HOUR)
    ledger.settle()
    with ledger.runtime.unit(ledger.place.acting(Role.VIEWER)) as unit:
        assert [each.name for each in months(unit)] == ["2026-11", "2026-10", "2026-09"]


def test_the_pace_the_stop_and_the_budget_are_said(ledger: Ledger) -> None:
    put_on(ledger, PlanName.FREE)
    ledger.many(100, FIRST, apart=HOUR)
    ledger.settle()
    with ledger.runtime.unit(ledger.place.owner) as unit:
        month = current_month(unit)
        elapsed_days = (unit.now - FIRST).total_seconds() / 86_400
    assert month.is_running
    assert abs(month.per_day - 100 / elapsed_days) <= 0.5
    assert month.is_at_its_stop
    assert not month.is_over_budget


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER, Role.SUPPORT])
def test_comparing_is_for_those_who_see_billing(ledger: Ledger, role: Role) -> None:
    with ledger.runtime.unit(ledger.place.owner) as unit:
        month = current_month(unit)
    with ledger.runtime.unit(ledger.place.acting(role)) as unit, pytest.raises(Forbidden):
        compare_plans(unit, month)


def test_p5_another_workspaces_conversations_are_not_counted(ledger: Ledger, other_place: Place) -> None:
    other = Ledger(ledger.runtime, other_place)
    other.many(3, FIRST, apart=HOUR)
    assert compared(ledger)[PlanName.PRO].rating.total == 0
