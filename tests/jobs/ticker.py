"""``python ticker.py``: a clock process whose whole table is one tick, at a pace for tests."""

import signal

import main as waypost
from jobs.schedule import Schedule
from jobs.ticking import Clock, Pace

EVERY_S = 0.25
LEASE_S = 1.0

if __name__ == "__main__":
    with waypost._runtime(waypost._settings()) as runtime:
        table = [Schedule("tick", EVERY_S, lambda _: None, "Ticks", at_s=0.0)]
        clock = Clock(runtime, table, pace=Pace(look_every_s=0.05, lead_every_s=0.2, lease_s=LEASE_S))
        clock.start()
        signal.pause()
