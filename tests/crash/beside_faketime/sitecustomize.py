"""For processes under libfaketime, on their PYTHONPATH: Python sleeps until a moment of the monotonic clock,
which libfaketime mistakes for one of the clock that it fakes."""

import select
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep
