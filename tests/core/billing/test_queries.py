from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from core.billing import queries
from core.billing.money import rounded
from core.conversations.spans import owed
from core.errors import Forbidden, Malformed
from core.runtime import Runtime
from data.billing import PlanChange
from data.enums import MessageState, PlanName, Role
from data.people import Workspace
from tests.conftest import NOW, PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.ledger import CLERK, Ledger, Said

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FIRST = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def ledger(runtime: Runtime, place: Place) -> Ledger:
    return Ledger(runtime, place)


def month(ledger: Ledger, role: Role = Role.OWNER) -> queries.MonthView:
    with ledger.runtime.unit(ledger.place.acting(role)) as unit:
        return queries.current_month(unit)


def change_workspace(ledger: Ledger, **values: object) -> None:
    with ledger.runtime.unit(CLERK, write=True) as unit:
        workspace = unit.session.get_one(Workspace, ledger.place.workspace.id)
        for name, value in values.items():
            setattr(workspace, name, value)
        unit.session.add(workspace)


def test_a_month_without_conversations_is_all_zero(ledger: Ledger) -> None:
    found = month(ledger)
    assert (found.rating.total, found.rating.included, found.rating.amount_micros) == (0, 500, 0)
    assert (found.forecast.total, found.forecast.amount_micros) == (0, 0)
    assert (found.period.name, found.as_of) == ("2026-11", NOW)


def test_b6_a_conversation_belongs_whole_to_the_month_it_opened_in(ledger: Ledger) -> None:
    change_workspace(ledger, timezone="Europe/Berlin")
    midnight = datetime(2026, 10, 31, 23, tzinfo=UTC)
    ledger.write(
        [
            Said("before", midnight - timedelta(microseconds=1)),
            Said("same", midnight + HOUR),  # the conversation of the one before
            Said("after", midnight, contact="con_2"),
        ]
    )
    ledger.settle()
    assert month(ledger).rating.total == 1
    with ledger.runtime.unit(ledger.place.owner) as unit:
        assert queries.one_month(unit, "2026-10").rating.total == 1


def test_b8_the_running_month_is_rated_and_forecast(ledger: Ledger) -> None:
    change_workspace(ledger, plan=PlanName.STARTER)
    ledger.many(120, FIRST, apart=HOUR)
    ledger.settle()
    found = month(ledger)
    assert (found.rating.included, found.rating.billable, found.rating.amount_micros) == (100, 20, 200_000)
    elapsed = (NOW - FIRST).total_seconds()
    assert found.forecast.total == round(120 * 30 * 86_400 / elapsed)
    assert found.forecast.amount_micros == (found.forecast.total - 100) * 10_000
    assert (found.used, found.explanation) == (100, "included 100, used 120, billable 20 × 0.01 = 0.20")


def test_b8_after_a_change_of_plan_there_is_one_pool_and_two_prices(ledger: Ledger) -> None:
    changed = FIRST + 15 * DAY
    with ledger.runtime.unit(CLERK, write=True) as unit:
        unit.session.add(
            PlanChange(
                id="plc_1",
                workspace_id=ledger.place.workspace.id,
                at=changed,
                old=PlanName.STARTER,
                new=PlanName.PRO,
                changed_by="test",
            )
        )
    ledger.many(310, FIRST, apart=HOUR)
    ledger.many(5, changed, apart=HOUR, name="n")
    ledger.settle()
    found = month(ledger)
    assert found.rating.included == (100 * 15 + 500 * 15) // 30
    assert found.rating.beyond == (10, 5)
    assert rounded(found.rating.amount_micros) == Decimal("0.13")  # 10 x 0.01 + 5 x 0.005, half up


def test_what_is_not_computed_yet_is_said(ledger: Ledger) -> None:
    ledger.write([Said("a", NOW - HOUR)])
    ledger.runtime.clock.advance(5)  # type: ignore[attr-defined]
    assert month(ledger).as_of == NOW
    ledger.settle()
    assert month(ledger).as_of == NOW + timedelta(seconds=5)


def test_metrics_count_by_the_workspaces_days(ledger: Ledger) -> None:
    change_workspace(ledger, timezone="Asia/Tokyo")
    ledger.write(
        [
            Said("a", datetime(2026, 11, 10, 14, 59, tzinfo=UTC)),
            Said("b", datetime(2026, 11, 10, 15, 0, tzinfo=UTC), contact="con_2", inbound=False),
            Said("c", datetime(2026, 11, 10, 16, 0, tzinfo=UTC), contact="con_2"),
        ]
    )
    ledger.settle()
    with ledger.runtime.unit(ledger.place.owner) as unit:
        found = queries.metrics(unit, date(2026, 11, 10), date(2026, 11, 12))
    shown = [
        (
            one.day.day,
            one.counted.customer,
            one.counted.business,
            one.counted.messages_in,
            one.counted.messages_out,
        )
        for one in found.days
    ]
    assert shown == [(10, 1, 0, 1, 0), (11, 0, 1, 1, 1), (12, 0, 0, 0, 0)]
    assert found.total == 2


def test_by_phone_and_why_each_costs_what_it_does(ledger: Ledger) -> None:
    change_workspace(ledger, plan=PlanName.STARTER)
    ledger.many(100, FIRST, apart=HOUR)
    ledger.write([Said("z", FIRST + 20 * DAY, phone=SECOND_PHONE_ID, inbound=False, contact="con_z")])
    ledger.settle()
    with ledger.runtime.unit(ledger.place.owner) as unit:
        phones = queries.by_phone(unit, queries.current_month(unit).period)
        last = queries.conversation_cost(unit, "cnv_z")
        first = queries.conversation_cost(unit, "cnv_m00000")
    assert [(one.phone_number_id, one.customer, one.business) for one in phones] == [
        (PHONE_ID, 100, 0),
        (SECOND_PHONE_ID, 0, 1),
    ]
    assert (last.position, last.amount_micros) == (101, 10_000)
    assert (first.position, first.amount_micros) == (1, 0)
    assert "number 101 of 2026-11" in last.sentence


def test_b8_a_what_if_over_part_of_a_month_has_that_part_of_the_pool(ledger: Ledger) -> None:
    ledger.many(60, FIRST, apart=HOUR)
    ledger.settle()
    with ledger.runtime.unit(ledger.place.owner) as unit:
        part = queries.what_if(unit, PlanName.STARTER, date(2026, 11, 1), date(2026, 11, 15))
        whole = queries.what_if(unit, PlanName.STARTER, date(2026, 11, 1), date(2026, 11, 30))
        both = queries.what_if(unit, PlanName.STARTER, date(2026, 10, 1), date(2026, 11, 30))
    assert (part.is_prorated, part.rating.included, part.rating.billable) == (True, 50, 10)
    assert (whole.is_prorated, whole.rating.included, whole.rating.billable) == (False, 100, 0)
    assert (both.is_prorated, both.rating.included, both.rating.total) == (False, 200, 60)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 11, 2), date(2026, 11, 1)),
        (date(2025, 1, 1), date(2026, 11, 1)),
        (date(1, 1, 1), date(1, 1, 2)),
        (date(9999, 12, 31), date(9999, 12, 31)),
    ],
)
def test_days_that_cannot_be_meant_are_refused(ledger: Ledger, first: date, last: date) -> None:
    with ledger.runtime.unit(ledger.place.owner) as unit:
        with pytest.raises(Malformed):
            queries.metrics(unit, first, last)
        with pytest.raises(Malformed):
            queries.what_if(unit, PlanName.PRO, first, last)


def test_a_preview_shows_what_another_plan_would_change_and_writes_nothing(ledger: Ledger) -> None:
    ledger.many(120, FIRST, apart=HOUR)
    ledger.settle()
    with ledger.runtime.unit(ledger.place.acting(Role.OWNER)) as unit:
        found = queries.plan_preview(unit, PlanName.STARTER)
    before, after = found.before.rating, found.after.rating
    elapsed, whole = int((NOW - FIRST).total_seconds()), 30 * 86_400
    assert (before.included, after.included) == (500, (500 * elapsed + 100 * (whole - elapsed)) // whole)
    assert month(ledger).plan is PlanName.PRO


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER, Role.SUPPORT])
def test_billing_is_for_owners_and_managers(ledger: Ledger, role: Role) -> None:
    with pytest.raises(Forbidden):
        month(ledger, role)
    assert month(ledger, Role.MANAGER).rating.total == 0


def test_p5_another_workspaces_conversations_are_not_counted(ledger: Ledger, other_place: Place) -> None:
    ledger.many(3, FIRST, apart=HOUR)
    ledger.settle()
    assert month(Ledger(ledger.runtime, other_place)).rating.total == 0


def test_what_lost_its_messages_is_not_owed(ledger: Ledger) -> None:
    ledger.many(3, FIRST, apart=HOUR)
    ledger.write([Said("x", FIRST + DAY, inbound=False, contact="con_x", state=MessageState.SENT)])
    ledger.settle()
    with ledger.runtime.unit(CLERK) as unit:
        assert owed(unit.session, ledger.place.workspace.id, [(FIRST, NOW), (NOW, NOW + DAY)]) == [4, 0]


def test_the_count_of_a_month_asks_indexes_alone(ledger: Ledger) -> None:
    if not ledger.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    seen: list[str] = []
    with ledger.runtime.unit(CLERK) as unit:
        from sqlalchemy import event

        connection = unit.session.connection()
        event.listen(connection, "before_cursor_execute", lambda _c, _k, sql, *_: seen.append(sql))
        owed(unit.session, ledger.place.workspace.id, [(FIRST, NOW)])
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {seen[0]}", ("w",) * seen[0].count("?"))
        plan = [str(row[3]) for row in rows]
    assert any("COVERING INDEX ix_conversation_opened" in step for step in plan), plan
    assert any("ix_conversation_empty" in step for step in plan), plan
