"""Huey, the doorbell (Q1): its rings wake workers. Facts are rows in the main database, never here."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey

from core.ports.bell import Due, QueueUnreachable

log = structlog.get_logger()

QUEUE_NAME = "waypost"
_TASKS = {Due.SENDS: "drain", Due.WEBHOOKS: "apply_webhooks"}
# Rings closer together than this are one, rung at its end: the drain that it wakes sees the work of all.
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
    """Rings by enqueuing the task, one a kind of work, that every worker answers. A thread of its own does
    it, since the queue waits for the disk or the network, and whoever rings has somebody to answer."""

    def __init__(self, queue: Huey) -> None:
        self._queue = queue
        self._enqueue = {due: add_drain(queue, due, wake=_nobody_home) for due in Due}
        self._asked = {due: threading.Event() for due in Due}
        self._ringers: dict[Due, threading.Thread] = {}
        self._lock = threading.Lock()

    def ring(self, due: Due = Due.SENDS) -> None:
        self._asked[due].set()
        with self._lock:
            if due not in self._ringers:
                ringer = threading.Thread(target=self._ring_on, args=[due], name=f"bell {due}", daemon=True)
                self._ringers[due] = ringer
                ringer.start()

    def waiting(self) -> int:
        try:
            count: int = self._queue.pending_count()
        except Exception as error:  # each kind of storage has its own way to fail
            raise QueueUnreachable(type(error).__name__) from error
        return count

    def _ring_on(self, due: Due) -> None:
        while True:
            self._asked[due].wait()
            self._asked[due].clear()
            try:
                self._enqueue[due]()
            except Exception as error:  # noqa: BLE001 - whatever ails the queue, the sweep finds the work
                log.warning("a ring was lost; the sweep will find the work", reason=type(error).__name__)
            time.sleep(COLLAPSE_S)


def add_drain(queue: Huey, due: Due, *, wake: Callable[[], None]) -> Callable[[], object]:
    """The task behind a ring. It carries no arguments: any worker looks for any due work of the kind."""

    def drain() -> None:
        wake()

    task: Callable[[], object] = queue.task(name=_TASKS[due], retries=0)(drain)
    return task


def _nobody_home() -> None:
    raise RuntimeError("this process rings, it does not answer")
