"""Each part of the installation: how it is, since when, what to do; nothing of any tenant."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from huey import SqliteHuey
from sqlmodel import SQLModel, col, select

from core.errors import Forbidden
from core.monitoring.commands import beat, beat_clock, lead, write_counts
from core.monitoring.doctor import diagnose
from core.monitoring.parts import Part, examine
from core.monitoring.rules import GIGABYTE, Standing, late_since, of_disk, of_lag
from core.monitoring.watching import watch
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.unit import ANONYMOUS, Identity, Unit
from data.alerts import Alert, Mail
from data.engine import open_database
from data.enums import DeliveryState, HoldCause, HoldScope, MailState, Role
from data.inbox import Delivery
from data.operations import Tally
from data.sending import Hold
from jobs.queue import HueyBell
from tests.conftest import PHONE_ID, Place, with_settings

PROCESS = Identity(process="test")


def part(runtime: Runtime, key: str) -> Part:
    (found,) = [one for one in examine(runtime, PROCESS) if one.key == key]
    return found


def add(runtime: Runtime, *rows: SQLModel) -> None:
    with runtime.unit(PROCESS, write=True) as unit:
        unit.session.add_all(rows)


def test_a_process_is_there_stopped_or_switched_off(runtime: Runtime, clock: FrozenClock) -> None:
    assert part(runtime, "worker").said == "None was ever seen."
    with runtime.unit(PROCESS, write=True) as unit:
        beat(unit, kind="worker", holder="host:1")
        beat(unit, kind="worker", holder="host:2")
    assert part(runtime, "worker").said.endswith("2 processes.")
    seen_at = clock.now()
    clock.advance(26)
    stopped = part(runtime, "worker")
    assert (stopped.standing, stopped.at) == (Standing.BAD, seen_at)
    assert "main.py serve" in stopped.advice
    without = with_settings(runtime, start_message_retry_worker=False)
    assert part(without, "worker").standing is Standing.OFF


def test_c2_of_two_clocks_one_is_the_clock_and_the_other_stands_by(runtime: Runtime) -> None:
    with runtime.unit(PROCESS, write=True) as unit:
        lead(unit, name="clock", holder="host:1")
        beat_clock(unit, holder="host:1")
        beat_clock(unit, holder="host:2")
    assert part(runtime, "clock").said == "Schedules run: 1 process, 1 standing by."


def test_webhooks_that_wait_say_since_when(runtime: Runtime, clock: FrozenClock, place: Place) -> None:
    since = clock.now()
    waiting = Delivery(
        id="dlv_1", workspace_id=place.workspace.id, received_at=since, sha256="", size=1
    )  # fmt: skip
    waiting.state = DeliveryState.PENDING
    add(runtime, waiting)
    assert part(runtime, "webhooks").standing is Standing.WELL
    clock.advance(61)
    assert (part(runtime, "webhooks").standing, part(runtime, "webhooks").at) == (Standing.WARNING, since)


@pytest.mark.parametrize(
    ("scope", "subject", "standing"),
    [(HoldScope.EVERYTHING, "*", Standing.BAD), (HoldScope.LANE, PHONE_ID, Standing.WARNING)],
)
def test_q7_an_outage_of_meta_is_said(
    runtime: Runtime, place: Place, scope: HoldScope, subject: str, standing: Standing
) -> None:
    assert part(runtime, "meta").standing is Standing.WELL
    now = runtime.clock.now()
    add(runtime, Hold(id="hol_1", scope=scope, subject=subject, cause=HoldCause.META, reason="", held_at=now))
    assert (part(runtime, "meta").standing, part(runtime, "meta").at) == (standing, now)
    assert PHONE_ID not in f"{part(runtime, 'meta')}"


def mail(state: MailState, attempts: int = 1, **more: Any) -> Mail:
    known = {"id": f"eml_{state}", "kind": "test", "recipient": "ada@x.example", "subject": "s"}
    return Mail(**known, state=state, attempts=attempts, last_error="550 ada@x.example", **more)


def test_mail_that_fails_is_said_without_whom_it_was_for(runtime: Runtime) -> None:
    now = runtime.clock.now()
    assert part(runtime, "mail").standing is Standing.WELL
    add(runtime, mail(MailState.FAILED, created_at=now))
    assert part(runtime, "mail").standing is Standing.BAD
    add(runtime, mail(MailState.QUEUED, created_at=now + timedelta(seconds=1), due_at=now))
    found = part(runtime, "mail")
    assert (found.standing, found.at) == (Standing.WARNING, now + timedelta(seconds=1))
    assert "ada" not in f"{found}"


def test_backups_are_watched_for_their_age(runtime: Runtime, tmp_path: Path) -> None:
    assert part(runtime, "backups").standing is Standing.OFF
    folder = tmp_path / "backups"
    watched = with_settings(runtime, waypost_backup_dir=folder)
    assert part(watched, "backups").standing is Standing.BAD
    folder.mkdir()
    assert part(watched, "backups").said == "There is none in WAYPOST_BACKUP_DIR."
    (folder / "one.db").touch()
    for hours, standing in ((29, Standing.WELL), (31, Standing.BAD)):
        made_at = runtime.clock.now() - timedelta(hours=hours)
        os.utime(folder / "one.db", (made_at.timestamp(),) * 2)
        assert (part(watched, "backups").standing, part(watched, "backups").at) == (standing, made_at)


def test_a_missing_backup_is_an_alert_until_there_is_one_and_says_since_when(
    runtime: Runtime, clock: FrozenClock, tmp_path: Path
) -> None:
    def alerts() -> list[tuple[str, str, bool]]:
        with runtime.unit(PROCESS) as unit:
            found = unit.session.exec(select(Alert).where(col(Alert.subject) == "backups"))
            return [(one.kind, one.title, one.resolved_at is None) for one in found]

    folder = tmp_path / "backups"
    folder.mkdir()
    watched = with_settings(runtime, waypost_backup_dir=folder)
    since = clock.now()
    assert watch(watched) == "Backups"
    clock.advance(60)
    watch(watched)
    assert alerts() == [("part_unwell", "Backups: There is none in WAYPOST_BACKUP_DIR.", True)]
    assert part(watched, "backups").at == since
    assert part(runtime, "backups").at is None  # a process that has no such setting
    (folder / "one.db").touch()
    os.utime(folder / "one.db", (since.timestamp(),) * 2)
    assert watch(watched) is None
    assert [is_open for _, _, is_open in alerts()] == [False]


def test_a_queue_that_cannot_be_used_is_said(runtime: Runtime, tmp_path: Path) -> None:
    working = HueyBell(SqliteHuey("w", filename=str(tmp_path / "huey.db")))
    assert part(replace(runtime, bell=working), "queue").standing is Standing.WELL
    (tmp_path / "no.db").write_text("no database at all, but for a while it looks like one")
    broken = replace(runtime, bell=HueyBell(_broken(tmp_path / "no.db")))
    assert part(broken, "queue").standing is Standing.BAD


def _broken(path: Path) -> SqliteHuey:
    path.unlink()
    huey = SqliteHuey("w", filename=str(path))
    huey.storage.close()
    path.write_bytes(b"no database" * 1000)
    return huey


def test_a_database_that_is_gone_leaves_the_other_parts(runtime: Runtime, tmp_path: Path) -> None:
    empty = open_database(f"sqlite:///{tmp_path / 'empty.db'}")
    found = {one.key: one.standing for one in examine(replace(runtime, database=empty), PROCESS)}
    empty.dispose()
    assert found["database"] is Standing.BAD
    assert set(found) == {"database", "queue", "disk", "backups"}


def test_health_is_for_people_of_a_workspace_and_doctor_says_the_same(runtime: Runtime, place: Place) -> None:
    assert examine(runtime, place.acting(Role.VIEWER))
    with pytest.raises(Exception, match="Sign in"):
        examine(runtime, ANONYMOUS)
    parts = [one.key for one in examine(runtime, PROCESS)]
    doctors = replace(runtime, graph=runtime.graph.again())
    assert [one.part for one in diagnose(doctors)] == [*parts, "meta address", "tokens"]


@pytest.mark.parametrize(
    ("free_gb", "total_gb", "standing"),
    [(3, 20, Standing.WELL), (1.5, 20, Standing.WARNING), (4, 100, Standing.WARNING), (0.2, 1, Standing.BAD)],
)
def test_when_a_disk_is_too_full(free_gb: float, total_gb: float, standing: Standing) -> None:
    assert of_disk(free=int(free_gb * GIGABYTE), total=int(total_gb * GIGABYTE)) is standing


def test_when_a_webhook_or_a_backup_is_too_late() -> None:
    now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    ages = {59: Standing.WELL, 120: Standing.WARNING, 660: Standing.BAD}
    assert {s: of_lag(now - timedelta(seconds=s), now=now) for s in ages} == ages
    assert late_since(now, every_h=24) == now + timedelta(hours=30)


def test_what_units_count_is_added_up_over_processes_and_only_once_committed(
    runtime: Runtime, place: Place
) -> None:
    def count(process: Runtime, then: Callable[[Unit], None] = lambda _: None) -> None:
        with process.unit(PROCESS, write=True) as unit:
            unit.count("sends", "accepted")
            then(unit)

    def fail(_: Unit) -> None:
        raise Forbidden("no")

    first, second = runtime, replace(runtime, counts=type(runtime.counts)())
    count(first)
    count(first)
    count(second)
    with pytest.raises(Forbidden):
        count(second, fail)
    for process in (first, second, first):
        write_counts(process)
    with runtime.unit(PROCESS) as unit:
        assert unit.session.get_one(Tally, ("sends", "accepted")).count == 3
