"""docs/benchmarks.md, whose figures the benchmarks write and whose words people do."""

import os
import platform
import sqlite3
from datetime import UTC, datetime

from processes import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"


def write_block(name: str, table: str) -> None:
    """The table between the marks of that name is this one now; above it stand machine and date."""
    words = PAGE.read_text()
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = words.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise LookupError(f"{PAGE} has no place for {name}")
    PAGE.write_text(f"{before}{begin}Measured on {_machine()}.\n\n{table}\n{end}{after}")


def _machine() -> str:
    return (
        f"{datetime.now(UTC):%d %B %Y}: {os.cpu_count()} cores ({platform.machine()}), {platform.system()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version} with `synchronous=FULL`"
    )
