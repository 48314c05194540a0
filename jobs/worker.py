"""The worker process: Huey's consumer in the main thread, its lanes beside it: the drain of sends on an event
loop, the webhooks in a thread."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress

import structlog
from huey import Huey

from core.errors import DomainError, Unavailable
from core.garbage import look_seldom
from core.inbox.lane import apply_due
from core.messaging.dispatch import Dispatcher
from core.monitoring import commands as monitoring
from core.monitoring.queries import BEAT_EVERY_S
from core.ports.bell import Due
from core.runtime import Runtime
from core.unit import Identity
from jobs.queue import add_drain
from jobs.steady import SteadyScheduler
from jobs.ticking import Clock

log = structlog.get_logger()

WORKER = Identity(process="worker")
GRACE_S = 3.0
_KINDS = {Due.SENDS: monitoring.WORKER, Due.WEBHOOKS: monitoring.INBOX}


def run_worker(runtime: Runtime, queue: Huey, *, with_clock: bool) -> None:
    """Works until SIGINT or SIGTERM; then claims nothing more and settles what is in flight."""
    logging.getLogger("huey").setLevel(logging.WARNING)
    lanes = _lanes(runtime)
    for due in Due:
        lane = lanes.get(due)
        add_drain(queue, due, wake=lane.wake if lane is not None else _is_not_ours)
    clock = Clock(runtime) if with_clock else None
    look_seldom()
    for lane in lanes.values():
        lane.start()
    pulse = SteadyScheduler()
    pulse.add_job(_beat, "interval", [runtime, tuple(lanes)], seconds=BEAT_EVERY_S)
    _beat(runtime, tuple(lanes))
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
        for lane in lanes.values():
            lane.stop(timeout_s=runtime.settings.lease_s + GRACE_S)


def _lanes(runtime: Runtime) -> "dict[Due, DrainThread | InboxThread]":
    """Those that the settings let this process run."""
    settings = runtime.settings
    lanes: dict[Due, DrainThread | InboxThread] = {}
    if settings.start_message_retry_worker:
        lanes[Due.SENDS] = DrainThread(runtime)
    if settings.start_webhook_worker:
        lanes[Due.WEBHOOKS] = InboxThread(runtime)
    return lanes


def _is_not_ours() -> None:
    """This process has no such lane; whichever has one looks by itself within a second."""


def _beat(runtime: Runtime, lanes: tuple[Due, ...]) -> None:
    try:
        with runtime.unit(WORKER, write=True) as unit:
            for due in lanes:
                monitoring.beat(unit, kind=_KINDS[due], holder=runtime.holder)
        monitoring.write_counts(runtime)
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
        self._tell(self._dispatcher.wake)

    def stop(self, *, timeout_s: float) -> None:
        """Waits until what is in flight is settled, at most ``timeout_s``."""
        self._tell(self._dispatcher.stop)
        self._thread.join(timeout_s)

    def _tell(self, what: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # its loop is closed: it has crashed, and the worker is about to end
            self._loop.call_soon_threadsafe(what)

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


class InboxThread:
    """Applies webhooks as soon as somebody rings, until none is pending."""

    # Should every ring be lost, it looks by itself this often.
    LOOK_EVERY_S = 1.0

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self, *, timeout_s: float) -> None:
        """Waits until the chunk under way is applied, at most ``timeout_s``."""
        self._stopping = True
        self._woken.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._apply()
                self._woken.wait(self.LOOK_EVERY_S)
                self._woken.clear()
        except Exception:  # a lane that applies nothing must not look alive
            log.exception("the webhook lane crashed; the worker ends, to be started again")
            os.kill(os.getpid(), signal.SIGTERM)

    def _apply(self) -> None:
        try:
            while not self._stopping and apply_due(self._runtime):
                pass
        except Unavailable as error:
            log.error("the webhook lane waits for the database", reason=error.sentence)
