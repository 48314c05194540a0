"""Opens the database: SQLite tuned for paid messages, or PostgreSQL by URL, with the same code above."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection

BUSY_TIMEOUT_MS = 5000
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

    def dispose(self) -> None:
        self.write.dispose()
        self.read.dispose()


def open_database(address: str) -> Database:
    """Engines for ``address``. The folder of a SQLite file is made; nothing is connected yet."""
    url = make_url(address)
    if url.get_backend_name() == "sqlite":
        Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
        return Database(url=url, write=_sqlite(url, write=True), read=_sqlite(url, write=False))
    return Database(url=url, write=_postgres(url), read=_postgres(url, postgresql_readonly=True))


def _sqlite(url: URL, *, write: bool) -> Engine:
    engine = create_engine(url, pool_size=POOL_SIZE, max_overflow=POOL_SIZE, hide_parameters=True)

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
            "cache_size=-16000",
            f"query_only={'OFF' if write else 'ON'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # A transaction that reads, then writes must hold the lock from its first statement: with a plain
        # BEGIN 529 of 800 concurrent ones lost their update, with IMMEDIATE none.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgres(url: URL, **options: Any) -> Engine:
    return create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_pre_ping=True,
        hide_parameters=True,  # a log of a crash repeats no number and no text
        execution_options=options,
    )
