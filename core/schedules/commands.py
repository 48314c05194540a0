"""What people do to schedules: run now, pause, resume."""

from sqlmodel import func, select

from core import access
from core.errors import Conflict, Malformed, NotFound
from core.unit import Unit
from data.people import Workspace
from data.schedules import Schedule

REASON_MAX = 500


def run_now(unit: Unit, name: str) -> None:
    """The clock takes it up within a second or two, once, paused or not; asked again meanwhile it is still
    once. The request outlives every process."""
    unit.require("schedules.manage")
    schedule = _find(unit, name)
    if schedule.asked_at is not None:
        return
    schedule.asked_at, schedule.asked_by = unit.now, unit.actor.id
    unit.session.add(schedule)
    unit.record("schedule.run_asked", f"schedule:{name}")


def pause(unit: Unit, name: str, *, reason: str) -> None:
    """It does not run until it is resumed; what runs goes on to its end. Conflict ``cannot_be_paused`` for
    what the rest relies on."""
    require_pause(unit)
    schedule = _find(unit, name)
    reason = reason.strip()
    if not 0 < len(reason) <= REASON_MAX:
        raise Malformed.field("reason", f"must be 1 to {REASON_MAX} characters")
    if not schedule.can_pause:
        raise Conflict(
            "This one cannot be paused: it is how the others are seen to be alive.", code="cannot_be_paused"
        )
    if schedule.paused_at is not None:
        raise Conflict("It is paused already.", code="already_paused")
    schedule.paused_at, schedule.paused_by, schedule.pause_reason = unit.now, unit.actor.id, reason
    unit.session.add(schedule)
    unit.record("schedule.paused", f"schedule:{name}", after={"reason": reason})


def resume(unit: Unit, name: str) -> None:
    """It runs again; what came due meanwhile runs once, at once."""
    require_pause(unit)
    schedule = _find(unit, name)
    if schedule.paused_at is None:
        raise Conflict("It is not paused.", code="not_paused")
    unit.record("schedule.resumed", f"schedule:{name}", before={"reason": schedule.pause_reason})
    schedule.paused_at = schedule.paused_by = None
    schedule.pause_reason = ""
    unit.session.add(schedule)


def require_pause(unit: Unit) -> None:
    """One clock serves all workspaces: where there are several, an owner of one of them cannot stop it for
    the others."""
    unit.require("schedules.manage")
    if has_several_workspaces(unit):
        unit.require(access.PLATFORM_ADMIN)


def has_several_workspaces(unit: Unit) -> bool:
    return unit.session.exec(select(func.count()).select_from(Workspace)).one() > 1


def _find(unit: Unit, name: str) -> Schedule:
    schedule = unit.session.get(Schedule, name, with_for_update=True)
    if schedule is None:
        raise NotFound("There is no such schedule.")
    return schedule
