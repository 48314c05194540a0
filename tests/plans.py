"""No statement of ours may walk a table that grows: with ten rows nobody notices, and with a million it holds
SQLite's one write lock for half a second. So each that any test sends is explained once."""

import re
import sqlite3
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from tests.growing import ALLOWED, FINDS_NOTHING, GROWING, READS_ALL

ROOT = Path(__file__).parent.parent
_OURS = tuple(str(ROOT / name) for name in ("core", "data", "jobs", "ui"))
_TESTS = str(ROOT / "tests")
_READS_ALL = tuple(f"{ROOT}/{name}" for name in READS_ALL)
_HANDS_ON = tuple(str(ROOT / name) for name in ("core/runtime.py", "core/unit.py", "data/engine.py"))
_EXPLAINED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
_SCAN = re.compile(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")
_PARTIAL = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"


class Plans:
    """What walked, of all that was sent through the engines that it watches."""

    def __init__(self) -> None:
        self._walks: list[str] = []
        self._seen: set[str] = set()
        self._partial: frozenset[str] = frozenset()

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._look)

    def told(self) -> list[str]:
        """What walked since this was last asked."""
        walks, self._walks = self._walks, []
        return walks

    def _look(
        self, connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, is_many: bool
    ) -> None:
        if statement in self._seen or not statement.lstrip().startswith(_EXPLAINED):
            return
        driver: sqlite3.Connection = connection.connection.driver_connection
        if not self._partial:
            self._partial = frozenset(row[0] for row in driver.execute(_PARTIAL))
        self._seen.add(statement)
        try:
            explained = driver.execute(
                f"EXPLAIN QUERY PLAN {statement}", values[0] if is_many else values
            ).fetchall()
        except sqlite3.Error:  # so it is itself, and the test hears of it
            return
        walks = [row[3] for row in explained if self._walks_far(row[3], statement)]
        if not walks:
            return
        sender = _sender()
        if sender.startswith((_TESTS, *_READS_ALL)):  # others may send the same
            self._seen.discard(statement)
            return
        self._walks.append(f"{sender}\n{'; '.join(walks)}\n{statement}")

    def _walks_far(self, step: str, statement: str) -> bool:
        found = _SCAN.match(step)
        if found is None or found[1] not in GROWING or found[2] in self._partial:
            return False
        in_order = found[2] is not None and "LIMIT" in statement
        return (
            not in_order
            and FINDS_NOTHING not in statement
            and not any(statement.startswith(begins) for begins in ALLOWED)
        )


def _sender() -> str:
    frame = sys._getframe(2)
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if name.startswith((*_OURS, _TESTS)) and name not in (*_HANDS_ON, __file__):
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
