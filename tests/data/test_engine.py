import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from data.engine import Database

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


@pytest.mark.parametrize("writes", [True, False])
def test_sqlite_is_tuned_as_promised(database: Database, writes: bool) -> None:
    if not database.is_sqlite:
        pytest.skip("pragmas are SQLite's")
    engine = database.write if writes else database.read
    with engine.connect() as connection:
        for name, expected in PRAGMAS.items():
            assert connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() == expected
        assert connection.exec_driver_sql("PRAGMA query_only").scalar_one() == (0 if writes else 1)


def test_the_read_engine_refuses_every_change(database: Database) -> None:
    for statement in (
        "INSERT INTO lease (name, holder, until) VALUES ('a', 'b', 1)",
        "UPDATE plan SET messages_per_second = 1000",
        "DELETE FROM plan",
    ):
        with (
            database.read.connect() as connection,
            pytest.raises(DBAPIError, match=r"readonly|read-only"),
        ):
            connection.execute(text(statement))


def test_foreign_keys_hold(database: Database) -> None:
    orphan = "INSERT INTO lane (phone_number_id, workspace_id, slots) VALUES ('1', 'ws_none', :slots)"
    with database.write.connect() as connection, pytest.raises(DBAPIError, match=r"(?i)foreign key"):
        connection.execute(text(orphan), {"slots": b""})


def test_writers_that_read_first_lose_no_update(database: Database) -> None:
    with database.write.begin() as connection:
        connection.execute(text("INSERT INTO lease (name, holder, until) VALUES ('count', 'x', 0)"))
    start = threading.Barrier(8)
    lock = "" if database.is_sqlite else " FOR UPDATE"

    def add(_: int) -> None:
        start.wait()
        for _ in range(10):
            with database.write.begin() as connection:
                read = connection.execute(text(f"SELECT until FROM lease WHERE name = 'count'{lock}"))
                connection.execute(
                    text("UPDATE lease SET until = :until WHERE name = 'count'"),
                    {"until": read.scalar_one() + 1},
                )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    with database.read.connect() as connection:
        assert connection.execute(text("SELECT until FROM lease WHERE name = 'count'")).scalar_one() == 80
