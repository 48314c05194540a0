"""Moving a SQLite database to a PostgreSQL server."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text
from sqlmodel import col, select

from core.backups.moving import Moved, move
from core.errors import Impossible
from core.monitoring.commands import beat
from core.runtime import Runtime
from core.team.owners import COMMAND
from data.engine import Database, open_database
from data.messages import Contact, DeadLetter, Message
from tests.conftest import POSTGRES_URL
from tests.core.desk import HOPELESS, PASSING, Desk, accepted

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture
def address(postgres: Database | None) -> Iterator[str]:
    """Of an empty database of its own."""
    if postgres is None:
        pytest.skip("no PostgreSQL answers at WAYPOST_TEST_POSTGRES_URL")
    name = f"{postgres.url.database}_moved"
    admin = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield admin.url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def worked(desk: Desk) -> Desk:
    """On SQLite: messages that went, failed, died and wait; a contact that became another."""
    if not desk.runtime.database.is_sqlite:
        pytest.skip("moved from SQLite")
    for reply in (accepted(), PASSING, HOPELESS, HOPELESS):
        desk.send_and_get(reply)
    desk.queue(1200, first=100)
    with desk.runtime.unit(COMMAND, write=True) as unit:
        first, second = unit.session.exec(select(Contact).order_by(col(Contact.id)).limit(2)).all()
        first.merged_into = second.id
    return desk


def refusal(runtime: Runtime, address: str) -> str:
    with pytest.raises(Impossible) as caught:
        move(runtime, address, say=lambda _: None)
    return caught.value.sentence


def test_everything_is_moved_and_goes_on_there(worked: Desk, address: str) -> None:
    before = worked.runtime.database.path.read_bytes()
    said: list[str] = []
    moved = move(worked.runtime, address, say=said.append)
    assert moved.tables == len(said)
    assert worked.runtime.database.path.read_bytes() == before
    there = replace(worked, runtime=replace(worked.runtime, database=open_database(address)))
    with there.runtime.unit(COMMAND) as unit:
        assert len(unit.session.exec(select(Message)).all()) == 1204
        counted = text("SELECT reltuples FROM pg_class WHERE relname = 'message'")
        assert unit.session.connection().scalar(counted) == 1204  # it plans by what it holds
        assert len(unit.session.exec(select(DeadLetter)).all()) == 2
        assert unit.session.exec(select(Contact).where(col(Contact.merged_into).is_not(None))).all()
    [oldest] = there.put_on_the_wire(in_all=1)
    there.answer((oldest, HOPELESS))  # triggers count it, numbers go on
    with there.runtime.unit(COMMAND) as unit:
        assert len(unit.session.exec(select(DeadLetter)).all()) == 3
    there.runtime.database.dispose()


def test_what_was_cut_off_goes_on(worked: Desk, address: str) -> None:
    class Cut(Exception):
        pass

    def cut_at_messages(name: str) -> None:
        if name == "message":
            raise Cut

    with pytest.raises(Cut):
        move(worked.runtime, address, say=cut_at_messages)
    there = open_database(address)
    with there.write.begin() as connection:  # the batch that was under way
        connection.execute(text("DELETE FROM message WHERE id IN (SELECT max(id) FROM message)"))
    there.dispose()
    moved: Moved = move(worked.runtime, address, say=lambda _: None)
    assert moved.rows > 1204


@pytest.mark.crash
def test_a_kill_leaves_no_trigger_off(worked: Desk, address: str, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "WAYPOST_DATABASE_URL": f"sqlite:///{worked.runtime.database.path}",
        "WAYPOST_SECRET_KEYS": Fernet.generate_key().decode(),
    }
    mover = [sys.executable, str(ROOT / "tests" / "crash" / "mover.py"), address]
    died = subprocess.run(mover, cwd=tmp_path, env=environment, timeout=120, check=False)
    assert died.returncode == -signal.SIGKILL
    there = open_database(address)
    with there.read.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM workspace")) == 1
        assert connection.scalar(text("SELECT count(*) FROM message")) == 0
        assert connection.scalar(text("SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D'")) == 0
    there.dispose()
    assert move(worked.runtime, address, say=lambda _: None).rows > 1204


def test_a_difference_is_found_and_a_database_in_use_is_left_alone(worked: Desk, address: str) -> None:
    move(worked.runtime, address, say=lambda _: None)
    there = open_database(address)
    with there.write.begin() as connection:
        connection.execute(text("UPDATE template SET category = 'OTHER' WHERE name = 'order_update'"))
    assert "template differs: 4 rows here, 4 there" in refusal(worked.runtime, address)
    with there.write.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO workspace SELECT (w).* FROM (SELECT jsonb_populate_record(w, "
                """'{"id": "ws_other", "slug": "other"}') AS w FROM workspace w) AS changed"""
            )
        )
    there.dispose()
    assert "other workspaces" in refusal(worked.runtime, address)


def test_where_it_cannot_move_it_says_why(worked: Desk, address: str) -> None:
    assert "postgresql+psycopg://" in refusal(worked.runtime, "sqlite:///elsewhere.db")
    assert "does not answer" in refusal(worked.runtime, "postgresql+psycopg://root@127.0.0.1:9/nothing")
    with worked.runtime.unit(COMMAND, write=True) as unit:
        beat(unit, kind="worker", holder="elsewhere")
    assert "is running" in refusal(worked.runtime, address)
