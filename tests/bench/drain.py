"""How fast one worker process drains a backlog, beside a bare loop over the same HTTP client."""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import first_line, memory_mb, printed, running

PHONES = 40
PER_PHONE = 5
IN_FLIGHT = 200
GIVE_UP_S = 180.0
LOOK_EVERY_S = 0.2
_OPEN = "SELECT EXISTS (SELECT 1 FROM message WHERE state NOT IN ('sent', 'dead', 'failed'))"


@dataclass(frozen=True, slots=True)
class Drained:
    """``by_state``: state → messages; ``memory_mb`` of the worker at the end."""

    per_second: float
    by_state: dict[str, int]
    memory_mb: float


@contextmanager
def answering(folder: Path, *, refused_share: float = 0.0) -> Iterator[str]:
    with running("answering.py", refused_share, cwd=folder, settings={}) as server:
        yield first_line(server)


def settings_for(address: str, **changes: str) -> dict[str, str]:
    return {
        "WAYPOST_GRAPH_URL": address,
        "WAYPOST_RETRY_WORKERS": str(PER_PHONE),
        "WAYPOST_SENDS_IN_FLIGHT": str(IN_FLIGHT),
        **changes,
    }


def drain(address: str, *, messages: int, **changes: str) -> Drained:
    """A fresh backlog, drained by a fresh worker. The rate counts from the first claim to the last settling,
    by the worker's own stamps in the database."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder = Path(name)
        settings = settings_for(address, **changes)
        printed("backlog.py", messages, PHONES, cwd=folder, settings=settings)
        with (
            running("composed.py", "worker", cwd=folder, settings=settings) as worker,
            closing(sqlite3.connect(folder / "var" / "waypost.db")) as database,
        ):
            give_up = time.monotonic() + GIVE_UP_S
            while database.execute(_OPEN).fetchone()[0]:
                if worker.poll() is not None:
                    raise RuntimeError(f"the worker ended with status {worker.returncode}")
                if time.monotonic() > give_up:
                    raise RuntimeError(f"the backlog was not drained within {GIVE_UP_S:.0f} s")
                time.sleep(LOOK_EVERY_S)
            first, last = database.execute("SELECT min(claimed_at), max(finished_at) FROM attempt").fetchone()
            states = dict(database.execute("SELECT state, count(*) FROM message GROUP BY state"))
            return Drained(messages / (last - first) * 1e6, states, memory_mb(worker.pid))


def bare_loop(address: str, *, messages: int) -> float:
    """Messages a second of the loop that only sends."""
    with tempfile.TemporaryDirectory() as name:
        return float(
            printed("bare_loop.py", address, messages, PHONES, IN_FLIGHT, cwd=Path(name), settings={})
        )
