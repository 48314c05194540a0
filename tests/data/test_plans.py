"""What keeps every other test from walking a table."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from data.engine import open_database
from tests.plans import ROOT, Plans

PAIRS = "SELECT id FROM message WHERE (id, attempt) IN (VALUES ('a', 1), ('b', 2))"
CODE = "connection.exec_driver_sql(statement)"


@pytest.fixture
def plans() -> Plans:
    return Plans()


@pytest.fixture
def connection(migrated_sqlite: Path, tmp_path: Path, plans: Plans) -> Iterator[Connection]:
    """Of a database that the other tests' plans do not watch."""
    shutil.copy(migrated_sqlite, tmp_path / "waypost.db")
    database = open_database(f"sqlite:///{tmp_path / 'waypost.db'}")
    plans.watch(database.read)
    with database.read.connect() as connection:
        yield connection
    database.dispose()


def sent_by(name: str, connection: Connection, statement: str) -> None:
    """As if it stood in that file."""
    exec(compile(CODE, str(ROOT / name), "exec"), {"connection": connection, "statement": statement})


@pytest.mark.parametrize(
    ("statement", "walks"),
    [
        (PAIRS, True),
        ("SELECT id FROM message WHERE state = 'claimed' AND lease_until < 5", True),
        ("SELECT id FROM message WHERE state IN ('claimed', 'sending') AND lease_until < 5", False),
        ("SELECT count(*) FROM message WHERE state IN ('queued', 'retry_queued')", False),
        ("SELECT id FROM delivery ORDER BY id DESC LIMIT 1", False),
        ("SELECT name FROM plan", False),
    ],
)
def test_what_walks_a_table_that_grows_is_told_once(
    connection: Connection, plans: Plans, statement: str, walks: bool
) -> None:
    sent_by("core/made_up.py", connection, statement)
    told = plans.told()
    assert (len(told) == 1) is walks
    assert all(statement in one and "core/made_up.py" in one for one in told)
    sent_by("core/made_up.py", connection, statement)
    assert plans.told() == []


def test_a_test_may_look_at_all_of_its_few_rows_and_a_backup_at_everything(
    connection: Connection, plans: Plans
) -> None:
    connection.exec_driver_sql(PAIRS)
    assert plans.told() == []
    sent_by("core/made_up.py", connection, PAIRS)
    assert len(plans.told()) == 1
    sent_by("core/backups/made_up.py", connection, PAIRS.replace("SELECT", "SELECT DISTINCT"))
    assert plans.told() == []
