"""Schedules as people see them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import col, select

from core import access
from core.errors import NotFound
from core.schedules.commands import has_several_workspaces
from core.unit import Unit
from data.enums import RunOutcome
from data.people import Member, User
from data.schedules import Schedule, ScheduleRun

SOMEBODY = "somebody else"
CLOCK_ITSELF = "the clock, as it began to lead"


class Standing(StrEnum):
    """How a schedule is; of two that apply the first."""

    FAILING = "failing"
    RUNNING = "running"
    PAUSED = "paused"
    WELL = "well"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """``next_at``: when it runs next; None while it is paused. ``asked_by``, ``paused_by``: names of people
    of this workspace. ``can_run``, ``can_pause``, ``can_resume``: by whoever looks, now."""

    name: str
    about: str
    every_s: float
    at_s: float | None
    standing: Standing
    ran_at: datetime | None
    took_s: float
    result: str
    succeeded_at: datetime | None
    failing_since: datetime | None
    failures: int
    running_since: datetime | None
    next_at: datetime | None
    asked_at: datetime | None
    asked_by: str | None
    paused_at: datetime | None
    paused_by: str | None
    pause_reason: str
    can_run: bool
    can_pause: bool
    can_resume: bool

    @property
    def is_tick(self) -> bool:
        return self.at_s is None


@dataclass(frozen=True, slots=True)
class RunView:
    """``tick_at``: the moment it was for; None when ``asked_by`` somebody between two. ``holder``: host and
    process id of the clock."""

    id: str
    tick_at: datetime | None
    asked_by: str | None
    holder: str
    started_at: datetime
    finished_at: datetime | None
    took_s: float
    outcome: RunOutcome
    result: str
    times: int


@dataclass(frozen=True, slots=True)
class ScheduleStory:
    """``runs``: newest first, at most 50; of a tick its failures, and what was asked for."""

    schedule: ScheduleView
    runs: list[RunView]


def list_schedules(unit: Unit) -> list[ScheduleView]:
    """The failing ones first, then those that run now or are paused; then by when they run next."""
    unit.require("schedules.view")
    rows = list(unit.session.exec(select(Schedule)))
    views = _views(unit, rows)
    return sorted(views, key=_order)


def story(unit: Unit, name: str) -> ScheduleStory:
    """NotFound for a schedule that no clock has."""
    unit.require("schedules.view")
    row = unit.session.get(Schedule, name)
    if row is None:
        raise NotFound("There is no such schedule.")
    runs = list(
        unit.session.exec(
            select(ScheduleRun).where(col(ScheduleRun.schedule) == name).order_by(col(ScheduleRun.id).desc())
        )
    )
    names = _names(unit, [run.asked_by for run in runs])
    return ScheduleStory(_views(unit, [row])[0], [_run(run, names) for run in runs])


def _order(view: ScheduleView) -> tuple[bool, bool, bool, bool, datetime | None, str]:
    """``False`` sorts first. Ticks, which are always next, stand last."""
    standing = view.standing
    moment = None if view.is_tick else view.next_at
    return (
        standing is not Standing.FAILING,
        standing is not Standing.RUNNING,
        standing is not Standing.PAUSED,
        moment is None,
        moment,
        view.name,
    )


def _views(unit: Unit, rows: list[Schedule]) -> list[ScheduleView]:
    names = _names(unit, [by for row in rows for by in (row.asked_by, row.paused_by)])
    may = unit.actor.can("schedules.manage") and unit.actor.view_as is None
    may_pause = may and (unit.actor.can(access.PLATFORM_ADMIN) or not has_several_workspaces(unit))
    return [
        ScheduleView(
            name=row.name,
            about=row.about,
            every_s=row.every_s,
            at_s=row.at_s,
            standing=_standing(row),
            ran_at=row.ran_at,
            took_s=row.took_ms / 1000,
            result=row.result,
            succeeded_at=row.succeeded_at,
            failing_since=row.failing_since,
            failures=row.failures,
            running_since=row.running_since,
            next_at=_next_at(row),
            asked_at=row.asked_at,
            asked_by=names.get(row.asked_by or ""),
            paused_at=row.paused_at,
            paused_by=names.get(row.paused_by or ""),
            pause_reason=row.pause_reason,
            can_run=may and row.asked_at is None and row.running_since is None,
            can_pause=may_pause and row.can_pause and row.paused_at is None,
            can_resume=may_pause and row.paused_at is not None,
        )
        for row in rows
    ]


def _standing(row: Schedule) -> Standing:
    if row.failures:
        return Standing.FAILING
    if row.running_since is not None:
        return Standing.RUNNING
    if row.paused_at is not None:
        return Standing.PAUSED
    return Standing.NEVER if row.ran_at is None else Standing.WELL


def _next_at(row: Schedule) -> datetime | None:
    """A tick's is as far off as its last was ago, at most."""
    if row.asked_at is not None:
        return row.asked_at
    if row.paused_at is not None:
        return None
    if row.is_tick:
        return row.ran_at + timedelta(seconds=row.every_s) if row.ran_at else None
    return row.due_at


def _run(run: ScheduleRun, names: dict[str, str]) -> RunView:
    return RunView(
        id=run.id,
        tick_at=run.tick_at,
        asked_by=names.get(run.asked_by or ""),
        holder=run.holder,
        started_at=run.started_at,
        finished_at=run.finished_at,
        took_s=run.took_ms / 1000,
        outcome=run.outcome,
        result=run.result,
        times=run.times,
    )


def _names(unit: Unit, actors: Iterable[str | None]) -> dict[str, str]:
    """Schedules serve all workspaces: people of others, and of the platform, are not named."""
    wanted = {actor for actor in actors if actor}
    own = (
        select(User.id, User.name)
        .join(Member, col(Member.user_id) == col(User.id))
        .where(col(User.id).in_(wanted), col(Member.workspace_id) == unit.workspace_id)
    )
    known = {actor: CLOCK_ITSELF if actor.startswith("process:") else SOMEBODY for actor in wanted}
    return known | dict(unit.session.exec(own).all())
