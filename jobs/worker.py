"""The worker process: Huey's consumer in the main thread, the drain on an event loop beside it."""

import asyncio
import logging
import os
import signal
import threading

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from huey import Huey

from core.errors import DomainError
from core.messaging.dispatch import Dispatcher
from core.monitoring import commands as monitoring
from core.monitoring.queries import BEAT_EVERY_S
from core.runtime import Runtime
from core.unit import Identity
from jobs.queue import add_drain
from jobs.schedule import Clock

log = structlog.get_logger()

WORKER = Identity(process="worker")
GRACE_S = 3.0


def run_worker(runtime: Runtime, queue: Huey, *, with_clock: bool) -> None:
    """Works until SIGINT or SIGTERM; then claims nothing more and settles what is in flight."""
    logging.getLogger("huey").setLevel(logging.WARNING)
    drain = DrainThread(runtime)
    drain.start()
    add_drain(queue, wake=drain.wake)
    clock = Clock(runtime) if with_clock else None
    pulse = BackgroundScheduler(timezone="UTC")
    pulse.add_job(_beat, "interval", [runtime], seconds=BEAT_EVERY_S)
    _beat(runtime)
    pulse.start()
    if clock is not None:
        clock.start()
    try:
        consumer = queue.create_consumer(
            workers=1,
            periodic=False,
            initial_delay=0.05,
            max_delay=0.25,
            backoff=1.3,
            graceful_signal="TERM",
            shutdown_timeout=int(GRACE_S),
        )
        consumer.run()
    finally:
        if clock is not None:
            clock.stop()
        pulse.shutdown(wait=False)
        drain.stop(timeout_s=runtime.settings.lease_s + GRACE_S)


def _beat(runtime: Runtime) -> None:
    try:
        with runtime.unit(WORKER, write=True) as unit:
            monitoring.beat(unit, kind="worker", holder=runtime.holder)
    except DomainError as error:
        log.warning("no heartbeat", reason=error.sentence)


class DrainThread:
    """The dispatcher on an event loop of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._loop = asyncio.new_event_loop()
        self._dispatcher = Dispatcher(runtime)
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._loop.call_soon_threadsafe(self._dispatcher.wake)

    def stop(self, *, timeout_s: float) -> None:
        """Waits until what is in flight is settled, at most ``timeout_s``."""
        self._loop.call_soon_threadsafe(self._dispatcher.stop)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._dispatcher.run())
        except Exception:  # a worker that drains nothing must not look alive
            log.exception("the drain crashed; the worker ends, to be started again")
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            self._loop.run_until_complete(self._runtime.graph.close())
            self._loop.close()
