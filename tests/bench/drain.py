"""How fast one worker process drains a backlog, beside a bare loop over the same HTTP client."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from processes import cpu_s, first_line, memory_mb, printed, running
from sqlalchemy import text
from stores import Store, loaded

PHONES = 40
PER_PHONE = 5
IN_FLIGHT = 200
GIVE_UP_S = 180.0
LOOK_EVERY_S = 0.2
_FINISHED = text("SELECT count(*) FROM attempt WHERE finished_at IS NOT NULL")
_OPEN = text("SELECT EXISTS (SELECT 1 FROM message WHERE state NOT IN ('sent', 'dead', 'failed'))")
_STATES = text("SELECT state, count(*) FROM message GROUP BY state")
_BETWEEN = text(
    "SELECT (SELECT min(claimed_at) FROM attempt), finished_at FROM attempt "
    "WHERE finished_at IS NOT NULL ORDER BY finished_at LIMIT 1 OFFSET :before"
)


@dataclass(frozen=True, slots=True)
class Drained:
    """``by_state``: state → messages; ``memory_mb`` of the worker at the end, ``cpu_ms`` of it for a message,
    without its start."""

    per_second: float
    by_state: dict[str, int]
    memory_mb: float
    cpu_ms: float


@contextmanager
def answering(folder: Path, *, refused_share: float = 0.0, slow_phone: str = "") -> Iterator[str]:
    with running("answering.py", refused_share, slow_phone, cwd=folder, settings={}) as server:
        yield first_line(server)


def settings_for(address: str, **changes: str) -> dict[str, str]:
    return {
        "WAYPOST_GRAPH_URL": address,
        "WAYPOST_RETRY_WORKERS": str(PER_PHONE),
        "WAYPOST_SENDS_IN_FLIGHT": str(IN_FLIGHT),
        **changes,
    }


def drain(
    address: str, *, messages: int, first: int | None = None, store: Store = Store.SQLITE, **changes: str
) -> Drained:
    """A fresh backlog, drained by a fresh worker; with ``first`` it is stopped after so many. The rate counts
    from the first claim to the last settling, by the worker's own stamps in the database."""
    wanted = first or messages
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder = Path(name)
        settings = settings_for(address, **changes)
        with (
            loaded(folder, settings, store=store, messages=messages, phones=PHONES) as found,
            running("composed.py", "worker", cwd=folder, settings=found.settings) as worker,
            found.database.connect() as database,
        ):
            give_up = time.monotonic() + GIVE_UP_S
            begun: tuple[float, int] | None = None
            finished = 0
            while finished < wanted if first else database.scalar(_OPEN):
                if worker.poll() is not None:
                    raise RuntimeError(f"the worker ended with status {worker.returncode}")
                if time.monotonic() > give_up:
                    raise RuntimeError(f"the backlog was not drained within {GIVE_UP_S:.0f} s")
                finished = database.scalar(_FINISHED) or 0
                if begun is None and finished:
                    begun = cpu_s(worker.pid), finished
                time.sleep(LOOK_EVERY_S)
            finished = database.scalar(_FINISHED) or 0
            cpu, already = begun or (0.0, 0)
            cpu_ms = (cpu_s(worker.pid) - cpu) / max(1, finished - already) * 1000
            began, ended = database.execute(_BETWEEN, {"before": (first or finished) - 1}).one()
            states = dict(database.execute(_STATES).tuples().all())
            return Drained(wanted / (ended - began) * 1e6, states, memory_mb(worker.pid), cpu_ms)


def bare_loop(address: str, *, messages: int) -> float:
    """Messages a second of the loop that only sends."""
    with tempfile.TemporaryDirectory() as name:
        return float(
            printed("bare_loop.py", address, messages, PHONES, IN_FLIGHT, cwd=Path(name), settings={})
        )
