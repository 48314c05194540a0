"""Opens the database: SQLite tuned for paid messages, or PostgreSQL by URL, with the same code above."""

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext

from data.turns import Door, Turns, WriteConnection

BUSY_TIMEOUT_MS = 5000
IDLE_TIMEOUT_MS = 60_000
_PARAMETER = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")
POOL_SIZE = 20


@dataclass(frozen=True, slots=True)
class Database:
    """Two engines on one database: ``write`` takes SQLite's write lock at its first statement, ``read``
    refuses every change."""

    url: URL
    write: Engine
    read: Engine

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path:
        """The file of a SQLite database."""
        return Path(self.url.database or "")

    def is_read_only(self) -> bool:
        """Whether a SQLite file is there that cannot be written at this moment, or nothing beside it can."""
        return (
            self.is_sqlite
            and self.path.exists()
            and not (os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK))
        )

    def dispose(self) -> None:
        self.write.dispose()
        self.read.dispose()


def execute_many(connection: Connection, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """The statement, with ``:name`` for its parameters, once for each row; values as they are stored.

    Straight to the driver: of thousands of rows a second SQLAlchemy's own care of each would cost as much as
    the database does.
    """
    connection.exec_driver_sql(_for_driver(statement, connection.dialect.name), list(rows))


@cache
def _for_driver(statement: str, dialect: str) -> str:
    return statement if dialect == "sqlite" else _PARAMETER.sub(r"%(\1)s", statement)


Keys = Iterable[str] | Iterable[tuple[str | int | None, ...]]


class Keyed:
    """A statement about the rows of many keys: ``{among}`` in it says that something is one of them, and
    ``{lock}`` locks the rows where a database has such locks. Where keys are pairs, or come with what is to
    be written, ``{pairs}`` are the rows that hold them, each an array in its ``value``.

    The keys are one parameter: a list of placeholders would be made ready anew for each batch, for a list of
    pairs SQLite walks the whole table, and PostgreSQL takes up to seven times as long for one of each row.
    """

    def __init__(self, statement: str, *, lock: str = "FOR UPDATE") -> None:
        self._are_pairs = "{pairs}" in statement
        sqlite = statement.format(
            among="IN (SELECT value FROM json_each(:keys))", pairs="json_each(:keys)", lock=""
        )
        postgresql = statement.format(
            among="= ANY(:keys)", pairs="jsonb_array_elements(CAST(:keys AS jsonb))", lock=lock
        )
        self._statements = {"sqlite": sqlite, "postgresql": _for_driver(postgresql, "postgresql")}

    def rows(self, connection: Connection, keys: Keys, **others: Any) -> Sequence[Any]:
        """The rows as they are stored; none for no keys. ``others`` are the statement's other parameters."""
        wanted = list(keys)
        return self._run(connection, wanted, others).all() if wanted else []

    def write(self, connection: Connection, keys: Keys, **others: Any) -> None:
        """For a statement that returns nothing; each key once, for a row is written once."""
        wanted = list(keys)
        if wanted:
            self._run(connection, wanted, others)

    def _run(self, connection: Connection, keys: list[Any], others: dict[str, Any]) -> CursorResult[Any]:
        name = connection.dialect.name
        given = json.dumps(keys) if self._are_pairs or name == "sqlite" else keys
        return connection.exec_driver_sql(self._statements[name], {"keys": given, **others})


def open_database(address: str) -> Database:
    """Engines for ``address``. The folder of a SQLite file is made; nothing is connected yet."""
    url = make_url(address)
    if url.get_backend_name() == "sqlite":
        Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
        return Database(url=url, write=_sqlite(url, write=True), read=_sqlite(url, write=False))
    return Database(url=url, write=_postgres(url), read=_postgres(url, postgresql_readonly=True))


def _sqlite(url: URL, *, write: bool) -> Engine:
    # The connection that was used last is used next: its cache may still hold, which empties once others have
    # written. For that reason caches are small, too: a worker has fourteen, and all of them fill.
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args={"factory": WriteConnection} if write else {},
    )
    if write:
        _write_in_turns(engine, Path(url.database or "").parent)

    @event.listens_for(engine, "connect")
    def tune(connection: DBAPIConnection, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see below
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",  # paid messages: a commit that was answered must survive a power cut
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-4000",
            f"query_only={'OFF' if write else 'ON'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        driver = connection.connection.driver_connection
        if not isinstance(driver, WriteConnection):
            connection.exec_driver_sql("BEGIN")
            return
        # A transaction that reads, then writes must hold the lock from its first statement: with a plain
        # BEGIN 529 of 800 concurrent ones lost their update, with IMMEDIATE none.
        patience_s, driver.patience_s = driver.patience_s, 0.0
        try:
            if not driver.begin(patience_s):
                connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            with suppress(sqlite3.ProgrammingError):  # closed by now, see below
                driver.patience_s = patience_s

    @event.listens_for(engine, "handle_error")
    def close_read_only(context: ExceptionContext) -> None:
        # One opened while its disk was read-only could never write again, whatever becomes of the disk.
        name = getattr(context.original_exception, "sqlite_errorname", "")
        if name.startswith("SQLITE_READONLY") and context.connection is not None:
            # First out of its transaction: as long as anybody looks at the error, closing it ends none.
            driver: Any = context.connection.connection.driver_connection
            driver.rollback()
            context.is_disconnect = True

    return engine


def _write_in_turns(engine: Engine, folder: Path) -> None:
    turns, door = Turns(), Door(folder)

    @event.listens_for(engine, "connect")
    def hand_out(connection: Any, _record: Any) -> None:
        connection.turns, connection.door = turns, door


def _postgres(url: URL, **options: Any) -> Engine:
    theirs = url.query.get("options", "")
    return create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_pre_ping=True,
        hide_parameters=True,  # a log of a crash repeats no number and no text
        execution_options=options,
        # A process that is stopped in the middle of a transaction keeps nobody waiting for longer.
        connect_args={"options": f"-c idle_in_transaction_session_timeout={IDLE_TIMEOUT_MS} {theirs}"},
    )
