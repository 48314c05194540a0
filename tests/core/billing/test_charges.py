"""B8: which conversations are included and which are billed, in lists, against counting them off by hand."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event

from core.billing.charges import Charge, ChargedFilter, ChargedPage, count_charged, list_charged
from core.billing.queries import conversation_cost
from core.conversations.queries import ConversationFilter
from core.errors import Forbidden, Malformed
from core.runtime import Runtime
from data.billing import PlanChange
from data.enums import MessageState, OpenedBy, PlanName, Role
from data.people import Workspace
from tests.conftest import PHONE_ID, Place
from tests.core.ledger import CLERK, Ledger, Said

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


def listed(
    ledger: Ledger,
    role: Role = Role.OWNER,
    *,
    month: str | None = None,
    day: date | None = None,
    charge: Charge | None = None,
) -> ChargedPage:
    with ledger.runtime.unit(ledger.place.acting(role)) as unit:
        return list_charged(unit, ChargedFilter(month=month, day=day, charge=charge), limit=400)


def counted_off(ledger: Ledger, included: int) -> dict[str, bool]:
    """Conversation → whether it is included: one after the other, month by month."""
    used: dict[tuple[int, int], int] = defaultdict(int)
    found = {}
    for one in ledger.conversations():
        month = one.opened_at.year, one.opened_at.month
        found[one.id] = used[month] < included
        used[month] += 1
    return found


def test_b8_each_conversation_is_included_or_billed_as_counted_off_by_hand(ledger: Ledger) -> None:
    put_on(ledger, PlanName.STARTER)
    ledger.many(103, datetime(2026, 10, 3, tzinfo=UTC), apart=HOUR, name="o")
    ledger.many(107, FIRST, apart=HOUR)
    ledger.settle()
    expected = counted_off(ledger, 100)
    rows = listed(ledger).items
    assert {one.row.id: one.charge is Charge.INCLUDED for one in rows} == expected
    assert {(one.charge, one.amount_micros) for one in rows} == {
        (Charge.INCLUDED, 0),
        (Charge.BILLED, 10_000),
    }
    with ledger.runtime.unit(ledger.place.owner) as unit:  # and as the page of each says
        for one in (rows[0], rows[6], rows[7], rows[-1]):
            assert conversation_cost(unit, one.row.id).amount_micros == one.amount_micros
    for charge, is_included in ((Charge.INCLUDED, True), (Charge.BILLED, False)):
        for month in ("2026-10", "2026-11"):
            found = {one.row.id for one in listed(ledger, month=month, charge=charge).items}
            year_month = tuple(int(part) for part in month.split("-"))
            assert found == {
                one.id
                for one in ledger.conversations()
                if (one.opened_at.year, one.opened_at.month) == year_month and expected[one.id] is is_included
            }
    assert [one.charge for one in listed(ledger, charge=Charge.BILLED).items] == [Charge.BILLED] * 7
    with ledger.runtime.unit(ledger.place.owner) as unit:
        assert count_charged(unit, ChargedFilter(month="2026-10", charge=Charge.BILLED)) == 3
        assert count_charged(unit, ChargedFilter(day=date(2026, 11, 1))) == 24
        assert count_charged(unit, ChargedFilter()) is None


def test_b8_after_a_change_of_plan_only_what_opened_under_a_price_is_billed(ledger: Ledger) -> None:
    changed = FIRST + timedelta(days=15)
    with ledger.runtime.unit(CLERK, write=True) as unit:
        unit.session.add(
            PlanChange(
                id="plc_1",
                workspace_id=ledger.place.workspace.id,
                at=changed,
                old=PlanName.STARTER,
                new=PlanName.FREE,
                changed_by="test",
            )
        )
    put_on(ledger, PlanName.FREE)
    ledger.many(102, FIRST, apart=HOUR)
    ledger.many(3, changed, apart=HOUR, name="n")
    ledger.settle()
    assert len(listed(ledger, month="2026-11", charge=Charge.BILLED).items) == 2
    assert len(listed(ledger, month="2026-11", charge=Charge.FREE).items) == 3
    charges = [one.charge for one in listed(ledger, month="2026-11").items]
    assert charges == [Charge.FREE] * 3 + [Charge.BILLED] * 2 + [Charge.INCLUDED] * 100


def test_nothing_is_billed_where_the_pool_is_not_used_up(ledger: Ledger) -> None:
    ledger.many(3, FIRST, apart=HOUR)
    ledger.settle()
    assert listed(ledger, month="2026-11", charge=Charge.BILLED).items == []
    assert len(listed(ledger, month="2026-11", charge=Charge.INCLUDED).items) == 3


def test_b6_a_day_is_the_workspaces_own(ledger: Ledger) -> None:
    with ledger.runtime.unit(CLERK, write=True) as unit:
        workspace = unit.session.get_one(Workspace, ledger.place.workspace.id)
        workspace.timezone = "Europe/Berlin"
        unit.session.add(workspace)
    ledger.write(
        [
            Said("late", datetime(2026, 11, 4, 22, 59, tzinfo=UTC)),
            Said("early", datetime(2026, 11, 4, 23, tzinfo=UTC), contact="con_2"),
        ]
    )
    ledger.settle()
    assert [one.row.id for one in listed(ledger, day=date(2026, 11, 5)).items] == ["cnv_early"]


def test_month_number_and_opener_narrow_together_and_the_cursor_goes_on(ledger: Ledger) -> None:
    ledger.many(5, FIRST, apart=HOUR)
    ledger.write([Said("out", FIRST, inbound=False, contact="con_2", state=MessageState.READ)])
    ledger.settle()
    of_customers = ConversationFilter(phone_number_id=PHONE_ID, opened_by=OpenedBy.CUSTOMER)
    wanted = ChargedFilter(of_customers, month="2026-11")
    with ledger.runtime.unit(ledger.place.owner) as unit:
        first = list_charged(unit, wanted, limit=3)
        rest = list_charged(unit, wanted, limit=3, cursor=first.next_cursor)
    ids = [one.row.id for one in first.items + rest.items]
    assert ids == [f"cnv_m{number:05d}" for number in (4, 3, 2, 1, 0)]
    assert rest.next_cursor is None


def test_a_month_that_is_none_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Malformed):
        listed(ledger, month="yesterday")
    with pytest.raises(Malformed):
        listed(ledger, day=date(1, 1, 1))


def test_a_viewer_sees_conversations_and_not_what_they_cost(ledger: Ledger) -> None:
    ledger.many(2, FIRST, apart=HOUR)
    ledger.settle()
    found = listed(ledger, Role.VIEWER, month="2026-11").items
    assert [(one.charge, one.amount_micros) for one in found] == [(None, 0)] * 2
    assert "*" in found[0].row.contact or "•" in found[0].row.contact
    with pytest.raises(Forbidden):
        listed(ledger, Role.VIEWER, charge=Charge.BILLED)


def test_support_sees_no_conversations(ledger: Ledger) -> None:
    with pytest.raises(Forbidden):
        listed(ledger, Role.SUPPORT)


def test_p5_another_workspaces_conversations_are_not_listed(ledger: Ledger, other_place: Place) -> None:
    Ledger(ledger.runtime, other_place).many(3, FIRST, apart=HOUR)
    assert listed(ledger, month="2026-11").items == []


def test_every_question_of_a_charged_list_goes_by_an_index(ledger: Ledger) -> None:
    if not ledger.runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    put_on(ledger, PlanName.STARTER)
    ledger.many(102, FIRST, apart=HOUR)
    ledger.settle()
    asked: list[tuple[str, object]] = []
    with ledger.runtime.unit(ledger.place.owner) as unit:
        connection = unit.session.connection()
        event.listen(
            connection,
            "before_cursor_execute",
            lambda _c, _k, sql, values, *_: asked.append((sql, values)) if "conversation" in sql else None,
        )
        list_charged(unit, ChargedFilter(month="2026-11", charge=Charge.BILLED))
        steps = [
            str(row[3])
            for sql, values in list(asked)
            if "FROM conversation" in sql
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        ]
    assert sum("ix_conversation_opened" in step for step in steps) == 3, steps  # twice the edge, and the list
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN conversation") for step in steps), steps
