"""Huey, the doorbell (Q1): its rings wake workers. Facts are rows in the main database, never here."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey

log = structlog.get_logger()

QUEUE_NAME = "waypost"
# Rings closer together than this are one: the drain that the first one wakes sees the work of all.
COLLAPSE_S = 0.05


def open_queue(url: str) -> Huey:
    """Huey's storage by URL. Its SQLite file is its own: it may be deleted at any moment."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True)
        return SqliteHuey(QUEUE_NAME, filename=str(path), fsync=True, results=False, utc=True)
    if url.startswith("postgresql://"):
        return PostgresHuey(QUEUE_NAME, dsn=url, results=False, utc=True)
    return RedisHuey(QUEUE_NAME, url=url, results=False, utc=True)


class HueyBell:
    """Rings by enqueuing the one task that every worker answers."""

    def __init__(self, queue: Huey) -> None:
        self._enqueue = add_drain(queue, wake=_nobody_home)
        self._lock = threading.Lock()
        self._last_ring = 0.0

    def ring(self) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._last_ring < COLLAPSE_S:
                return
            self._last_ring = now
        try:
            self._enqueue()
        except Exception as error:  # noqa: BLE001 - whatever ails the queue, the sweep finds the work
            log.warning("a ring was lost; the sweep will find the work", reason=type(error).__name__)


def add_drain(queue: Huey, *, wake: Callable[[], None]) -> Callable[[], object]:
    """The task behind a ring. It carries no arguments: any worker looks for any due work."""

    def drain() -> None:
        wake()

    task: Callable[[], object] = queue.task(name="drain", retries=0)(drain)
    return task


def _nobody_home() -> None:
    raise RuntimeError("this process rings, it does not answer")
