"""APScheduler, for machines whose clock may be set back: of its own every job would then stand still until
the old time comes again."""

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

log = structlog.get_logger()

LOOK_EVERY_S = 1.0
# Less than this is how clocks are kept right; a job is late by no more than that.
SET_BACK_S = 2.0


class SteadyScheduler(BackgroundScheduler):  # type: ignore[misc]  # APScheduler has no types
    """In UTC. When the clock was set back all jobs run at once, and by their intervals from there."""

    def __init__(self, **options: Any) -> None:
        super().__init__(timezone="UTC", **options)
        self._has_ended = threading.Event()

    def start(self, *args: Any, **options: Any) -> None:
        super().start(*args, **options)
        threading.Thread(target=self._watch, name="steady", daemon=True).start()

    def shutdown(self, wait: bool = True) -> None:
        self._has_ended.set()
        super().shutdown(wait=wait)

    def run_all_now(self) -> None:
        for job in self.get_jobs():
            with suppress(JobLookupError):  # it was to run once, and has begun
                job.modify(next_run_time=datetime.now(UTC))

    def _watch(self) -> None:
        ahead_s = time.time() - time.monotonic()
        while not self._has_ended.wait(LOOK_EVERY_S):
            was_ahead_s, ahead_s = ahead_s, time.time() - time.monotonic()
            if ahead_s < was_ahead_s - SET_BACK_S:
                log.warning("this machine's clock was set back", seconds=round(was_ahead_s - ahead_s))
                self.run_all_now()
