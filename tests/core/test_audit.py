import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from core import audit
from core.audit import Verdict
from core.runtime import Runtime
from core.team.owners import COMMAND
from data.engine import Database
from data.operations import AuditEntry, AuditHead
from tests.conftest import Place


def verdict(runtime: Runtime) -> Verdict:
    with runtime.unit(COMMAND) as unit:
        return audit.verify(unit.session, runtime.vault)


def record(runtime: Runtime, count: int = 1, **more: Any) -> None:
    for number in range(count):
        with runtime.unit(COMMAND, write=True) as unit:
            unit.record("thing.done", f"thing:{number}", after={"number": number, "words": "ü\u2028"}, **more)


def tamper(database: Database, statement: str) -> None:
    """As someone would who owns the database: without the triggers."""
    with database.write.begin() as connection:
        if database.is_sqlite:
            found = connection.execute(
                text(
                    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entry'"
                )
            ).all()
            for name, _ in found:
                connection.execute(text(f"DROP TRIGGER {name}"))
            connection.execute(text(statement))
            for _, sql in found:
                connection.execute(text(sql))
        else:
            connection.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER ALL"))
            connection.execute(text(statement))
            connection.execute(text("ALTER TABLE audit_entry ENABLE TRIGGER ALL"))


def test_p9_entries_are_numbered_without_a_gap_and_the_chain_is_whole(runtime: Runtime, place: Place) -> None:
    start = verdict(runtime).entries
    record(runtime, 5)
    assert verdict(runtime) == Verdict(whole=True, entries=start + 5, first_broken=None)
    with runtime.unit(COMMAND) as unit:
        numbers = [entry.number for entry in unit.session.exec(select(AuditEntry).order_by("number"))]
    assert numbers == list(range(1, start + 6))


def test_p9_an_empty_log_is_whole(runtime: Runtime) -> None:
    assert verdict(runtime) == Verdict(whole=True, entries=0, first_broken=None)


CHANGES = [
    "actor = 'someone else'",
    "action = 'thing.undone'",
    "target = 'thing:9'",
    "at = at + 1",
    "after = '{\"number\": 99}'",
    "before = '{}'",
    "address = '203.0.113.1'",
    "request_id = 'x'",
    "workspace_id = 'ws_other'",
    "hash = 'é'",
]


def test_p9_verify_names_the_first_entry_that_was_changed(
    runtime: Runtime, place: Place, database: Database
) -> None:
    record(runtime, len(CHANGES))
    entries = verdict(runtime).entries
    for number, change in zip(range(entries, 0, -1), CHANGES, strict=False):
        tamper(database, f"UPDATE audit_entry SET {change} WHERE number = {number}")
        assert verdict(runtime) == Verdict(whole=False, entries=entries, first_broken=number)


def test_p9_a_missing_entry_and_a_cut_off_end_show(
    runtime: Runtime, place: Place, database: Database
) -> None:
    start = verdict(runtime).entries
    record(runtime, 5)
    tamper(database, f"DELETE FROM audit_entry WHERE number > {start + 3}")
    assert verdict(runtime) == Verdict(whole=False, entries=start + 5, first_broken=start + 4)
    tamper(database, f"DELETE FROM audit_entry WHERE number = {start + 2}")
    assert verdict(runtime).first_broken == start + 2


def test_p9_a_chain_without_its_head_is_not_whole(runtime: Runtime, place: Place, database: Database) -> None:
    record(runtime, 2)
    with database.write.begin() as connection:
        connection.execute(text("DELETE FROM audit_head"))
    found = verdict(runtime)
    assert (found.whole, found.first_broken) == (False, 1)


def test_p9_a_head_set_back_with_its_entries_cut_needs_the_chains_key(
    runtime: Runtime, place: Place, database: Database
) -> None:
    record(runtime, 3)
    with runtime.unit(COMMAND) as unit:
        head = unit.session.exec(select(AuditHead)).one()
    tamper(database, f"DELETE FROM audit_entry WHERE number = {head.number}")
    with database.write.begin() as connection:
        connection.execute(text(f"UPDATE audit_head SET number = {head.number - 1}"))
    assert not verdict(runtime).whole


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"])
def test_p9_triggers_refuse_every_change(
    runtime: Runtime, place: Place, database: Database, statement: str
) -> None:
    def change() -> None:
        with database.write.begin() as connection:
            connection.execute(text(statement))

    with pytest.raises(DBAPIError, match="never changed"):
        change()
    assert verdict(runtime).whole


def test_p9_a_chain_that_grows_while_it_is_read_is_whole(
    runtime: Runtime, place: Place, database: Database
) -> None:
    """On PostgreSQL each statement of a reader sees what was committed before it, not before the first."""
    record(runtime, 3)
    found = verdict(runtime)
    grown: list[str] = []

    def grow(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "audit_" in statement:
            grown.append(statement)
            record(runtime)

    event.listen(database.read, "after_cursor_execute", grow)
    try:
        while_growing = verdict(runtime)
    finally:
        event.remove(database.read, "after_cursor_execute", grow)
    assert len(grown) > 1
    assert while_growing.whole
    assert while_growing.entries >= found.entries
    assert verdict(runtime) == Verdict(whole=True, entries=found.entries + len(grown), first_broken=None)


def test_p9_an_entry_behind_the_head_shows(runtime: Runtime, place: Place, database: Database) -> None:
    record(runtime, 2)
    entries = verdict(runtime).entries
    tamper(
        database,
        "INSERT INTO audit_entry (number, at, actor, action, target, hash) "
        f"SELECT {entries + 1}, at, actor, action, target, hash FROM audit_entry WHERE number = {entries}",
    )
    assert verdict(runtime) == Verdict(whole=False, entries=entries, first_broken=entries + 1)


def test_p9_an_entry_is_in_the_transaction_of_what_it_tells(runtime: Runtime, place: Place) -> None:
    before = verdict(runtime)

    def fail() -> None:
        with runtime.unit(COMMAND, write=True) as unit:
            unit.record("thing.done", "thing:1")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()
    assert verdict(runtime) == before


def test_p9_twenty_writers_at_once_keep_one_chain(runtime: Runtime) -> None:
    record(runtime)
    start = threading.Barrier(20)

    def one(_: int) -> None:
        start.wait()
        record(runtime, 2)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(one, range(20)))
    assert verdict(runtime) == Verdict(whole=True, entries=41, first_broken=None)
