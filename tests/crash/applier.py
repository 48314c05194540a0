"""``python applier.py CHUNK DELAY_S``: applies webhooks in small chunks, and is killed so long after it began
that chunk. It counts for itself: however busy the machine is, the kill falls into the work."""

import os
import signal
import sys
import threading

import main as waypost
from core.inbox import lane
from core.unit import Unit

if __name__ == "__main__":
    last, delay_s = int(sys.argv[1]), float(sys.argv[2])
    lane.CHUNK = 5  # many commits, so that a kill falls between two of them
    lane.LOOK_AHEAD = 20
    take_lane = lane.take_lane
    begun = 0

    def counted(unit: Unit) -> None:
        global begun
        begun += 1
        if begun == last:
            threading.Timer(delay_s, os.kill, [os.getpid(), signal.SIGKILL]).start()
        take_lane(unit)

    lane.take_lane = counted
    with waypost._runtime(waypost._settings()) as runtime:
        while lane.apply_due(runtime):
            pass
