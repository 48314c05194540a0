"""Backups of a SQLite database that is in use, and going back to one."""

import gzip
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pyrage import x25519
from sqlmodel import select

from core.backups import rules
from core.backups.restoring import restore
from core.backups.taking import take, take_by_schedule
from core.errors import Impossible
from core.monitoring.commands import beat
from core.ports.vault import Vault
from core.runtime import Runtime
from core.team.owners import COMMAND
from data.engine import open_database
from data.sending import Hold
from tests.conftest import NOW, Place, with_settings


@pytest.fixture
def at_work(runtime: Runtime, place: Place) -> Runtime:
    """On SQLite, with a workspace in it."""
    if not runtime.database.is_sqlite:
        pytest.skip("PostgreSQL has its own tools")
    return runtime


def rows(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the database but what a restore adds."""
    with closing(sqlite3.connect(file)) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        left_out = ("audit", "hold", "alert", "sqlite_", "workspace_")
        return {
            name: sorted(map(repr, database.execute(f'SELECT * FROM "{name}"')))
            for name in names
            if not name.startswith(left_out)
        }


def refusal(act: Callable[..., object], *words: object, **named: object) -> str:
    with pytest.raises(Impossible) as caught:
        act(*words, **named)
    return caught.value.sentence


def afresh(runtime: Runtime) -> Runtime:
    """What was replaced is opened anew, as a new process would."""
    return replace(runtime, database=open_database(str(runtime.database.url)))


def holds(runtime: Runtime) -> list[Hold]:
    with afresh(runtime).unit(COMMAND) as unit:
        return list(unit.session.exec(select(Hold)))


def test_what_is_restored_is_what_was_backed_up_and_everything_is_paused(
    at_work: Runtime, tmp_path: Path
) -> None:
    path = at_work.database.path
    before = rows(path)
    file = tmp_path / "night.db.gz"
    about = take(at_work, file)
    assert about.rows["workspace"] == 1
    assert file.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM template")
    assert rows(path) != before
    done = restore(at_work, file)
    assert rows(path) == before
    assert done.kept_as is not None
    assert rows(done.kept_as)["template"] == []
    [paused] = holds(at_work)
    assert paused.subject == "*"
    assert "23 November 2026, 09:00 UTC" in paused.reason
    assert not [one for one in path.parent.iterdir() if one.name.startswith(".")]


def test_a_backup_is_one_moment_however_much_is_written_meanwhile(at_work: Runtime, tmp_path: Path) -> None:
    """Each transaction adds a pair; a backup between its halves would have an odd number."""
    stop = threading.Event()
    written = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with at_work.unit(COMMAND, write=True) as unit:
                for name in ("first", "second"):
                    beat(unit, kind="test", holder=f"{name} {unit.new_id('x')}")
            written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(20)
        counts = [take(at_work, tmp_path / f"{number}.gz").rows["heartbeat"] for number in range(5)]
    finally:
        stop.set()
        writer.join()
    assert all(count % 2 == 0 for count in counts)
    assert counts[0] < counts[-1]


def test_an_encrypted_backup_opens_with_its_identity_alone(at_work: Runtime, tmp_path: Path) -> None:
    ours, other = x25519.Identity.generate(), x25519.Identity.generate()
    sealing = with_settings(at_work, waypost_backup_recipient=str(ours.to_public()))
    file = tmp_path / "night.db.gz.age"
    take(sealing, file)
    assert b"Northwind" not in file.read_bytes()
    mine, theirs, none = (tmp_path / name for name in ("mine.txt", "theirs.txt", "none.txt"))
    mine.write_text(f"# created: today\n{ours}\n")
    theirs.write_text(f"{other}\n")
    none.write_text("nothing\n")
    assert "--identity" in refusal(restore, at_work, file)
    assert "does not open" in refusal(restore, at_work, file, identity=theirs)
    assert "holds no age identity" in refusal(restore, at_work, file, identity=none)
    assert restore(at_work, file, identity=mine).about.taken_at == NOW


def changed(file: Path, target: Path, statement: str) -> Path:
    """The same backup, with something else in it."""
    plain = target.with_suffix(".db")
    with gzip.open(file) as packed, plain.open("wb") as opened:
        shutil.copyfileobj(packed, opened)
    with closing(sqlite3.connect(plain)) as database, database:
        database.execute("PRAGMA foreign_keys=OFF")
        kept = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entry'"
        )
        for (name,) in kept.fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute(statement)
    with plain.open("rb") as opened, gzip.open(target, "wb") as packed:
        shutil.copyfileobj(opened, packed)
    return target


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM lane", "lane has 0 rows instead of 2"),
        ("UPDATE phone SET waba_id = 'nowhere'", "broken reference in phone"),
        ("UPDATE alembic_version SET version_num = '9999'", "newer Waypost (schema 9999"),
        (
            "UPDATE audit_entry SET action = 'nothing' WHERE number = 1",
            "entry 1",
        ),
        ("DROP TABLE backup_about", "no backup of Waypost"),
    ],
)
def test_a_backup_that_is_not_whole_replaces_nothing(
    at_work: Runtime, tmp_path: Path, statement: str, why: str
) -> None:
    file = tmp_path / "night.db.gz"
    take(at_work, file)
    before = at_work.database.path.read_bytes()
    bad = changed(file, tmp_path / "bad.gz", statement)
    assert why in refusal(restore, at_work, bad)
    assert at_work.database.path.read_bytes() == before


def test_files_that_are_cut_off_damaged_or_something_else_are_named(at_work: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "night.db.gz"
    take(at_work, file)
    whole = file.read_bytes()
    for content, why in (
        (whole[: len(whole) // 2], "was cut off"),
        (whole[:5000] + b"\x00\xff" * 50 + whole[5100:], "damaged"),
        (gzip.compress(b"not a database, but long enough to be read as one" * 100), "damaged"),
        (b"PK\x03\x04", "no backup of Waypost"),
        (b"", "no backup of Waypost"),
    ):
        bad = tmp_path / "bad"
        bad.write_bytes(content)
        assert why in refusal(restore, at_work, bad)
    assert "No such file" in refusal(restore, at_work, tmp_path / "nowhere")


def test_other_keys_than_those_of_its_time_are_refused(at_work: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "night.db.gz"
    take(at_work, file)
    other = replace(at_work, vault=Vault((Fernet.generate_key().decode(),)))
    assert "Put back the key file" in refusal(restore, other, file)


def test_nothing_is_replaced_under_a_running_process(at_work: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "night.db.gz"
    take(at_work, file)
    with at_work.unit(COMMAND, write=True) as unit:
        beat(unit, kind="worker", holder="elsewhere")
    assert "is running" in refusal(restore, at_work, file)
    later = replace(at_work, clock=type(at_work.clock)(NOW + timedelta(seconds=31)))
    assert restore(later, file).kept_as is not None


def test_a_database_that_is_broken_or_gone_can_be_restored(at_work: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "night.db.gz"
    take(at_work, file)
    at_work.database.dispose()
    at_work.database.path.write_bytes(b"nothing that is a database" * 400)
    assert restore(at_work, file).kept_as is not None
    afresh(at_work).database.path.unlink()
    assert restore(at_work, file).kept_as is None
    assert len(holds(at_work)) == 1


def test_a_backup_overwrites_nothing_and_says_where_it_cannot_be(at_work: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "night.db.gz"
    file.write_text("mine")
    assert "exists already" in refusal(take, at_work, file)
    assert file.read_text() == "mine"
    assert "No such file" in refusal(take, at_work, tmp_path / "nowhere" / "night.db.gz")


def test_scheduled_backups_are_the_newest_and_nothing_else_is_touched(
    at_work: Runtime, tmp_path: Path
) -> None:
    folder = tmp_path / "kept" / "here"
    clock = type(at_work.clock)(NOW)
    runtime = replace(with_settings(at_work, waypost_backup_dir=folder, waypost_backup_keep=2), clock=clock)
    names = []
    for _ in range(3):
        names.append(take_by_schedule(runtime))
        clock.advance(3600)
    (folder / "notes.txt").write_text("mine")
    names.append(take_by_schedule(runtime))
    assert {file.name for file in folder.iterdir()} == {*names[-2:], "notes.txt"}
    assert restore(runtime, folder / names[-1]).about.taken_at == clock.now()


def test_the_name_of_a_scheduled_backup_says_when() -> None:
    name = rules.name_of(NOW, encrypted=True)
    assert name == "waypost-20261123T090000Z.db.gz.age"
    assert rules.taken_at(name) == NOW
    assert rules.taken_at("waypost.db") is None


def test_postgresql_is_left_to_its_own_tools(runtime: Runtime, tmp_path: Path) -> None:
    if runtime.database.is_sqlite:
        pytest.skip("SQLite is backed up here")
    file = tmp_path / "night"
    assert "pg_dump" in refusal(take, runtime, file)
    assert "pg_restore" in refusal(restore, runtime, file)
