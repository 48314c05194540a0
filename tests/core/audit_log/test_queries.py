from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from core.audit_log import commands, queries
from core.audit_log.queries import AuditFilter
from core.errors import Forbidden, Malformed, NotFound, TooMany
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from data.enums import Role
from tests.conftest import NOW, Place

EVERYTHING = AuditFilter()


def write(runtime: Runtime, place: Place, action: str, target: str = "thing:1", **more: Any) -> None:
    with runtime.unit(place.owner, write=True) as unit:
        unit.record(action, target, **more)


def actions(runtime: Runtime, place: Place, wanted: AuditFilter = EVERYTHING, **bounds: Any) -> list[str]:
    with runtime.unit(place.owner) as unit:
        return [row.action for row in queries.list_entries(unit, wanted, **bounds).items]


def test_p9_the_log_is_newest_first_and_goes_on_where_the_page_ended(
    runtime: Runtime, place: Place, clock: FrozenClock
) -> None:
    for number in range(4):
        clock.advance(number % 2)  # two pairs of one moment
        write(runtime, place, f"thing.{number}")
    assert actions(runtime, place, limit=3) == ["thing.3", "thing.2", "thing.1"]
    seen, cursor = [], None
    while True:
        with runtime.unit(place.owner) as unit:
            page = queries.list_entries(unit, EVERYTHING, cursor=cursor, limit=1)
        seen += [row.action for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == actions(runtime, place, limit=100)
    assert len(seen) == len(set(seen)) + seen.count("api_key.created") - 1


def test_p9_each_filter_narrows_and_they_add_up(runtime: Runtime, place: Place, clock: FrozenClock) -> None:
    write(runtime, place, "thing.made", "thing:1")
    clock.advance(10)
    write(runtime, place, "thing.made", "thing:2")
    with runtime.unit(place.acting(Role.MANAGER), write=True) as unit:
        unit.record("thing.lost", "thing:1")
        key = unit.actor.id
    assert actions(runtime, place, AuditFilter(target="thing:1")) == ["thing.lost", "thing.made"]
    assert actions(runtime, place, AuditFilter(action="thing.made")) == ["thing.made"] * 2
    assert actions(runtime, place, AuditFilter(action="thing.made", target="thing:2")) == ["thing.made"]
    assert actions(runtime, place, AuditFilter(actor=key)) == ["thing.lost"]
    later = NOW + timedelta(seconds=10)
    assert actions(runtime, place, AuditFilter(since=later)) == ["thing.lost", "thing.made"]
    assert "thing.lost" not in actions(runtime, place, AuditFilter(until=later))


def test_p5_another_workspaces_entries_are_not_there(
    runtime: Runtime, place: Place, other_place: Place
) -> None:
    write(runtime, place, "thing.made")
    with runtime.unit(place.owner) as unit:
        number = str(queries.list_entries(unit, EVERYTHING, limit=1).items[0].number)
        assert queries.find_entry(unit, number).action == "thing.made"
    assert "thing.made" not in actions(runtime, other_place)
    with runtime.unit(other_place.owner) as unit:
        assert "thing.made" not in queries.choices(unit).actions
        with pytest.raises(NotFound):
            queries.find_entry(unit, number)


@pytest.mark.parametrize("number", ["0", "x", "-1", "٣", "9" * 40, ""])
def test_a_number_that_is_none_is_not_found(runtime: Runtime, place: Place, number: str) -> None:
    with runtime.unit(place.owner) as unit, pytest.raises(NotFound):
        queries.find_entry(unit, number)


@pytest.mark.parametrize("cursor", ["", "1", "x.1", "1.x", "٣.1", f"{'9' * 30}.1"])
def test_a_cursor_that_is_none_of_ours_is_refused(runtime: Runtime, place: Place, cursor: str) -> None:
    with runtime.unit(place.owner) as unit, pytest.raises(Malformed):
        queries.list_entries(unit, EVERYTHING, cursor=cursor)


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER, Role.SUPPORT])
def test_p9_only_those_with_audit_view_read_it(runtime: Runtime, place: Place, role: Role) -> None:
    with runtime.unit(place.acting(role)) as unit:
        for read in (
            lambda: queries.list_entries(unit, EVERYTHING),
            lambda: queries.find_entry(unit, "1"),
            lambda: queries.choices(unit),
            lambda: queries.verify(unit),
        ):
            with pytest.raises(Forbidden, match=r"audit\.view"):
                read()


def test_p9_an_entry_says_who_and_what_by_name(runtime: Runtime, place: Place) -> None:
    with runtime.unit(place.acting(Role.OWNER), write=True) as unit:
        unit.record("thing.changed", f"api_key:{unit.actor.id}", before={"a": 1}, after={"a": 2})
    with runtime.unit(place.owner) as unit:
        row = queries.list_entries(unit, EVERYTHING, limit=1).items[0]
        known = queries.choices(unit)
    assert (row.actor_name, row.target_name) == ("owner", "owner")
    assert [(each.name, each.before, each.after) for each in row.changes] == [("a", "1", "2")]
    assert known.actors[row.actor] == "owner"
    assert known.actors["process:command"] == "Waypost (command)"
    assert known.actions == sorted({"api_key.created", "thing.changed", "workspace.created"})


def test_days_are_those_of_the_workspace(runtime: Runtime, place: Place) -> None:
    with runtime.unit(place.owner) as unit:
        wanted = queries.filter_of_days(unit, first=date(2026, 11, 23), last=None, actor="x")
    assert wanted == AuditFilter(actor="x", since=NOW.replace(hour=0))


def test_p9_taking_the_log_out_is_an_entry_and_not_in_what_is_taken_out(
    runtime: Runtime, place: Place, clock: FrozenClock
) -> None:
    clock.advance(1)
    with runtime.unit(place.acting(Role.OWNER), write=True) as unit:
        wanted = commands.record_export(unit, AuditFilter(action="workspace.created"), form="csv")
    assert actions(runtime, place, wanted) == ["workspace.created"]
    assert actions(runtime, place, AuditFilter(until=wanted.until, action="audit.exported")) == []
    with runtime.unit(place.owner) as unit:
        newest = queries.list_entries(unit, EVERYTHING, limit=1).items[0]
    assert newest.after == {"form": "csv", "action": "workspace.created"}


def test_p9_a_manager_may_read_the_log_and_not_take_it_out(runtime: Runtime, place: Place) -> None:
    with (
        pytest.raises(Forbidden, match=r"audit\.export"),
        runtime.unit(place.acting(Role.MANAGER), write=True) as unit,
    ):
        commands.record_export(unit, EVERYTHING, form="jsonl")
    assert actions(runtime, place, AuditFilter(action="refused")) == ["refused"]


def test_p9_verify_tells_whether_the_chain_is_whole(runtime: Runtime, place: Place) -> None:
    with runtime.unit(place.owner) as unit:
        verdict = queries.verify(unit)
    assert verdict.whole
    assert verdict.entries > 0


@pytest.mark.parametrize(
    "wanted",
    [
        EVERYTHING,
        AuditFilter(actor="usr_1"),
        AuditFilter(action="sign_in"),
        AuditFilter(target="member:mem_1"),
        AuditFilter(since=NOW, until=NOW),
        AuditFilter(actor="usr_1", since=NOW, until=NOW),
        AuditFilter(action="sign_in", target="user:usr_1"),
    ],
)
def test_every_filter_of_the_page_has_an_index_in_the_order_of_the_list(
    runtime: Runtime, place: Place, wanted: AuditFilter
) -> None:
    if not runtime.database.is_sqlite:
        pytest.skip("PostgreSQL plans by statistics, and this table is all but empty")
    with runtime.unit(place.owner) as unit:
        statement = queries.newest_first(queries.narrow(unit, wanted)).limit(51)
        sql = statement.compile(unit.session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in unit.session.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]
    assert len(plan) == 1, plan
    assert "USING INDEX ix_audit_entry_" in plan[0]


def test_p9_the_log_is_verified_for_one_at_a_time(runtime: Runtime, place: Place) -> None:
    def verify() -> bool:
        with runtime.unit(place.acting(Role.MANAGER)) as unit:
            return queries.verify(unit).whole

    told: list[TooMany] = []

    def ask_meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "audit_head" in statement and not told:
            with pytest.raises(TooMany) as refusal:
                verify()
            told.append(refusal.value)

    event.listen(runtime.database.read, "after_cursor_execute", ask_meanwhile)
    try:
        assert verify()
    finally:
        event.remove(runtime.database.read, "after_cursor_execute", ask_meanwhile)
    assert [(error.code, error.facts["retry_after_s"]) for error in told] == [("verifying", 5)]
    assert verify()
