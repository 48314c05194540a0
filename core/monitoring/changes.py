"""Tells that somebody committed something, for less than any query would cost."""

import contextlib
from typing import Any

from sqlalchemy.pool import PoolProxiedConnection

from core.errors import Unavailable
from data.engine import Database

# SQLite: grows when another connection, of any process, commits; read without a transaction in microseconds.
# PostgreSQL: grows with every write. (Counting commits would count our own reads too.)
_SQLITE = "PRAGMA data_version"
_POSTGRES = "SELECT pg_current_wal_insert_lsn()::text"


class Changes:
    """Keeps one connection of its own, outside any transaction: inside one it would see no change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._question = _SQLITE if database.is_sqlite else _POSTGRES
        self._connection: PoolProxiedConnection | None = None
        self._opened = 0

    def mark(self) -> str:
        """Another text than before if something was committed since. Raises Unavailable."""
        driver: Any = self._database.read.dialect.loaded_dbapi
        try:
            if self._connection is None:
                self._connection = self._open()
            cursor = self._connection.cursor()
            cursor.execute(self._question)
            found = cursor.fetchone()
            cursor.close()
        except driver.Error as error:
            self.close()
            raise Unavailable("The database cannot be reached right now.") from error
        assert found is not None
        # SQLite's number means something to its own connection only.
        return f"{self._opened}.{found[0]}"

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):  # a broken connection cannot be closed, and need not be
                self._connection.invalidate()
            self._connection = None

    def _open(self) -> PoolProxiedConnection:
        connection = self._database.read.raw_connection()
        self._opened += 1
        if not self._database.is_sqlite:
            driver_connection: Any = connection.driver_connection
            driver_connection.autocommit = True
        return connection
