from collections.abc import Callable

import pytest
from sqlmodel import col, select

from core.errors import DomainError, Forbidden, Impossible, NotFound
from core.lanes import commands, queries
from core.unit import Unit
from data.enums import HoldCause, HoldScope, Role
from data.operations import AuditEntry
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import WORKER, Desk


def do(desk: Desk, command: Callable[[Unit], None], role: Role = Role.MANAGER) -> None:
    with desk.runtime.unit(desk.place.acting(role), write=True) as unit:
        command(unit)


def is_held(desk: Desk, phone: str = PHONE_ID) -> bool:
    with desk.runtime.unit(WORKER) as unit:
        return queries.is_held(unit, phone_number_id=phone, workspace_id=desk.place.workspace.id)


def audited(desk: Desk) -> list[tuple[str, str]]:
    with desk.runtime.unit(WORKER) as unit:
        found = select(AuditEntry).where(col(AuditEntry.action).startswith("queue."))
        return [(one.action, one.target) for one in unit.session.exec(found.order_by(col(AuditEntry.number)))]


def test_q7_a_person_holds_a_lane_with_a_reason_and_lets_it_go(desk: Desk) -> None:
    do(desk, lambda unit: commands.pause(unit, phone_number_id=PHONE_ID, reason="Stock-taking"))
    (hold,) = desk.holds()
    assert (hold.scope, hold.subject, hold.cause) == (HoldScope.LANE, PHONE_ID, HoldCause.PERSON)
    assert (hold.reason, hold.workspace_id) == ("Stock-taking", desk.place.workspace.id)
    assert hold.held_by is not None
    assert (is_held(desk), is_held(desk, SECOND_PHONE_ID)) == (True, False)
    do(desk, lambda unit: commands.resume(unit, phone_number_id=PHONE_ID))
    assert (is_held(desk), desk.holds()) == (False, [])
    assert audited(desk) == [("queue.paused", f"lane:{PHONE_ID}"), ("queue.resumed", f"lane:{PHONE_ID}")]


def test_q7_a_person_holds_the_whole_workspace(desk: Desk) -> None:
    do(desk, lambda unit: commands.pause(unit))
    assert is_held(desk)
    assert is_held(desk, SECOND_PHONE_ID)
    do(desk, lambda unit: commands.resume(unit))
    assert not is_held(desk)


def test_pausing_twice_is_one_hold_and_resuming_nothing_says_nothing(desk: Desk) -> None:
    do(desk, lambda unit: commands.resume(unit))
    for _ in range(2):
        do(desk, lambda unit: commands.pause(unit))
    assert len(desk.holds()) == 1
    assert [action for action, _ in audited(desk)] == ["queue.paused"]


def test_q7_one_cause_can_be_released_while_another_holds(desk: Desk) -> None:
    do(desk, lambda unit: commands.pause(unit, phone_number_id=PHONE_ID))
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        commands.hold(unit, scope=HoldScope.LANE, subject=PHONE_ID, cause=HoldCause.TOKEN, reason="Expired")
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        commands.release(unit, scope=HoldScope.LANE, subject=PHONE_ID, cause=HoldCause.TOKEN)
    assert is_held(desk)
    assert [hold.cause for hold in desk.holds()] == [HoldCause.PERSON]


def test_p1_p5_who_may_not_pause_and_what_is_not_there(desk: Desk, other_place: Place) -> None:
    for role in (Role.AGENT, Role.VIEWER, Role.SUPPORT):
        for command in (commands.pause, commands.resume):
            with pytest.raises(Forbidden) as refusal:
                do(desk, lambda unit, command=command: command(unit), role)
            assert refusal.value.facts["permission"] == "queues.pause"
    foreign, unknown = (_refused(desk, phone) for phone in (str(int(PHONE_ID) + 50), "1"))
    assert isinstance(foreign, NotFound)
    assert (foreign.sentence, foreign.code) == (unknown.sentence, unknown.code)
    with pytest.raises(Impossible):
        do(desk, lambda unit: commands.pause(unit, reason="x" * 501))
    assert desk.holds() == []


def _refused(desk: Desk, phone: str) -> DomainError:
    with pytest.raises(DomainError) as refusal:
        do(desk, lambda unit: commands.pause(unit, phone_number_id=phone))
    return refusal.value


def test_p5_the_holds_of_another_workspace_are_not_listed(desk: Desk, other_place: Place) -> None:
    do(desk, lambda unit: commands.pause(unit, phone_number_id=PHONE_ID))
    with desk.runtime.unit(other_place.owner) as unit:
        assert queries.holds(unit) == []
    with desk.runtime.unit(desk.place.owner) as unit:
        assert [hold.subject for hold in queries.holds(unit)] == [PHONE_ID]
