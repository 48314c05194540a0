"""Moving everything from SQLite to PostgreSQL: copied, compared row by row, the source left as it is."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Connection, Table, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from core import audit
from core.backups.stopped import refuse_while_running
from core.billing.invoices import BILLING
from core.billing.verify import verify_workspace
from core.billing.workspaces import workspace_ids
from core.errors import Impossible
from core.opening import opens
from core.runtime import Runtime
from core.team.owners import COMMAND
from data.engine import Database, open_database
from data.people import Workspace
from data.schema import migrate
from data.tables import METADATA

BATCH = 1000
# What is about processes, not about work: those of the new place write their own.
LEFT_BEHIND = frozenset({"heartbeat", "lease"})
_DIGEST_BYTES = 16
NOT_MOVED = "not_moved"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Moved:
    tables: int
    rows: int


def move(runtime: Runtime, address: str, *, say: Say) -> Moved:
    """Everything in the SQLite database is in the PostgreSQL one at ``address``, and was compared with it.

    Impossible says why not. Run again after it was cut off, it goes on. ``say`` hears of each table.
    """
    if not runtime.database.is_sqlite:
        raise Impossible("WAYPOST_DATABASE_URL is not SQLite: there is nothing to move.", code=NOT_MOVED)
    if not runtime.database.path.exists():
        raise Impossible(f"There is no file {runtime.database.path} to move.", code=NOT_MOVED)
    refuse_while_running(runtime)
    target = _opened(address)
    try:
        migrate(target)
        _refuse_others(runtime.database, target)
        tables = [table for table in METADATA.sorted_tables if table.name not in LEFT_BEHIND]
        for table in tables:
            _copy(runtime.database, target, table)
            say(table.name)
        _finish(runtime.database, target, tables)
        rows = sum(_compare(runtime.database, target, table) for table in tables)
        _prove(replace(runtime, database=target))
    except DBAPIError as error:
        raise Impossible(f"PostgreSQL refused: {error.orig}", code=NOT_MOVED) from error
    finally:
        target.dispose()
    return Moved(len(tables), rows)


def _opened(address: str) -> Database:
    if not address.startswith("postgresql+psycopg://"):
        raise Impossible("Give the address as postgresql+psycopg://user@host/name.", code=NOT_MOVED)
    database = open_database(address)
    try:
        with database.write.connect():
            return database
    except DBAPIError as error:
        database.dispose()
        raise Impossible(f"PostgreSQL does not answer: {error.orig}", code=NOT_MOVED) from error


def _refuse_others(source: Database, target: Database) -> None:
    """Only an empty database, or one that an earlier try has begun to fill."""
    with source.read.connect() as ours, target.read.connect() as theirs:
        known = set(ours.scalars(select(Workspace.id)))  # type: ignore[call-overload]
        present = set(theirs.scalars(select(Workspace.id)))  # type: ignore[call-overload]
    if not present <= known:
        raise Impossible(
            "The PostgreSQL database holds other workspaces already. Give an empty one.", code=NOT_MOVED
        )


@contextmanager
def _without_triggers(target: Database, table: Table) -> Iterator[Connection]:
    """A transaction in which the table's triggers are off: what they would count and refuse was counted and
    refused before. However it ends, they are on again."""
    with target.write.begin() as connection:
        connection.execute(text(f'ALTER TABLE "{table.name}" DISABLE TRIGGER USER'))
        yield connection
        connection.execute(text(f'ALTER TABLE "{table.name}" ENABLE TRIGGER USER'))


def _copy(source: Database, target: Database, table: Table) -> None:
    """A transaction for each batch; rows that are there already stay. References to rows of the same table
    follow at the end."""
    later = _own_references(table)
    with source.read.connect() as ours:
        if _count(ours, table) == _counted(target, table):
            return
        for rows in _batches(ours, table):
            values = [{**row, **dict.fromkeys(later)} for row in rows]
            with _without_triggers(target, table) as theirs:
                theirs.execute(insert(table).on_conflict_do_nothing(), values)


def _finish(source: Database, target: Database, tables: list[Table]) -> None:
    with source.read.connect() as ours:
        for table in tables:
            with _without_triggers(target, table) as theirs:
                _finish_table(ours, theirs, table)
    with target.write.begin() as theirs:
        theirs.execute(text("ANALYZE"))  # or the first questions are planned as for empty tables


def _finish_table(ours: Connection, theirs: Connection, table: Table) -> None:
    key = _key(table)
    for name in _own_references(table):
        column = table.c[name]
        for own, other in ours.execute(select(key, column).where(column.is_not(None))):
            theirs.execute(update(table).where(key == own).values({name: other}))
    for name in _numbered_by_the_database(theirs, table):
        highest = select(func.max(table.c[name])).scalar_subquery()
        sequence = func.pg_get_serial_sequence(table.name, name)
        theirs.execute(select(func.setval(sequence, func.coalesce(highest, 1))))


def _own_references(table: Table) -> list[str]:
    return [
        column.name for column in table.columns for one in column.foreign_keys if one.column.table is table
    ]


def _key(table: Table) -> Column[Any]:
    return next(iter(table.primary_key.columns))


def _numbered_by_the_database(connection: Connection, table: Table) -> list[str]:
    return [
        column.name
        for column in table.primary_key.columns
        if connection.scalar(
            text("SELECT pg_get_serial_sequence(:table, :name)"), {"table": table.name, "name": column.name}
        )
        is not None
    ]


def _batches(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    statement = select(table).order_by(*table.primary_key.columns)
    found = connection.execution_options(yield_per=BATCH).execute(statement)
    for rows in found.mappings().partitions():
        yield [dict(row) for row in rows]


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _counted(database: Database, table: Table) -> int:
    with database.read.connect() as connection:
        return _count(connection, table)


def _compare(source: Database, target: Database, table: Table) -> int:
    """The rows are the same ones; returns how many."""
    with source.read.connect() as ours, target.read.connect() as theirs:
        here, there = _digest(ours, table), _digest(theirs, table)
    if here != there:
        raise Impossible(
            f"{table.name} differs: {here[0]:,} rows here, {there[0]:,} there, not the same. "
            "Start again with an empty PostgreSQL database.",
            code=NOT_MOVED,
        )
    return here[0]


def _digest(connection: Connection, table: Table) -> tuple[int, int]:
    """How many rows, and the sum of a hash of each: databases sort text each in its way."""
    count = total = 0
    for rows in _batches(connection, table):
        count += len(rows)
        for row in rows:
            content = json.dumps(row, sort_keys=True, default=repr).encode()
            total += int.from_bytes(hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest(), "big")
    return count, total % (1 << (8 * _DIGEST_BYTES))


def _prove(moved: Runtime) -> None:
    """In the new place the secrets open, and log and invoices prove themselves."""
    if not opens(moved.database, moved.vault):
        raise Impossible("These keys do not open the secrets.", code=NOT_MOVED)
    with moved.unit(COMMAND) as unit:
        if not audit.verify(unit.session, unit.vault).whole:
            raise Impossible("The audit log is not whole.", code=NOT_MOVED)
    for workspace_id in workspace_ids(moved):
        with moved.unit(BILLING) as unit:
            findings = verify_workspace(unit, workspace_id)
        if findings:
            raise Impossible(f"{findings[0].subject}: {findings[0].sentence}", code=NOT_MOVED)
