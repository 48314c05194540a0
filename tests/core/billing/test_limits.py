"""B7, B11: the free plan's stop and a hard budget, when a send is stored and again when it is claimed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.errors import PlanLimit
from core.messaging import intake
from data.enums import BudgetMode, MessageState, PlanName
from data.people import Workspace
from tests.core.desk import Desk, accepted, number, order
from tests.core.ledger import Ledger

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(desk: Desk) -> Ledger:
    return Ledger(desk.runtime, desk.place)


def set_workspace(desk: Desk, **values: object) -> None:
    desk.change(Workspace, desk.place.workspace.id, **values)


def send(desk: Desk, index: int) -> str:
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        return intake.store(unit, order(number(index))).answer.message_id


def test_b7_the_free_plan_opens_its_hundred_and_no_more(desk: Desk, ledger: Ledger) -> None:
    set_workspace(desk, plan=PlanName.FREE)
    ledger.many(99, FIRST, apart=HOUR)
    send(desk, 1)
    desk.advance(2)
    with pytest.raises(PlanLimit) as refused:
        send(desk, 2)
    assert (refused.value.status, refused.value.code) == (402, "plan_limit_reached")
    before = desk.rows()
    with pytest.raises(PlanLimit):
        send(desk, 3)
    assert desk.rows() == before, "a refusal stores nothing"


def test_b7_where_a_conversation_is_open_replies_pass(desk: Desk, ledger: Ledger) -> None:
    set_workspace(desk, plan=PlanName.FREE)
    ledger.many(99, FIRST, apart=HOUR)
    (message_id,) = desk.queue(first=7)
    (ours,) = desk.put_on_the_wire()
    desk.answer((ours, accepted("wamid.seven")))
    desk.advance(2)
    send(desk, 7)
    with pytest.raises(PlanLimit):
        send(desk, 8)
    assert desk.message(message_id).state is MessageState.SENT


def test_b7_what_was_stored_while_there_was_room_dies_at_its_claim(desk: Desk, ledger: Ledger) -> None:
    set_workspace(desk, plan=PlanName.FREE)
    waiting = desk.queue(2)
    ledger.many(99, FIRST, apart=HOUR)
    claimed = []
    for _ in waiting:
        claimed += desk.put_on_the_wire()
        desk.advance(2)
    assert [one.message_id for one in claimed] == waiting[:1]
    second = desk.message(waiting[1])
    assert (second.state, second.error_code) == (MessageState.DEAD, "plan_limit_reached")


def test_b7_two_sends_to_one_new_customer_open_one_conversation(desk: Desk, ledger: Ledger) -> None:
    set_workspace(desk, plan=PlanName.FREE)
    ledger.many(99, FIRST, apart=HOUR)
    send(desk, 1)
    desk.advance(2)
    send(desk, 1)


def test_b11_a_hard_budget_refuses_what_would_exceed_it(desk: Desk, ledger: Ledger) -> None:
    set_workspace(desk, plan=PlanName.STARTER, monthly_budget_micros=20_000, budget_mode=BudgetMode.HARD)
    ledger.many(101, FIRST, apart=HOUR)
    send(desk, 1)
    with pytest.raises(PlanLimit) as refused:
        send(desk, 2)
    assert (refused.value.code, refused.value.facts["budgetUSD"]) == ("budget_reached", "0.02")
    set_workspace(desk, monthly_budget_micros=30_000)
    send(desk, 2)


@pytest.mark.parametrize("mode", [BudgetMode.SOFT, None])
def test_b11_a_soft_budget_refuses_nothing(desk: Desk, ledger: Ledger, mode: BudgetMode | None) -> None:
    set_workspace(desk, plan=PlanName.STARTER, monthly_budget_micros=0, budget_mode=mode)
    ledger.many(101, FIRST, apart=HOUR)
    send(desk, 1)


def test_b11_included_conversations_open_within_a_budget_of_nothing(desk: Desk, ledger: Ledger) -> None:
    set_workspace(desk, plan=PlanName.STARTER, monthly_budget_micros=0, budget_mode=BudgetMode.HARD)
    ledger.many(99, FIRST, apart=HOUR)
    send(desk, 1)
    with pytest.raises(PlanLimit):
        send(desk, 2)


def test_b7_with_the_next_month_there_is_room_again(desk: Desk, ledger: Ledger) -> None:
    set_workspace(desk, plan=PlanName.FREE)
    ledger.many(100, FIRST, apart=HOUR)
    with pytest.raises(PlanLimit):
        send(desk, 1)
    desk.advance((datetime(2026, 12, 1, tzinfo=UTC) - desk.now).total_seconds())
    send(desk, 1)


def test_b7_two_phones_are_two_conversations(desk: Desk, ledger: Ledger) -> None:
    from tests.conftest import SECOND_PHONE_ID

    set_workspace(desk, plan=PlanName.FREE)
    ledger.many(99, FIRST, apart=HOUR)
    send(desk, 1)
    with pytest.raises(PlanLimit), desk.runtime.unit(desk.place.owner, write=True) as unit:
        intake.store(unit, replace(order(number(1)), phone_number_id=SECOND_PHONE_ID))
