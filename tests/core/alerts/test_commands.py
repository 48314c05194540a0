import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlmodel import col, select

from core.alerts import commands, queries
from core.alerts.kinds import KINDS
from core.alerts.queries import AlertFilter, AlertRow
from core.errors import Conflict, Forbidden, Malformed, NotFound
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.team.keys import create_api_key
from core.team.names import hash_key
from core.team.owners import COMMAND
from core.unit import Identity
from data.alerts import Alert
from data.enums import AlertState, Role, Severity
from data.operations import AuditEntry
from tests.conftest import NOW, PHONE_ID, Place
from tests.core.desk import WORKER


def raise_one(runtime: Runtime, place: Place | None, **said: Any) -> str:
    """The id of the alert that is open afterwards."""
    about: dict[str, Any] = {
        "kind": "lane_held",
        "subject": PHONE_ID,
        "severity": Severity.CRITICAL,
        "title": "A number sends nothing",
        "workspace_id": place.workspace.id if place else None,
    }
    with runtime.unit(WORKER, write=True) as unit:
        return commands.raise_alert(unit, **about | said).id


def resolve(
    runtime: Runtime, place: Place | None, *, kind: str = "lane_held", subject: str = PHONE_ID
) -> bool:
    with runtime.unit(WORKER, write=True) as unit:
        return commands.resolve_alert(
            unit, kind=kind, subject=subject, workspace_id=place.workspace.id if place else None
        )


def acknowledge(runtime: Runtime, identity: Identity, alert_id: str) -> None:
    with runtime.unit(identity, write=True) as unit:
        commands.acknowledge(unit, alert_id)


def listed(runtime: Runtime, identity: Identity, **wanted: Any) -> list[AlertRow]:
    with runtime.unit(identity) as unit:
        return queries.list_alerts(unit, AlertFilter(**wanted)).items


def stored(runtime: Runtime) -> list[Alert]:
    with runtime.unit(WORKER) as unit:
        return list(unit.session.exec(select(Alert).order_by(col(Alert.id))))


def platform_admin(runtime: Runtime) -> Identity:
    with runtime.unit(COMMAND, write=True) as unit:
        return Identity(
            key_hash=hash_key(create_api_key(unit, workspace=None, role=None, name="Platform")[1])
        )


def test_a1_an_alert_says_what_is_wrong_what_it_means_and_what_to_do(runtime: Runtime, place: Place) -> None:
    raise_one(runtime, place, detail="Payment is missing (131042).", link="/queue")
    (row,) = listed(runtime, place.acting(Role.MANAGER))
    assert (row.kind, row.subject, row.severity) == ("lane_held", PHONE_ID, Severity.CRITICAL)
    assert (row.title, row.detail, row.link) == (
        "A number sends nothing",
        "Payment is missing (131042).",
        "/queue",
    )
    assert (row.meaning, row.advice) == (KINDS["lane_held"].meaning, KINDS["lane_held"].advice)
    assert (row.times, row.opened_at, row.resolved_at, row.is_of_platform) == (1, NOW, None, False)


def test_a1_raised_again_it_is_the_same_alert_and_says_the_newest(
    runtime: Runtime, place: Place, clock: FrozenClock
) -> None:
    first = raise_one(runtime, place, severity=Severity.WARNING, title="Old", detail="Old", link="/old")
    acknowledge(runtime, place.acting(Role.OWNER), first)
    clock.advance(60)
    assert raise_one(runtime, place, title="New", detail="New", link="/new") == first
    (row,) = listed(runtime, place.acting(Role.OWNER))
    assert (row.severity, row.title, row.detail, row.link) == (Severity.CRITICAL, "New", "New", "/new")
    assert (row.times, row.opened_at, row.last_seen_at) == (2, NOW, clock.now())
    assert row.acknowledged_at == NOW


def test_a1_in_one_unit_the_second_raise_is_what_the_first_row_says(runtime: Runtime, place: Place) -> None:
    """A stale copy in the session would write the old words back."""
    about: dict[str, Any] = {"kind": "lane_held", "subject": PHONE_ID, "severity": Severity.INFO}
    with runtime.unit(WORKER, write=True) as unit:
        first = commands.raise_alert(unit, **about, title="One", workspace_id=place.workspace.id)
        second = commands.raise_alert(unit, **about, title="Two", workspace_id=place.workspace.id)
        assert first is second
        assert (second.title, second.times) == ("Two", 2)
    assert [(alert.title, alert.times) for alert in stored(runtime)] == [("Two", 2)]


def test_a1_other_kinds_subjects_and_workspaces_are_alerts_of_their_own(
    runtime: Runtime, place: Place, other_place: Place
) -> None:
    first = raise_one(runtime, place)
    raise_one(runtime, place, subject="1")
    raise_one(runtime, place, kind="phone_quality")
    raise_one(runtime, other_place)
    raise_one(runtime, None)
    assert [alert.times for alert in stored(runtime)] == [1] * 5
    assert resolve(runtime, place)
    assert [alert.id for alert in stored(runtime) if alert.resolved_at is not None] == [first]


def test_a1_resolved_it_is_closed_and_the_next_is_another(
    runtime: Runtime, place: Place, clock: FrozenClock
) -> None:
    first = raise_one(runtime, place)
    clock.advance(60)
    assert resolve(runtime, place)
    assert not resolve(runtime, place)
    assert [alert.resolved_at for alert in stored(runtime)] == [clock.now()]
    clock.advance(60)
    assert raise_one(runtime, place) != first
    states = [(alert.times, alert.resolved_at is None) for alert in stored(runtime)]
    assert states == [(1, False), (1, True)]


def test_a1_raised_by_many_at_once_it_is_one(runtime: Runtime, place: Place) -> None:
    start = threading.Barrier(8, timeout=10)

    def one(_: int) -> str:
        start.wait()
        return raise_one(runtime, place)

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(one, range(16)))
    assert [(alert.id, alert.times) for alert in stored(runtime)] == [(ids.pop(), 16)]
    assert not ids


def test_a1_raised_and_resolved_at_once_at_most_one_is_open(runtime: Runtime, place: Place) -> None:
    start = threading.Barrier(8, timeout=10)

    def one(index: int) -> None:
        start.wait()
        if index % 2:
            resolve(runtime, place)
        else:
            raise_one(runtime, place)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(32)))
    alerts = stored(runtime)
    assert sum(alert.resolved_at is None for alert in alerts) <= 1
    assert sum(alert.times for alert in alerts) == 16


@pytest.mark.parametrize("link", ["https://evil.example", "//evil.example", "javascript:alert(1)"])
def test_an_alert_links_to_a_place_of_ours_alone(runtime: Runtime, place: Place, link: str) -> None:
    with pytest.raises(ValueError, match="a path of ours"):
        raise_one(runtime, place, link=link)
    assert stored(runtime) == []


def test_a_kind_that_the_table_does_not_have_is_a_mistake_of_ours(runtime: Runtime, place: Place) -> None:
    with pytest.raises(LookupError):
        raise_one(runtime, place, kind="no_such")
    with pytest.raises(LookupError):
        resolve(runtime, place, kind="no_such")


def test_long_words_are_cut_not_refused(runtime: Runtime, place: Place) -> None:
    raise_one(runtime, place, title="t" * 500, detail="d" * 5000)
    (alert,) = stored(runtime)
    assert (len(alert.title), len(alert.detail)) == (commands.TITLE_MAX, commands.DETAIL_MAX)


def test_acknowledging_names_the_first_who_did_and_leaves_an_entry(
    runtime: Runtime, place: Place, clock: FrozenClock
) -> None:
    alert_id = raise_one(runtime, place)
    acknowledge(runtime, place.acting(Role.MANAGER), alert_id)
    clock.advance(60)
    acknowledge(runtime, place.acting(Role.OWNER), alert_id)
    (row,) = listed(runtime, place.acting(Role.OWNER))
    assert (row.acknowledged_by, row.acknowledged_at, row.resolved_at) == ("manager", NOW, None)
    assert not row.can_acknowledge
    with runtime.unit(WORKER) as unit:
        found = select(AuditEntry).where(col(AuditEntry.action) == "alert.acknowledged")
        (entry,) = unit.session.exec(found)
    assert (entry.target, entry.workspace_id) == (f"alert:{alert_id}", place.workspace.id)
    assert entry.after == {"kind": "lane_held", "subject": PHONE_ID}


def test_a_resolved_alert_is_not_acknowledged(runtime: Runtime, place: Place) -> None:
    alert_id = raise_one(runtime, place)
    resolve(runtime, place)
    with pytest.raises(Conflict) as refusal:
        acknowledge(runtime, place.acting(Role.OWNER), alert_id)
    assert refusal.value.code == "alert_resolved"
    (row,) = listed(runtime, place.acting(Role.OWNER))
    assert not row.can_acknowledge


def test_p1_who_may_neither_see_nor_acknowledge(runtime: Runtime, place: Place) -> None:
    alert_id = raise_one(runtime, place)
    for role in (Role.AGENT, Role.VIEWER, Role.SUPPORT):
        with pytest.raises(Forbidden) as refusal:
            acknowledge(runtime, place.acting(role), alert_id)
        assert refusal.value.facts["permission"] == "alerts.acknowledge"
        for look in (queries.count_open, lambda unit: queries.list_alerts(unit, AlertFilter())):
            with pytest.raises(Forbidden) as refusal, runtime.unit(place.acting(role)) as unit:
                look(unit)
            assert refusal.value.facts["permission"] == "alerts.view"


def test_p5_another_workspaces_alert_is_not_there(runtime: Runtime, place: Place, other_place: Place) -> None:
    theirs = raise_one(runtime, other_place)
    platforms = raise_one(runtime, None)
    for alert_id in (theirs, platforms, "alr_none"):
        with pytest.raises(NotFound):
            acknowledge(runtime, place.acting(Role.OWNER), alert_id)
        with pytest.raises(NotFound), runtime.unit(place.acting(Role.OWNER)) as unit:
            queries.get_alert(unit, alert_id)
    assert listed(runtime, place.acting(Role.OWNER)) == []


def test_the_installations_alerts_are_the_platform_admins(
    runtime: Runtime, place: Place, clock: FrozenClock
) -> None:
    raise_one(runtime, place)
    clock.advance(1)
    platforms = raise_one(runtime, None)
    admin = platform_admin(runtime)
    (row,) = listed(runtime, admin)
    assert (row.id, row.is_of_platform, row.can_acknowledge) == (platforms, True, True)
    with runtime.unit(admin) as unit:
        assert queries.count_open(unit) == 1
        assert queries.get_alert(unit, platforms).id == platforms
    acknowledge(runtime, admin, platforms)
    with runtime.unit(place.owner) as unit:  # a process of the workspace sees both
        assert queries.count_open(unit) == 2
        assert [one.acknowledged_by for one in queries.list_alerts(unit, AlertFilter()).items] == [
            "Platform",
            None,
        ]


@pytest.mark.parametrize("both", [True, False])
def test_the_list_is_newest_first_page_by_page(
    runtime: Runtime, place: Place, clock: FrozenClock, both: bool
) -> None:
    ids = []
    for index in range(7):
        clock.advance(1)
        where = None if both and index % 3 == 0 else place
        ids.append(raise_one(runtime, where, subject=str(index)))
    seen: list[str] = []
    cursor = None
    with runtime.unit(place.owner) as unit:
        for _ in range(3):
            page = queries.list_alerts(unit, AlertFilter(), cursor=cursor, limit=3)
            seen += [row.id for row in page.items]
            cursor = page.next_cursor
    assert seen == ids[::-1]
    assert cursor is None


def test_a_cursor_that_is_none_is_malformed(runtime: Runtime, place: Place) -> None:
    with pytest.raises(Malformed), runtime.unit(place.owner) as unit:
        queries.list_alerts(unit, AlertFilter(), cursor="nonsense")


def test_the_list_is_narrowed_by_state_and_severity(runtime: Runtime, place: Place) -> None:
    raise_one(runtime, place, subject="gone")
    resolve(runtime, place, subject="gone")
    raise_one(runtime, place, subject="open")
    raise_one(runtime, place, subject="mild", severity=Severity.INFO)
    owner = place.acting(Role.OWNER)

    def subjects(**wanted: Any) -> set[str]:
        return {row.subject for row in listed(runtime, owner, **wanted)}

    assert subjects() == {"gone", "open", "mild"}
    assert subjects(state=AlertState.OPEN) == {"open", "mild"}
    assert subjects(state=AlertState.RESOLVED) == {"gone"}
    assert subjects(severity=Severity.INFO) == {"mild"}
    assert subjects(state=AlertState.OPEN, severity=Severity.CRITICAL) == {"open"}
    with runtime.unit(owner) as unit:
        assert queries.count_open(unit) == 2


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (AlertFilter(), "ix_alert_workspace"),
        (AlertFilter(state=AlertState.OPEN), "ix_alert_open"),
        (AlertFilter(state=AlertState.RESOLVED), "ix_alert_workspace"),
        (AlertFilter(severity=Severity.INFO), "ix_alert_severity"),
    ],
)
@pytest.mark.parametrize("of_platform", [True, False])
def test_every_filter_has_an_index_and_sorts_nothing(
    runtime: Runtime, place: Place, wanted: AlertFilter, index: str, of_platform: bool
) -> None:
    if not runtime.database.is_sqlite:
        pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
    with runtime.unit(place.owner) as unit:
        statement = queries._narrow(
            select(Alert).where(queries._is_at(None if of_platform else place.workspace.id)), wanted
        ).order_by(col(Alert.id).desc())
        sql = statement.compile(unit.session.get_bind(), compile_kwargs={"literal_binds": True})
        rows = unit.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")
        plan = [str(row[3]) for row in rows]
    assert any(index in step for step in plan), plan
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in plan), plan


def test_every_kind_says_what_it_means_what_to_do_and_what_ends_it() -> None:
    for key, kind in KINDS.items():
        assert kind.key == key
        for sentence in (kind.meaning, kind.advice):
            assert sentence.endswith("."), key
        for words in (kind.title, kind.ends):
            assert words[0].isupper(), key
            assert not words.endswith("."), key
