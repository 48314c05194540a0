import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from data.engine import Database, open_database

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


@pytest.mark.parametrize("writes", [True, False])
def test_sqlite_is_tuned_as_promised(tmp_path: Path, writes: bool) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'waypost.db'}")
    database.write.connect().close()
    engine = database.write if writes else database.read
    with engine.connect() as connection:
        for name, expected in PRAGMAS.items():
            assert connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() == expected
        assert connection.exec_driver_sql("PRAGMA query_only").scalar_one() == (0 if writes else 1)
    database.dispose()


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


def test_a_connection_that_could_not_write_is_used_no_more(tmp_path: Path) -> None:
    """As one would that was opened while the disk was read-only."""
    database = open_database(f"sqlite:///{tmp_path / 'waypost.db'}")
    with database.write.connect() as connection:
        connection.execute(text("CREATE TABLE kept (a)"))
        connection.commit()
        connection.exec_driver_sql("PRAGMA query_only=ON")
        with pytest.raises(DBAPIError, match="readonly"):
            connection.execute(text("INSERT INTO kept VALUES (1)"))
    with database.write.begin() as connection:
        connection.execute(text("INSERT INTO kept VALUES (2)"))
    with database.read.connect() as connection:
        assert connection.execute(text("SELECT a FROM kept")).all() == [(2,)]
    assert not database.is_read_only()
    database.dispose()


def test_on_postgresql_a_process_that_stands_still_keeps_others_waiting_a_minute_at_most(
    database: Database,
) -> None:
    if database.is_sqlite:
        pytest.skip("a lock of SQLite's is given up after its busy timeout")
    asked = text("SHOW idle_in_transaction_session_timeout")
    with database.write.connect() as connection:
        assert connection.execute(asked).scalar_one() == "1min"
    for wanted in ("90s", "0"):
        address = database.url.update_query_dict(
            {"options": f"-c idle_in_transaction_session_timeout={wanted}"}
        )
        own = open_database(address.render_as_string(hide_password=False))
        with own.read.connect() as connection:
            assert connection.execute(asked).scalar_one() == wanted
        own.dispose()


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
