"""The clock (C2): APScheduler wakes it, one leader at a time; what is due stands in the database."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor

from core import tracing
from core.errors import DomainError
from core.monitoring import commands as monitoring
from core.runtime import Runtime
from core.schedules import running
from core.schedules.running import Ended
from jobs.schedule import CLOCK, HEARTBEAT, Schedule, schedules
from jobs.steady import SteadyScheduler

log = structlog.get_logger()

DONE = "Done"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a clock looks at what is due and renews its lead, and how long that lasts. A leader that is
    killed is followed after ``lease_s`` and ``lead_every_s``, 20 s at most."""

    look_every_s: float = 1.0
    lead_every_s: float = 5.0
    lease_s: float = monitoring.LEADER_LEASE.total_seconds()


class Clock:
    """Runs the table while this process leads. A second clock stands by, and takes over when the lease of
    the first runs out.

    A process may be stopped for longer than its lease and then go on where it was: so each tick looks at the
    time again, and each run begins in a transaction that asks for the lease. Leading and looking have a
    thread of their own, which no slow run can keep waiting.
    """

    def __init__(
        self, runtime: Runtime, table: Sequence[Schedule] | None = None, *, pace: Pace = Pace()
    ) -> None:
        self._runtime = runtime
        self._table = {one.name: one for one in (schedules(runtime) if table is None else table)}
        self._pace = pace
        self._leads_until: datetime | None = None
        self._has_taken_over = False
        self._paused: frozenset[str] = frozenset()
        self._ticked: dict[str, Ended] = {}
        self._running: set[str] = set()
        self._turns = {name: threading.Lock() for name in self._table}
        self._scheduler = SteadyScheduler(
            executors={
                "default": ThreadPoolExecutor(4),
                "runs": ThreadPoolExecutor(3),
                "lead": ThreadPoolExecutor(1),
            },
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        pace = self._pace
        # A tick that comes while the one before is still at work is left out, and that is as it should be.
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._lead()
        self._scheduler.add_job(self._lead, "interval", seconds=pace.lead_every_s, executor="lead")
        self._scheduler.add_job(self._look, "interval", seconds=pace.look_every_s, executor="lead")
        for one in self._table.values():
            if one.at_s is None:
                self._scheduler.add_job(self._tick, "interval", [one], seconds=one.every_s, name=one.name)
        self._scheduler.start()
        if HEARTBEAT in self._table:
            self._tick(self._table[HEARTBEAT])

    def stop(self) -> None:
        """What runs is carried to its end; then another clock may lead at once."""
        self._scheduler.shutdown(wait=True)
        if not self._leads:
            return
        try:
            with self._runtime.unit(CLOCK, write=True) as unit:
                running.note_ticks(unit, self._ticked, holder=self._runtime.holder)
                monitoring.step_down(unit, name=monitoring.CLOCK, holder=self._runtime.holder)
        except DomainError as error:
            log.warning("could not step down", reason=error.sentence)

    @property
    def _leads(self) -> bool:
        """By the time alone: until then no other clock can have the lease."""
        return self._leads_until is not None and self._runtime.clock.now() < self._leads_until

    def _lead(self) -> None:
        """The lead is ours for another while, if it was, or nobody's; what ticks did since is on record."""
        holder, lasts = self._runtime.holder, timedelta(seconds=self._pace.lease_s)
        ticked, self._ticked = self._ticked, {}
        until = None
        try:
            with self._runtime.unit(CLOCK, write=True) as unit:
                if monitoring.lead(unit, name=monitoring.CLOCK, holder=holder, lasts=lasts):
                    until = unit.now + lasts
                    if not self._has_taken_over:
                        running.take_the_lead(unit, [one.line for one in self._table.values()])
                        monitoring.beat_clock(unit, holder=holder)  # whoever looks need not wait for it
                    running.note_ticks(unit, ticked, holder=holder)
        except DomainError as error:  # what was ours is so until its end
            log.warning("the clock cannot reach the database", reason=error.sentence)
            return
        if (until is not None) is not self._has_taken_over:
            log.info("this clock leads" if until is not None else "another clock leads")
        self._leads_until, self._has_taken_over = until, until is not None

    def _look(self) -> None:
        """What is due is begun, each in a thread of the runs'; what is paused rests, with every clock."""
        try:
            with self._runtime.unit(CLOCK) as unit:
                board = running.look(unit)
        except DomainError as error:
            log.warning("the clock cannot reach the database", reason=error.sentence)
            return
        self._paused = board.paused
        if not self._leads:
            return
        for name in board.ready:
            if name in self._table and name not in self._running:
                self._running.add(name)
                self._scheduler.add_job(self._run, args=[self._table[name]], name=name, executor="runs")

    def _tick(self, one: Schedule) -> None:
        with self._turns[one.name]:
            if one.name in self._paused or (one.by_leader and not self._leads):
                return
            ended = self._carry_out(one)
        if not ended.is_failure:
            if self._leads:
                self._ticked[one.name] = ended
            return
        self._ticked.pop(one.name, None)
        try:
            with self._runtime.unit(CLOCK, write=True) as unit:
                running.note_failed_tick(unit, one.name, ended, holder=self._runtime.holder)
        except DomainError as error:
            log.warning("a failure could not be written down", schedule=one.name, reason=error.sentence)

    def _run(self, one: Schedule) -> None:
        holder = self._runtime.holder
        try:
            with self._turns[one.name]:
                with self._runtime.unit(CLOCK, write=True) as unit:
                    begun = running.begin(unit, one.name, holder=holder)
                if begun is None:
                    return
                ended = self._carry_out(one, is_asked=begun.is_asked)
                with self._runtime.unit(CLOCK, write=True) as unit:
                    running.end(unit, begun.run_id, ended)
        except DomainError as error:
            log.warning("a run could not be written down", schedule=one.name, reason=error.sentence)
        finally:
            self._running.discard(one.name)

    def _carry_out(self, one: Schedule, *, is_asked: bool = False) -> Ended:
        clock = self._runtime.clock
        started_at, began = clock.now(), clock.monotonic()
        is_failure = False
        try:
            if is_asked and one.when_asked is not None:
                one.when_asked(self._runtime)
            if one.at_s is None and not is_asked:  # ticks come by the second
                result = one.run(self._runtime) or DONE
            else:
                with tracing.span(f"schedule {one.name}"):
                    result = one.run(self._runtime) or DONE
        except DomainError as error:
            log.warning("a schedule failed", schedule=one.name, reason=error.sentence)
            result, is_failure = error.sentence, True
        except Exception as error:  # the one place where a crash of it becomes a run that failed
            log.exception("a schedule crashed", schedule=one.name)
            result, is_failure = f"It crashed ({type(error).__name__}); the log says where.", True
        return Ended(started_at, clock.monotonic() - began, result, is_failure)
