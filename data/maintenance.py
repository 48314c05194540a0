"""Looking after a SQLite file."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database as SqliteFile


@dataclass(frozen=True, slots=True)
class Maintained:
    """``problems`` is what the integrity check found: none, if all is well. Sizes are bytes."""

    problems: list[str]
    size_before: int
    size_after: int


def maintain(path: Path) -> Maintained:
    """The file is checked; if it is whole, its statistics are fresh and its free pages given back.

    Runs beside a serving process; the vacuum waits for its turn to write.
    """
    connection = sqlite3.connect(path, timeout=30)
    try:
        file = SqliteFile(connection)
        before = path.stat().st_size
        checks = [row[0] for row in file.execute("PRAGMA integrity_check")]
        keys = [f"{row[0]}: broken reference" for row in file.execute("PRAGMA foreign_key_check")]
        problems = [line for line in checks if line != "ok"] + keys
        if not problems:
            file.analyze()
            file.execute("PRAGMA optimize")
            file.vacuum()
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Maintained(problems, before, path.stat().st_size)
    finally:
        connection.close()
