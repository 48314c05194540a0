"""The databases that are measured. What a benchmark begins with is written into SQLite; for PostgreSQL our
own command moves it there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count
from pathlib import Path

from processes import printed
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from core.backups.moving import move
from core.runtime import Runtime
from data.engine import open_database

POSTGRES_URL = os.environ.get(
    "WAYPOST_TEST_POSTGRES_URL", "postgresql+psycopg://root@127.0.0.1:5432/postgres"
)
REDIS_URL = os.environ.get("WAYPOST_TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
_numbers = count(1)


class Store(StrEnum):
    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A workspace of ``backlog.py`` in a database; ``settings`` for the processes that work on it, ``key`` of
    an owner, ``database`` to read beside them."""

    settings: dict[str, str]
    key: str
    database: Engine


@contextmanager
def loaded(
    folder: Path, settings: dict[str, str], *, store: Store, messages: int, phones: int
) -> Iterator[Loaded]:
    """So many messages that are due, spread over so many phones."""
    key = printed("backlog.py", messages, phones, cwd=folder, settings=settings)
    if store is Store.SQLITE:
        with _reading(f"sqlite:///{folder / 'var' / 'waypost.db'}") as database:
            yield Loaded(settings, key, database)
        return
    with _empty_postgres() as address:
        printed("main.py", "move", "--to", address, cwd=folder, settings=settings)
        there = {**settings, "WAYPOST_DATABASE_URL": address, "WAYPOST_QUEUE_URL": REDIS_URL}
        with _reading(address) as database:
            yield Loaded(there, key, database)


@contextmanager
def on(store: Store, runtime: Runtime) -> Iterator[Runtime]:
    """What ``runtime`` has in SQLite, on that database."""
    if store is Store.SQLITE:
        yield runtime
        return
    with _empty_postgres() as address:
        move(runtime, address, say=lambda _table: None)
        database = open_database(address)
        try:
            yield replace(runtime, database=database)
        finally:
            database.dispose()


def postgres_answers() -> bool:
    server = create_engine(POSTGRES_URL)
    try:
        with server.connect():
            return True
    except OperationalError:
        return False
    finally:
        server.dispose()


@contextmanager
def _empty_postgres() -> Iterator[str]:
    server = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    name = f"waypost_bench_{os.getpid()}_{next(_numbers)}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(POSTGRES_URL).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


@contextmanager
def _reading(address: str) -> Iterator[Engine]:
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    try:
        yield engine
    finally:
        engine.dispose()
