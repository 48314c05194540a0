"""Who may run, pause and resume what the clock does for everybody."""

from collections.abc import Callable

import pytest
from sqlmodel import col, select

from core import access
from core.errors import Conflict, Forbidden, Malformed, NotFound
from core.monitoring.commands import CLOCK, lead
from core.runtime import Runtime
from core.schedules import commands, queries, running
from core.schedules.running import Line
from core.unit import Identity, Unit
from data.enums import Role
from data.operations import AuditEntry
from data.schedules import Schedule
from tests.conftest import Place

PROCESS = Identity(process="clock")
NAME = "purge"


@pytest.fixture(autouse=True)
def table(runtime: Runtime, place: Place) -> None:
    with runtime.unit(PROCESS, write=True) as unit:
        lead(unit, name=CLOCK, holder="host:1")
        running.take_the_lead(
            unit, [Line(NAME, "Forgets", 86_400.0, 0.0), Line("heartbeat", "Beats", 10.0, can_pause=False)]
        )


def entries(runtime: Runtime) -> list[AuditEntry]:
    with runtime.unit(PROCESS) as unit:
        mine = col(AuditEntry.target) == f"schedule:{NAME}"
        return list(unit.session.exec(select(AuditEntry).where(mine).order_by(col(AuditEntry.number))))


def test_an_owner_runs_pauses_and_resumes_and_each_is_in_the_audit_log(
    runtime: Runtime, place: Place
) -> None:
    owner = place.acting(Role.OWNER)
    with runtime.unit(owner, write=True) as unit:
        commands.run_now(unit, NAME)
        commands.pause(unit, NAME, reason=" While we move ")
    with runtime.unit(owner) as unit:
        view = queries.story(unit, NAME).schedule
    assert (view.pause_reason, view.can_resume, view.can_pause, view.can_run) == (
        "While we move",
        True,
        False,
        False,
    )
    with pytest.raises(Conflict, match="already"), runtime.unit(owner, write=True) as unit:
        commands.pause(unit, NAME, reason="Again")
    with runtime.unit(owner, write=True) as unit:
        commands.resume(unit, NAME)
    with pytest.raises(Conflict, match="not paused"), runtime.unit(owner, write=True) as unit:
        commands.resume(unit, NAME)
    found = [(one.action, one.before, one.after) for one in entries(runtime)]
    assert found == [
        ("schedule.run_asked", None, None),
        ("schedule.paused", None, {"reason": "While we move"}),
        ("schedule.resumed", {"reason": "While we move"}, None),
    ]


@pytest.mark.parametrize("role", [Role.MANAGER, Role.VIEWER])
@pytest.mark.parametrize(
    "command",
    [
        lambda unit: commands.run_now(unit, NAME),
        lambda unit: commands.pause(unit, NAME, reason="No"),
        lambda unit: commands.resume(unit, NAME),
    ],
)
def test_others_than_owners_are_refused(
    runtime: Runtime, place: Place, role: Role, command: Callable[[Unit], None]
) -> None:
    with pytest.raises(Forbidden) as refused, runtime.unit(place.acting(role), write=True) as unit:
        command(unit)
    assert refused.value.facts["permission"] == "schedules.manage"


def test_managers_see_and_viewers_do_not(runtime: Runtime, place: Place) -> None:
    with runtime.unit(place.acting(Role.MANAGER)) as unit:
        views = queries.list_schedules(unit)
    assert not any(view.can_run or view.can_pause for view in views)
    for query in (queries.list_schedules, lambda unit: queries.story(unit, NAME)):
        with pytest.raises(Forbidden), runtime.unit(place.acting(Role.VIEWER)) as unit:
            query(unit)


def test_beside_another_workspace_only_the_platform_pauses_what_serves_both(
    runtime: Runtime, place: Place, other_place: Place
) -> None:
    owner = place.acting(Role.OWNER)
    with pytest.raises(Forbidden) as refused, runtime.unit(owner, write=True) as unit:
        commands.pause(unit, NAME, reason="For me")
    assert refused.value.facts["permission"] == access.PLATFORM_ADMIN
    with runtime.unit(owner, write=True) as unit:
        assert not queries.story(unit, NAME).schedule.can_pause
        commands.run_now(unit, NAME)  # does no harm to anybody


def test_nobody_of_another_workspace_is_named(runtime: Runtime, place: Place, other_place: Place) -> None:
    with runtime.unit(other_place.acting(Role.OWNER), write=True) as unit:
        commands.run_now(unit, NAME)
    with runtime.unit(place.acting(Role.MANAGER)) as unit:
        assert queries.story(unit, NAME).schedule.asked_by == queries.SOMEBODY


def test_what_cannot_be(runtime: Runtime, place: Place) -> None:
    def refused(kind: type[Exception], command: Callable[[Unit], None]) -> None:
        with pytest.raises(kind), runtime.unit(place.owner, write=True) as unit:
            command(unit)

    refused(NotFound, lambda unit: commands.run_now(unit, "nothing"))
    refused(Malformed, lambda unit: commands.pause(unit, NAME, reason="  "))
    refused(Malformed, lambda unit: commands.pause(unit, NAME, reason="x" * 501))
    refused(Conflict, lambda unit: commands.pause(unit, "heartbeat", reason="Quiet"))
    with runtime.unit(PROCESS) as unit:
        assert unit.session.get_one(Schedule, "heartbeat").paused_at is None
