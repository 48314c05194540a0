"""The clock (C2): APScheduler decides when, one leader at a time; what it calls is core's."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from core import demo
from core.errors import DomainError
from core.messaging.claiming import has_due
from core.messaging.settling import rescue
from core.monitoring import commands as monitoring
from core.monitoring.queries import BEAT_EVERY_S
from core.runtime import Runtime
from core.unit import Identity

log = structlog.get_logger()

CLOCK = Identity(process="clock")


@dataclass(frozen=True, slots=True)
class Schedule:
    """``run`` is called every ``every_s`` seconds; ``by_leader`` ones in one clock process only."""

    name: str
    every_s: float
    run: Callable[[Runtime], None]
    by_leader: bool = True


def schedules(runtime: Runtime) -> list[Schedule]:
    """The one table of what happens when."""
    table = [
        # Every clock does these two: after a crash the leader's lease would keep them waiting for longer than
        # the work it left may wait. Done twice they do no harm.
        Schedule("sweep", 1.0, sweep, by_leader=False),
        Schedule("rescue", 2.0, rescue_all, by_leader=False),
        Schedule("heartbeat", BEAT_EVERY_S, beat),
    ]
    if runtime.settings.waypost_demo:
        table.append(Schedule("demo traffic", demo.EVERY_S, demo.send_some))
    return table


def sweep(runtime: Runtime) -> None:
    """Due work that nobody rang for is found within a second."""
    with runtime.unit(CLOCK) as unit:
        due = has_due(unit)
    if due:
        runtime.bell.ring()


def rescue_all(runtime: Runtime) -> None:
    """What a dead process had is taken back."""
    rescued = 1
    while rescued:
        with runtime.unit(CLOCK, write=True) as unit:
            rescued = rescue(unit)
        if rescued:
            log.warning("took back work of a process that is gone", messages=rescued)


def beat(runtime: Runtime) -> None:
    with runtime.unit(CLOCK, write=True) as unit:
        monitoring.beat(unit, kind="clock", holder=runtime.holder)


class Clock:
    """Runs the table while this process leads. A second clock stands by, and takes over when the lease of
    the first runs out."""

    LEAD_EVERY_S = 5.0

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._leads = threading.Event()
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={"default": ThreadPoolExecutor(4)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        self._lead()
        self._scheduler.add_job(self._lead, "interval", seconds=self.LEAD_EVERY_S, name="lead")
        for schedule in schedules(self._runtime):
            self._scheduler.add_job(
                self._tick, "interval", [schedule], seconds=schedule.every_s, name=schedule.name
            )
        self._scheduler.start()
        self._tick(Schedule("heartbeat", BEAT_EVERY_S, beat))

    def stop(self) -> None:
        self._scheduler.shutdown(wait=True)
        if self._leads.is_set():
            try:
                with self._runtime.unit(CLOCK, write=True) as unit:
                    monitoring.step_down(unit, name=monitoring.CLOCK, holder=self._runtime.holder)
            except DomainError as error:
                log.warning("could not step down", reason=error.sentence)

    def _lead(self) -> None:
        try:
            with self._runtime.unit(CLOCK, write=True) as unit:
                leads = monitoring.lead(unit, name=monitoring.CLOCK, holder=self._runtime.holder)
        except DomainError as error:
            log.warning("the clock cannot reach the database", reason=error.sentence)
            leads = False
        if leads:
            self._leads.set()
        else:
            self._leads.clear()

    def _tick(self, schedule: Schedule) -> None:
        if schedule.by_leader and not self._leads.is_set():
            return
        try:
            schedule.run(self._runtime)
        except DomainError as error:
            log.warning("a tick did nothing", schedule=schedule.name, reason=error.sentence)
