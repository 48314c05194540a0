from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import col, select

from core.errors import DomainError, Forbidden, Impossible, Malformed, NotFound
from core.lanes import commands, holding, queries
from core.lanes.queries import Pausable, pausable_templates, workspaces_in_all
from core.team.owners import COMMAND
from core.unit import Unit
from data.enums import HoldCause, HoldScope, Role
from data.operations import AuditEntry
from data.sending import Template
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
        holding.hold(unit, scope=HoldScope.LANE, subject=PHONE_ID, cause=HoldCause.TOKEN, reason="Expired")
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        holding.release(unit, scope=HoldScope.LANE, subject=PHONE_ID, cause=HoldCause.TOKEN)
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


def everything_held(desk: Desk) -> list[tuple[str, int]]:
    with desk.runtime.unit(desk.place.acting(Role.MANAGER)) as unit:
        return [(one.name, one.waits) for one in queries.held(unit)]


def test_q7_a_hold_says_what_it_keeps_and_its_release_offers_that(desk: Desk, other_place: Place) -> None:
    desk.queue(3)
    with desk.runtime.unit(WORKER) as unit:
        ours = col(Template.workspace_id) == desk.place.workspace.id
        mine = unit.session.exec(select(Template.id).where(ours, col(Template.name) == "order_update")).one()
    do(desk, lambda unit: commands.pause(unit, template_id=mine))
    desk.claim()
    assert everything_held(desk) == [("order_update (en_US)", 3)]
    do(desk, lambda unit: commands.pause(unit, phone_number_id=PHONE_ID))
    assert ("Northwind 1", 3) in everything_held(desk)
    do(desk, lambda unit: commands.pause(unit))
    assert ("The whole queue", 3) in everything_held(desk)
    with desk.runtime.unit(other_place.acting(Role.MANAGER)) as unit:
        assert queries.held(unit) == []
    with pytest.raises(Forbidden), desk.runtime.unit(desk.place.acting(Role.AGENT)) as unit:
        queries.held(unit)


def test_q7_a_hold_ends_when_it_was_said_to(desk: Desk) -> None:
    until = desk.now + timedelta(hours=1)
    do(desk, lambda unit: commands.pause(unit, phone_number_id=PHONE_ID, until=until))
    desk.advance(3599)
    with desk.runtime.unit(WORKER, write=True) as unit:
        assert not commands.has_ended_holds(unit)
        assert commands.end_holds(unit) == 0
    desk.advance(1)
    with desk.runtime.unit(WORKER, write=True) as unit:
        assert commands.has_ended_holds(unit)
        assert commands.end_holds(unit) == 1
    assert not is_held(desk)
    assert [action for action, _ in audited(desk)] == ["queue.paused", "queue.resumed"]
    with pytest.raises(Malformed):
        do(desk, lambda unit: commands.pause(unit, until=desk.now))


def test_q7_only_platform_admins_hold_everything(desk: Desk, other_place: Place) -> None:
    with pytest.raises(Forbidden) as refusal:
        do(desk, lambda unit: commands.pause_everything(unit), Role.OWNER)
    assert refusal.value.facts["permission"] == "platform.admin"
    with desk.runtime.unit(WORKER, write=True) as unit:
        commands.pause_everything(unit, reason="Moving house")
    assert is_held(desk, str(int(PHONE_ID) + 50))
    with desk.runtime.unit(WORKER, write=True) as unit:
        commands.resume_everything(unit)
    assert not is_held(desk)


def test_p5_a_template_of_another_workspace_cannot_be_held(desk: Desk, other_place: Place) -> None:
    with desk.runtime.unit(other_place.owner) as unit:
        theirs = unit.session.exec(unit.scoped(Template).limit(1)).one().id
    with pytest.raises(NotFound):
        do(desk, lambda unit: commands.pause(unit, template_id=theirs))


def test_q7_a_template_can_be_held_that_is_not_yet_with_what_waits_of_it(
    desk: Desk, other_place: Place
) -> None:
    desk.queue(3)
    (held,) = (one for one in pausable(desk) if one.name == "order_update")
    assert held.waits == 3
    assert {one.waits for one in pausable(desk) if one.name != "order_update"} == {0}
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        commands.pause(unit, template_id=held.template_id, until=commands.ends_in(unit, 60))
    assert held.template_id not in [one.template_id for one in pausable(desk)]
    assert [one.until for one in desk.holds()] == [desk.now + timedelta(minutes=60)]
    with desk.runtime.unit(other_place.owner) as unit:
        theirs = {one.template_id for one in pausable_templates(unit)}
    assert not theirs & {one.template_id for one in pausable(desk)}
    with desk.runtime.unit(desk.place.acting(Role.VIEWER)) as unit, pytest.raises(Forbidden):
        pausable_templates(unit)


def pausable(desk: Desk) -> list[Pausable]:
    with desk.runtime.unit(desk.place.owner) as unit:
        return pausable_templates(unit)


def test_only_the_platform_counts_all_workspaces(desk: Desk, other_place: Place) -> None:
    with desk.runtime.unit(desk.place.acting(Role.OWNER)) as unit, pytest.raises(Forbidden):
        workspaces_in_all(unit)
    with desk.runtime.unit(COMMAND) as unit:
        assert workspaces_in_all(unit) == 2
        assert commands.ends_in(unit, 0) is None
