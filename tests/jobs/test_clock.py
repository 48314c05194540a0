"""The clock at work, in this process: asked for, paused, crashing (C2)."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlmodel import select

from core.monitoring.queries import last_beats
from core.ports.clock import SystemClock
from core.runtime import Runtime
from core.schedules import commands, queries
from core.schedules.queries import ScheduleStory, Standing
from core.unit import Identity
from data.enums import RunOutcome
from data.operations import Lease
from jobs.schedule import Schedule, beat, schedules
from jobs.ticking import Clock, Pace
from tests.conftest import Place, with_settings
from ui.pages.schedule_words import cadence

PROCESS = Identity(process="test")
SOON = Pace(look_every_s=0.02, lead_every_s=0.05)


class Works:
    """What the table calls; each call can be awaited."""

    def __init__(self) -> None:
        self.ticked = threading.Event()
        self.asked = 0

    def tick(self, _: Runtime) -> str:
        self.ticked.set()
        return "Ticked"

    def ask(self, _: Runtime) -> None:
        self.asked += 1

    def table(self) -> list[Schedule]:
        return [
            Schedule("beat", 0.05, beat, "Beats", by_leader=False),
            Schedule("tick", 0.02, self.tick, "Ticks"),
            Schedule("crash", 0.02, lambda _: str(1 // 0), "Crashes"),
            Schedule("nightly", 86_400.0, lambda _: "Done well", "Rests", at_s=0.0, when_asked=self.ask),
        ]


@pytest.fixture
def works() -> Works:
    return Works()


@pytest.fixture
def runtime(runtime: Runtime) -> Runtime:
    return replace(runtime, clock=SystemClock())


@pytest.fixture
def ticking(runtime: Runtime, works: Works) -> Iterator[Clock]:
    found = Clock(runtime, works.table(), pace=SOON)
    found.start()
    yield found
    found.stop()


def wait_for(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def story(runtime: Runtime, place: Place, name: str) -> ScheduleStory:
    with runtime.unit(place.owner) as unit:
        return queries.story(unit, name)


def test_c2_asked_for_it_runs_at_once_and_a_crash_is_a_failure_that_says_its_kind(
    runtime: Runtime, place: Place, works: Works, ticking: Clock
) -> None:
    with runtime.unit(place.owner, write=True) as unit:
        commands.run_now(unit, "nightly")
    wait_for(lambda: story(runtime, place, "nightly").schedule.standing is Standing.WELL)
    (run,) = story(runtime, place, "nightly").runs
    assert (run.outcome, run.result, run.tick_at, works.asked) == (RunOutcome.DONE, "Done well", None, 1)
    wait_for(lambda: story(runtime, place, "crash").schedule.failures > 1)
    (crash,) = story(runtime, place, "crash").runs
    assert crash.result == "It crashed (ZeroDivisionError); the log says where."
    wait_for(lambda: story(runtime, place, "tick").schedule.result == "Ticked")
    with runtime.unit(PROCESS) as unit:
        assert "clock" in last_beats(unit)


def test_c2_what_is_paused_does_not_tick_until_it_is_resumed(
    runtime: Runtime, place: Place, works: Works, ticking: Clock
) -> None:
    assert works.ticked.wait(30)
    with runtime.unit(place.owner, write=True) as unit:
        commands.pause(unit, "tick", reason="Quiet")

    def rests() -> bool:
        works.ticked.clear()
        return not works.ticked.wait(0.3)

    wait_for(rests)
    with runtime.unit(place.owner, write=True) as unit:
        commands.resume(unit, "tick")
    assert works.ticked.wait(30)


def test_c2_a_clock_that_is_stopped_lets_another_lead_at_once(runtime: Runtime, works: Works) -> None:
    one = Clock(runtime, works.table(), pace=SOON)
    one.start()
    one.stop()
    with runtime.unit(PROCESS) as unit:
        assert unit.session.exec(select(Lease)).all() == []


@pytest.mark.parametrize(
    ("hours", "words"), [(6, "At 00:00, 06:00, 12:00 and 18:00 UTC"), (12, "At 00:00 and 12:00 UTC")]
)
def test_k1_the_token_sweep_runs_as_often_as_the_setting_says(
    runtime: Runtime, hours: int, words: str
) -> None:
    table = {one.name: one for one in schedules(with_settings(runtime, token_refresh_interval_hours=hours))}
    sweep = table["token sweep"]
    assert (cadence(sweep.every_s, sweep.at_s), sweep.at_start) == (words, True)
