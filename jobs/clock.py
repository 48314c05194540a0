"""A clock process of its own."""

import signal
import threading

from core.garbage import look_seldom
from core.runtime import Runtime
from jobs.ticking import Clock


def run_clock(runtime: Runtime) -> None:
    """Ticks until SIGINT or SIGTERM."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    clock = Clock(runtime)
    look_seldom()
    clock.start()
    stopped.wait()
    clock.stop()
