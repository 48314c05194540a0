"""``python deciding.py CLAIMS``: milliseconds of processor time that the throughput of its phone costs a
message at its claim: with it less without it, in turns, every claim undone.

Works on the database that the environment names, whose phones each sent a good half of a full second.
"""

import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import median

from drain import IN_FLIGHT, PER_PHONE
from sqlmodel import col, select

import main as waypost
from core.lanes import rules
from core.messaging.claiming import claim
from core.messaging.dispatch import WORKER
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from data.messages import Message
from data.sending import Lane

SENT = 50
# The others' turn: a worker would send meanwhile.
REST_S = 0.3


class Undone(Exception):
    """Ends a unit without a trace."""


def due_at(runtime: Runtime) -> datetime:
    """Of the whole backlog: the moment at which every process stands still."""
    with runtime.unit(WORKER) as unit:
        return unit.session.exec(
            select(Message.due_at).where(col(Message.due_at).is_not(None)).limit(1)
        ).one()


def fill(runtime: Runtime) -> None:
    since = runtime.clock.now() - timedelta(seconds=0.8)
    slots = b""
    for index in range(SENT):
        at = since + index * timedelta(seconds=0.75) / SENT
        slots = rules.allot(slots, limit=1000, count=1, now=at).slots
    with runtime.unit(WORKER, write=True) as unit:
        for lane in unit.session.exec(select(Lane)):
            lane.slots = slots
            unit.session.add(lane)


def cpu_ms(runtime: Runtime) -> float:
    """Of one message of a claim."""
    try:
        with runtime.unit(WORKER, write=True) as unit:
            started = time.process_time()
            taken = claim(unit, holder="bench", in_flight={}, per_lane=PER_PHONE, in_all=IN_FLIGHT)
            took = time.process_time() - started
            raise Undone
    except Undone:
        return took * 1000 / len(taken.claims)


def measure(runtime: Runtime, *, claims: int) -> float:
    lifted = replace(runtime, throughput_lifted=True)
    pairs = []
    for _ in range(claims):
        pairs.append((cpu_ms(runtime), cpu_ms(lifted)))
        time.sleep(REST_S)
    return median(ours for ours, _ in pairs) - median(bare for _, bare in pairs)


if __name__ == "__main__":
    with waypost._runtime(waypost._settings()) as runtime:
        still = replace(runtime, clock=FrozenClock(due_at(runtime)))
        fill(still)
        print(measure(still, claims=int(sys.argv[1])))
