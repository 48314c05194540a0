"""What the clock writes down of runs and ticks, and who may begin one (C2)."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlmodel import col, func, select

from core.monitoring.commands import CLOCK, LEADER_LEASE, lead
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.schedules import commands, queries, running
from core.schedules.queries import ScheduleView, Standing
from core.schedules.running import Ended, Line
from core.unit import Identity
from data.alerts import Alert
from data.enums import RunOutcome
from data.schedules import Schedule, ScheduleRun
from tests.conftest import Place

PROCESS = Identity(process="clock")
HOURLY = Line("hourly", "Does it hourly", 3600.0, 420.0)
TICK = Line("tick", "Does it all the time", 1.0)
FIRST, SECOND = "host:1", "host:2"


class Desk:
    """A clock process of that name, over a frozen clock."""

    def __init__(self, runtime: Runtime, place: Place, clock: FrozenClock) -> None:
        self.runtime, self.place, self.clock = runtime, place, clock

    def lead(self, holder: str = FIRST, table: Sequence[Line] = (HOURLY, TICK)) -> bool:
        with self.runtime.unit(PROCESS, write=True) as unit:
            leads = lead(unit, name=CLOCK, holder=holder)
            if leads:
                running.take_the_lead(unit, table)
            return leads

    def ready(self) -> tuple[str, ...]:
        with self.runtime.unit(PROCESS) as unit:
            return running.look(unit).ready

    def begin(self, holder: str = FIRST, name: str = "hourly") -> str | None:
        with self.runtime.unit(PROCESS, write=True) as unit:
            begun = running.begin(unit, name, holder=holder)
            return begun.run_id if begun else None

    def end(self, run_id: str, result: str = "Done", *, is_failure: bool = False) -> None:
        with self.runtime.unit(PROCESS, write=True) as unit:
            running.end(unit, run_id, Ended(unit.now, 0.25, result, is_failure))

    def run(self, result: str = "Done", *, is_failure: bool = False) -> None:
        run_id = self.begin()
        assert run_id is not None
        self.end(run_id, result, is_failure=is_failure)

    def fail_tick(self, why: str) -> None:
        with self.runtime.unit(PROCESS, write=True) as unit:
            running.note_failed_tick(unit, "tick", Ended(unit.now, 0.1, why, True), holder=FIRST)

    def view(self, name: str = "hourly") -> ScheduleView:
        with self.runtime.unit(self.place.owner) as unit:
            return queries.story(unit, name).schedule

    def runs(self, name: str = "hourly") -> list[queries.RunView]:
        with self.runtime.unit(self.place.owner) as unit:
            return queries.story(unit, name).runs

    def alerts(self) -> list[Alert]:
        with self.runtime.unit(PROCESS) as unit:
            return list(unit.session.exec(select(Alert).where(col(Alert.kind) == running.FAILING)))


@pytest.fixture
def desk(runtime: Runtime, place: Place, clock: FrozenClock) -> Desk:
    """The clock stands at 9:00, seven minutes before the hourly one."""
    found = Desk(runtime, place, clock)
    assert found.lead()
    return found


def test_c2_a_run_is_due_once_and_what_was_missed_is_one_run(desk: Desk) -> None:
    assert (desk.ready(), desk.begin()) == ((), None)
    nine_past_seven = desk.clock.advance(420)
    assert desk.lead()
    assert desk.ready() == ("hourly",)
    desk.run("Read 3 accounts")
    assert (desk.ready(), desk.begin()) == ((), None)
    desk.clock.advance(5 * 3600 + 60)
    assert desk.lead()
    desk.run()
    second, first = desk.runs()
    assert (first.tick_at, first.result, first.took_s) == (nine_past_seven, "Read 3 accounts", 0.25)
    assert second.tick_at == nine_past_seven + timedelta(hours=5)
    assert desk.view().next_at == nine_past_seven + timedelta(hours=6)


def test_c2_only_the_leader_begins_and_the_next_leads_when_the_lease_is_over(desk: Desk) -> None:
    desk.clock.advance(420)
    desk.lead()
    assert not desk.lead(SECOND)
    assert desk.begin(SECOND) is None
    desk.clock.advance(LEADER_LEASE.total_seconds())
    assert desk.begin(FIRST) is None  # it was stopped meanwhile, and goes on
    assert desk.lead(SECOND)
    assert desk.begin(FIRST) is None
    assert desk.begin(SECOND) is not None


def test_c2_a_lead_from_before_the_clock_was_set_back_keeps_nobody_out(desk: Desk) -> None:
    desk.clock.advance(3600)
    assert desk.lead(FIRST)
    desk.clock.advance(-3600)
    assert desk.lead(SECOND)
    assert not desk.lead(FIRST)


def test_c2_a_leader_that_dies_in_a_run_leaves_it_lost_and_tells_nothing_later(desk: Desk) -> None:
    desk.clock.advance(420)
    desk.lead()
    run_id = desk.begin()
    assert run_id is not None
    assert desk.view().standing is Standing.RUNNING
    desk.clock.advance(20)
    assert desk.lead(SECOND)
    (lost,) = desk.runs()
    assert (lost.outcome, lost.result) == (RunOutcome.LOST, running.LOST)
    desk.end(run_id, "Done after all")
    assert desk.runs() == [lost]
    assert desk.view().running_since is None


def test_c2_asked_for_it_runs_once_though_paused(desk: Desk) -> None:
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        commands.pause(unit, "hourly", reason="Too slow")
        commands.run_now(unit, "hourly")
        commands.run_now(unit, "hourly")
    desk.clock.advance(600)
    desk.lead()
    assert desk.ready() == ("hourly",)
    desk.run()
    (run,) = desk.runs()
    assert (run.tick_at, run.asked_by) == (None, queries.CLOCK_ITSELF)
    assert (desk.ready(), desk.begin()) == ((), None)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        commands.resume(unit, "hourly")
    assert desk.ready() == ("hourly",)  # what came due meanwhile


def test_what_runs_at_a_start_is_asked_for_by_it(desk: Desk) -> None:
    desk.lead(table=(Line("sweep tokens", "", 3600.0, 0.0, at_start=True),))
    assert desk.ready() == ("sweep tokens",)


def test_c2_a_tick_keeps_its_last_run_and_its_failures_and_a_failure_that_goes_on_is_one_line(
    desk: Desk,
) -> None:
    with desk.runtime.unit(PROCESS, write=True) as unit:
        running.note_ticks(unit, {"tick": Ended(unit.now, 0.01, "Sent 2 mails")}, holder=FIRST)
    assert (desk.runs("tick"), desk.view("tick").result) == ([], "Sent 2 mails")
    for _ in range(4):
        desk.clock.advance(1)
        desk.fail_tick("The disk is full")
    desk.fail_tick("The disk is gone")
    newest, first = desk.runs("tick")
    assert (first.times, first.result, newest.result) == (4, "The disk is full", "The disk is gone")
    assert (desk.view("tick").standing, desk.view("tick").failures) == (Standing.FAILING, 5)
    with desk.runtime.unit(PROCESS, write=True) as unit:
        running.note_ticks(unit, {"tick": Ended(unit.now, 0.01, "Done")}, holder=FIRST)
    assert desk.view("tick").standing is Standing.WELL
    assert len(desk.runs("tick")) == 2


def test_failing_on_is_an_alert_until_it_goes_well_and_stands_first(desk: Desk) -> None:
    for _ in range(3):
        desk.clock.advance(3600)
        desk.lead()
        desk.run("Meta is gone", is_failure=True)
    (alert,) = desk.alerts()
    assert (alert.subject, alert.resolved_at, alert.workspace_id) == ("hourly", None, None)
    assert "Meta is gone" in alert.detail
    with desk.runtime.unit(desk.place.owner) as unit:
        assert [one.name for one in queries.list_schedules(unit)] == ["hourly", "tick"]
    desk.clock.advance(3600)
    desk.lead()
    desk.run()
    assert [one.resolved_at is None for one in desk.alerts()] == [False]


def test_the_newest_fifty_runs_are_kept(desk: Desk) -> None:
    for _ in range(53):
        desk.clock.advance(3600)
        desk.lead()
        desk.run()
    assert len(desk.runs()) == running.KEPT_RUNS
    with desk.runtime.unit(PROCESS) as unit:
        assert unit.session.exec(select(func.count()).select_from(ScheduleRun)).one() == running.KEPT_RUNS


def test_the_rows_are_those_of_the_leaders_table(desk: Desk) -> None:
    desk.clock.advance(420)
    desk.lead()
    desk.run()
    desk.lead(table=(Line("hourly", "Now twice a day", 43_200.0, 0.0),))
    with desk.runtime.unit(PROCESS) as unit:
        (row,) = unit.session.exec(select(Schedule)).all()
        assert (row.about, row.due_at) == ("Now twice a day", desk.clock.now().replace(hour=12, minute=0))
        assert len(unit.session.exec(select(ScheduleRun)).all()) == 1
