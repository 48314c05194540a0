"""C2: of clocks that begin together one leads, and none breaks."""

import threading
from concurrent.futures import ThreadPoolExecutor

from core.monitoring.commands import CLOCK, lead, step_down
from core.runtime import Runtime
from core.unit import Identity

PROCESS = Identity(process="clock")
CLOCKS = 4


def test_c2_of_clocks_that_begin_together_one_leads(runtime: Runtime) -> None:
    for _ in range(5):  # each time nobody has led before
        together = threading.Barrier(CLOCKS)

        def begin(holder: str, together: threading.Barrier = together) -> bool:
            with runtime.unit(PROCESS, write=True) as unit:
                if not runtime.database.is_sqlite:  # there writers take turns before this
                    together.wait(10)
                return lead(unit, name=CLOCK, holder=holder)

        with ThreadPoolExecutor(CLOCKS) as pool:
            led = list(pool.map(begin, [f"clock{n}" for n in range(CLOCKS)]))
        assert led.count(True) == 1
        with runtime.unit(PROCESS, write=True) as unit:
            step_down(unit, name=CLOCK, holder=f"clock{led.index(True)}")
