"""Whose turn it is to write to a SQLite file, which has one writer at a time.

SQLite lets those who wait look again after a while, a tenth of a second in the end, and whoever happens to
look at the right moment is next. With the lock taken for two thirds of the time some waited for more than
five seconds, and were refused. Here the threads of a process write in the order in which they came, and of
each process one waits for the others'.
"""

import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LOOK_EVERY_S = 0.0005
# A process that was stopped while it stood at the door keeps the others out for no longer.
POLITE_S = 0.25
_PRIMARY = 0xFF  # an extended code of SQLite's says in its lowest byte what it is a kind of


class Turns:
    """A lock that is handed on in the order in which it was asked for."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._is_taken = False

    def take(self, patience_s: float) -> bool:
        """False when it was not one's turn for so long."""
        with self._mutex:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(patience_s):
            return True
        with self._mutex:
            if mine.is_set():  # at the last moment
                return True
            self._waiting.remove(mine)
            return False

    def give(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False


class Door:
    """Where one process at a time stands while it waits for the file: whoever has just written queues behind
    it, however quick. It is a lock on the folder, which ends with the process that has it."""

    def __init__(self, folder: Path) -> None:
        self._file: int | None = None
        with suppress(OSError):  # it may be entered and not be read
            self._file = os.open(folder, os.O_RDONLY)
            weakref.finalize(self, os.close, self._file)

    def enter(self) -> bool:
        """Whether nobody else stands there; True where a folder has no such locks."""
        try:
            self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def leave(self) -> None:
        with suppress(OSError):
            self._lock(fcntl.LOCK_UN)

    def _lock(self, how: int) -> None:
        if self._file is not None:
            fcntl.flock(self._file, how)


class WriteConnection(sqlite3.Connection):
    """One that keeps its turn from ``begin`` to the end of that transaction."""

    turns: Turns
    door: Door
    _has_turn = False

    @property
    def patience_s(self) -> float:
        """Its busy timeout."""
        milliseconds: int = self.execute("PRAGMA busy_timeout").fetchone()[0]
        return milliseconds / 1000

    @patience_s.setter
    def patience_s(self, seconds: float) -> None:
        self.execute(f"PRAGMA busy_timeout={round(seconds * 1000)}")

    def begin(self, patience_s: float) -> bool:
        """BEGIN IMMEDIATE when it is its turn, at most so much later. False when that came to nothing: the
        same statement then tells why."""
        until = time.monotonic() + patience_s
        self._has_turn = self.turns.take(patience_s)
        if not self._has_turn:
            return False
        try:
            stands = _look_until(min(until, time.monotonic() + POLITE_S), self.door.enter)
            try:
                _look_until(until, self._has_begun)
            finally:
                if stands:
                    self.door.leave()
        finally:
            if not self.in_transaction:
                self._give()
        return self.in_transaction

    def _has_begun(self) -> bool:
        """True as well when there is no use in trying again."""
        try:
            self.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            return error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY
        return True

    def commit(self) -> None:
        """What cannot be committed is rolled back here: SQLAlchemy takes a failed commit for the end."""
        try:
            super().commit()
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                super().rollback()
            raise
        finally:
            self._give()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self._give()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._give()

    def _give(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self.turns.give()


def _look_until(until: float, is_done: Callable[[], bool]) -> bool:
    while not is_done():
        if time.monotonic() >= until:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
