import gc
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import Session

from data.engine import Database, open_database
from data.turns import Door, Turns

PATIENCE_S = 10.0
# Another of our processes, which writes almost without a pause until it is ended.
GREEDY = """
import sys, time
from sqlalchemy import text
from data.engine import open_database
file = open_database(sys.argv[1])
print("ready", flush=True)
while True:
    with file.write.begin() as connection:
        connection.execute(text("UPDATE kept SET a = a + 1"))
        time.sleep(0.02)
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    found = open_database(f"sqlite:///{tmp_path / 'waypost.db'}")
    with found.write.begin() as connection:
        connection.execute(text("CREATE TABLE kept (a)"))
        connection.execute(text("INSERT INTO kept VALUES (0)"))
    yield found
    found.dispose()


def _ask(turns: Turns, pool: ThreadPoolExecutor, order: list[int], number: int) -> None:
    """So many wait already once this returns."""

    def mine() -> None:
        assert turns.take(PATIENCE_S)
        order.append(number)
        turns.give()

    pool.submit(mine)
    _await(lambda: len(turns._waiting) >= number)


def _await(holds: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.0005)


def test_it_is_handed_on_in_the_order_in_which_it_was_asked_for() -> None:
    turns, order = Turns(), list[int]()
    assert turns.take(0)
    with ThreadPoolExecutor(8) as pool:
        for number in range(1, 9):
            _ask(turns, pool, order, number)
        turns.give()
    assert order == list(range(1, 9))
    assert turns.take(0)


def test_who_lost_patience_keeps_nobody_waiting() -> None:
    turns, order = Turns(), list[int]()
    assert turns.take(0)
    assert not turns.take(0.01)
    with ThreadPoolExecutor(1) as pool:
        _ask(turns, pool, order, 1)
        turns.give()
    assert order == [1]


def test_threads_write_in_the_order_in_which_they_came(file: Database) -> None:
    """One that begins anew at once, as it ends, does not overtake who waits."""
    order: list[str] = []

    def wait() -> None:
        with file.write.begin() as connection:
            order.append("waited")
            connection.execute(text("UPDATE kept SET a = a + 1"))

    with file.write.begin() as connection:
        thread = threading.Thread(target=wait)
        thread.start()
        turns: Turns = connection.connection.driver_connection.turns  # type: ignore[union-attr]
        _await(lambda: len(turns._waiting) == 1)
        order.append("first")
    with file.write.begin():
        order.append("first again")
    thread.join(PATIENCE_S)
    assert order == ["first", "waited", "first again"]


def test_another_process_that_writes_without_a_pause_keeps_nobody_out(file: Database) -> None:
    """SQLite alone would look a tenth of a second apart, for a gap of a few thousandths of one."""
    words = [sys.executable, "-c", GREEDY, f"sqlite:///{file.path}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as greedy:
        try:
            assert greedy.stdout is not None
            assert greedy.stdout.readline() == "ready\n"
            before = _count(file)
            for _ in range(20):
                with file.write.begin() as connection:
                    connection.execute(text("UPDATE kept SET a = a + 1000"))
            others = _count(file) % 1000 - before
        finally:
            greedy.kill()
    assert others < 100  # of its turns, while we had twenty of ours


def test_of_processes_that_wait_the_one_at_the_door_is_next(file: Database) -> None:
    """Each of these is opened as another process would, with turns and a door of its own."""
    second, third = (open_database(f"sqlite:///{file.path}") for _ in range(2))
    with second.write.connect() as one, third.write.connect() as other:
        drivers = [one.connection.driver_connection, other.connection.driver_connection]
    door, order = Door(file.path.parent), list[str]()

    def write(database: Database, name: str) -> None:
        with database.write.begin():
            order.append(name)

    for _ in range(20):
        with ThreadPoolExecutor(2) as pool, file.write.begin():
            pool.submit(write, second, "second")
            _await(lambda: not door.enter() or door.leave())
            pool.submit(write, third, "third")
            _await(lambda: all(driver.turns._is_taken for driver in drivers))  # type: ignore[union-attr]
    for database in (second, third):
        database.dispose()
    assert order == ["second", "third"] * 20


def _count(file: Database) -> int:
    with file.read.connect() as connection:
        found: int = connection.execute(text("SELECT a FROM kept")).scalar_one()
    return found


def test_who_is_refused_keeps_no_turn(tmp_path: Path) -> None:
    """Neither by another process, nor by one of our own threads."""
    file = open_database(f"sqlite:///{tmp_path / 'waypost.db'}")
    with file.write.begin() as connection:
        connection.execute(text("CREATE TABLE kept (a)"))
    other = sqlite3.connect(file.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with file.write.connect() as connection:
        connection.connection.driver_connection.patience_s = 0.05  # type: ignore[union-attr]
        with pytest.raises(OperationalError, match="locked"):
            connection.begin()
        other.execute("ROLLBACK")
        other.close()
        with connection.begin(), file.write.connect() as second:
            second.connection.driver_connection.patience_s = 0.05  # type: ignore[union-attr]
            with pytest.raises(OperationalError, match="locked"):
                second.begin()
        assert connection.connection.driver_connection.patience_s == 0.05  # type: ignore[union-attr]
    with file.write.begin() as connection:
        connection.execute(text("INSERT INTO kept VALUES (1)"))
    file.dispose()


def test_a_connection_that_is_dropped_in_the_middle_gives_its_turn_back(file: Database) -> None:
    connection = file.write.connect()
    connection.begin()
    connection.execute(text("UPDATE kept SET a = 7"))
    del connection
    gc.collect()
    with file.write.begin() as after:
        assert after.execute(text("SELECT a FROM kept")).scalar_one() == 0


def test_a_commit_that_fails_ends_the_transaction_and_the_turn(file: Database) -> None:
    with file.write.begin() as connection:
        connection.execute(text("CREATE TABLE parent (id PRIMARY KEY)"))
        connection.execute(
            text("CREATE TABLE child (a REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
        )
    with Session(file.write) as session:
        session.execute(text("UPDATE kept SET a = 7"))
        session.execute(text("INSERT INTO child VALUES (1)"))
        with pytest.raises(IntegrityError):
            session.commit()
    for _ in range(2):
        with file.write.connect() as connection:
            connection.connection.driver_connection.patience_s = 0.05  # type: ignore[union-attr]
            with connection.begin():
                assert connection.execute(text("SELECT a FROM kept")).scalar_one() == 0
