"""What the clock writes down: its table, the begin and the end of each run, and ticks (C2).

A run belongs to the leader of this moment: its begin is refused in the same transaction that would claim it,
so that a clock that was stopped for a while, and goes on, begins nothing that another has taken over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, delete, select

from core.alerts.commands import raise_alert, resolve_alert
from core.monitoring.commands import CLOCK, is_leader
from core.schedules.rules import is_trouble, next_tick
from core.unit import Unit
from data.enums import RunOutcome
from data.schedules import Schedule, ScheduleRun

KEPT_RUNS = 50
RESULT_MAX = 500
LOST = "The clock process was gone before it ended."
FAILING = "schedule_failing"


@dataclass(frozen=True, slots=True)
class Line:
    """One of the clock's table. ``at_s`` None: a tick. ``at_start``: it also runs whenever a clock begins to
    lead."""

    name: str
    about: str
    every_s: float
    at_s: float | None = None
    can_pause: bool = True
    at_start: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """What the clock looks at every second: what may not run, and what is to be begun."""

    paused: frozenset[str]
    ready: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that is ours. ``is_asked``: at somebody's word, not by the time alone."""

    run_id: str
    is_asked: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run or tick went. ``result``: in words; of a failure, why."""

    started_at: datetime
    took_s: float
    result: str
    is_failure: bool = False


def take_the_lead(unit: Unit, table: Sequence[Line]) -> None:
    """The rows are those of the table; what a process that is gone had begun is lost, and the first of what
    it missed is due."""
    known = {row.name: row for row in unit.session.exec(select(Schedule).with_for_update())}
    for name in known.keys() - {line.name for line in table}:
        unit.session.exec(delete(ScheduleRun).where(col(ScheduleRun.schedule) == name))
        unit.session.delete(known[name])
    for line in table:
        row = known.get(line.name) or Schedule(name=line.name, about="", every_s=0.0)
        is_new_time = (row.every_s, row.at_s) != (line.every_s, line.at_s)
        row.about, row.every_s, row.at_s = line.about, line.every_s, line.at_s
        row.can_pause = line.can_pause
        if is_new_time:
            row.due_at = _next(row, unit.now)
        if line.at_start and row.asked_at is None:
            row.asked_at, row.asked_by = unit.now, unit.actor.id
        unit.session.add(row)
    unit.session.flush()
    for name in unit.session.exec(select(Schedule.name).where(col(Schedule.running_since).is_not(None))):
        _close_lost(unit, unit.session.get_one(Schedule, name))


def look(unit: Unit) -> Board:
    rows = list(unit.session.exec(select(Schedule).order_by(col(Schedule.due_at), col(Schedule.name))))
    return Board(
        paused=frozenset(row.name for row in rows if row.paused_at is not None),
        ready=tuple(row.name for row in rows if _is_ready(row, unit.now)),
    )


def begin(unit: Unit, name: str, *, holder: str) -> Begun | None:
    """The run is ours to carry out now; None when this process does not lead, when nothing is due, or it is
    paused. Whatever was missed, it is one run."""
    if not is_leader(unit, name=CLOCK, holder=holder):
        return None
    row = unit.session.get(Schedule, name, with_for_update=True)
    if row is None or not _is_ready(row, unit.now):
        return None
    if row.running_since is not None:  # its end could not be written down
        _close_lost(unit, row)
    is_due = row.due_at is not None and row.due_at <= unit.now and row.paused_at is None
    run = ScheduleRun(
        id=unit.new_id("run"),
        schedule=name,
        tick_at=_last_due(row, unit.now) if is_due else None,
        asked_by=row.asked_by,
        holder=holder,
        started_at=unit.now,
        outcome=RunOutcome.RUNNING,
    )
    if is_due:
        row.due_at = _next(row, unit.now)
    row.asked_at = row.asked_by = None
    row.running_since = unit.now
    row.holder = holder
    unit.session.add(row)
    unit.session.add(run)
    _forget_old(unit, name)
    return Begun(run.id, run.asked_by is not None)


def end(unit: Unit, run_id: str, ended: Ended) -> None:
    """The run is over; nothing is written when it counts as lost by now."""
    run = unit.session.get(ScheduleRun, run_id, with_for_update=True)
    if run is None or run.outcome is not RunOutcome.RUNNING:
        return
    _close(run, RunOutcome.FAILED if ended.is_failure else RunOutcome.DONE, ended.result, at=unit.now)
    run.took_ms = round(ended.took_s * 1000)
    unit.session.add(run)
    row = unit.session.get_one(Schedule, run.schedule, with_for_update=True)
    row.running_since = None
    _note(unit, row, ended, holder=run.holder)


def note_ticks(unit: Unit, ticks: dict[str, Ended], *, holder: str) -> None:
    """The last run of each of these ticks is on record; those that went well leave no more than that."""
    for name, ended in ticks.items():
        row = unit.session.get(Schedule, name, with_for_update=True)
        if row is not None:
            _note(unit, row, ended, holder=holder)


def note_failed_tick(unit: Unit, name: str, ended: Ended, *, holder: str) -> None:
    """A failure is kept; one that goes on is one line with a count."""
    row = unit.session.get(Schedule, name, with_for_update=True)
    if row is None:
        return
    newest = unit.session.exec(
        select(ScheduleRun).where(col(ScheduleRun.schedule) == name).order_by(col(ScheduleRun.id).desc())
    ).first()
    result = ended.result[:RESULT_MAX]
    if row.failures and newest is not None and _says(newest) == (RunOutcome.FAILED, result, None):
        newest.times += 1
        newest.finished_at = unit.now
        unit.session.add(newest)
    else:
        run = ScheduleRun(
            id=unit.new_id("run"),
            schedule=name,
            holder=holder,
            started_at=ended.started_at,
            took_ms=round(ended.took_s * 1000),
            outcome=RunOutcome.RUNNING,
        )
        _close(run, RunOutcome.FAILED, result, at=unit.now)
        unit.session.add(run)
        _forget_old(unit, name)
    _note(unit, row, ended, holder=holder)


def _says(run: ScheduleRun) -> tuple[RunOutcome, str, str | None]:
    return run.outcome, run.result, run.asked_by


def _is_ready(row: Schedule, now: datetime) -> bool:
    """*Paused and due → no; paused, and somebody asked → yes.*"""
    is_due = row.due_at is not None and row.due_at <= now and row.paused_at is None
    return is_due or row.asked_at is not None


def _next(row: Schedule, now: datetime) -> datetime | None:
    return None if row.at_s is None else next_tick(now, every_s=row.every_s, at_s=row.at_s)


def _last_due(row: Schedule, now: datetime) -> datetime | None:
    """The newest of the moments that have come: what was missed before it is made up for with it."""
    following = _next(row, now)
    return None if following is None else following - timedelta(seconds=row.every_s)


def _note(unit: Unit, row: Schedule, ended: Ended, *, holder: str) -> None:
    row.ran_at, row.took_ms = ended.started_at, round(ended.took_s * 1000)
    row.result, row.holder = ended.result[:RESULT_MAX], holder
    if ended.is_failure:
        row.failures += 1
        row.failing_since = row.failing_since or ended.started_at
        if is_trouble(failures=row.failures, since=row.failing_since, now=unit.now):
            _raise(unit, row)
    else:
        if row.failures:
            resolve_alert(unit, kind=FAILING, subject=row.name)
        row.failures, row.failing_since = 0, None
        row.succeeded_at = ended.started_at
    unit.session.add(row)


def _raise(unit: Unit, row: Schedule) -> None:
    raise_alert(
        unit,
        kind=FAILING,
        subject=row.name,
        detail=f"“{row.name}” failed {row.failures} times in a row. {row.result}",
        link="/schedules",
    )


def _close_lost(unit: Unit, row: Schedule) -> None:
    open_runs = select(ScheduleRun).where(
        col(ScheduleRun.schedule) == row.name, col(ScheduleRun.outcome) == RunOutcome.RUNNING
    )
    for run in unit.session.exec(open_runs):
        _close(run, RunOutcome.LOST, LOST, at=unit.now)
        unit.session.add(run)
    row.running_since = None
    unit.session.add(row)


def _close(run: ScheduleRun, outcome: RunOutcome, result: str, *, at: datetime) -> None:
    run.outcome, run.result, run.finished_at = outcome, result[:RESULT_MAX], at


def _forget_old(unit: Unit, name: str) -> None:
    """The newest 50 runs stay."""
    unit.session.flush()
    oldest_kept = unit.session.exec(
        select(ScheduleRun.id)
        .where(col(ScheduleRun.schedule) == name)
        .order_by(col(ScheduleRun.id).desc())
        .offset(KEPT_RUNS - 1)
        .limit(1)
    ).first()
    if oldest_kept is not None:
        unit.session.exec(
            delete(ScheduleRun).where(col(ScheduleRun.schedule) == name, col(ScheduleRun.id) < oldest_kept)
        )
