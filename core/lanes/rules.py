"""The pace of one phone (Q13), as pure functions over the moments of its newest sends."""

import struct
from dataclasses import dataclass
from datetime import datetime, timedelta

from data.columns import from_micros, to_micros

WINDOW = timedelta(seconds=1)
# A slot is free again a little over a second after its request: what leaves us evenly may arrive bunched.
MARGIN = timedelta(milliseconds=50)
STANDARD_LEVEL = 80
HIGH_LEVEL = 1000
_STAMP = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class Throughput:
    """``limit`` messages a second, ``remaining`` of them now, all of them again at ``reset_at``."""

    limit: int
    remaining: int
    reset_at: datetime


def limit_per_second(*, plan_limit: int, level: str) -> int:
    """The lower of what the plan allows and what Meta allows the number.

    *Pro (30) on a number of level STANDARD (80) → 30; enterprise (80) on HIGH (1000) → 80.*
    """
    return min(plan_limit, HIGH_LEVEL if level == "HIGH" else STANDARD_LEVEL)


def taken(slots: bytes, *, now: datetime) -> bytes:
    """The slots that still count at ``now``, oldest first. Stamps from after ``now`` count too: the clock
    was set back, and forgetting them could exceed Meta's limit."""
    since = to_micros(now - WINDOW - MARGIN)
    for offset in range(0, len(slots), _STAMP.size):
        if _STAMP.unpack_from(slots, offset)[0] > since:
            return slots[offset:]
    return b""


def free(slots: bytes, *, limit: int, now: datetime) -> int:
    """How many sends may start now."""
    return max(0, limit - len(taken(slots, now=now)) // _STAMP.size)


def take(slots: bytes, *, count: int, now: datetime) -> bytes:
    """The slots after ``count`` sends start now."""
    return taken(slots, now=now) + _STAMP.pack(to_micros(now)) * count


def measure(slots: bytes, *, limit: int, now: datetime) -> Throughput:
    counted = taken(slots, now=now)
    if counted:
        newest = from_micros(_STAMP.unpack_from(counted, len(counted) - _STAMP.size)[0])
        reset_at = newest + WINDOW + MARGIN
    else:
        reset_at = now
    return Throughput(limit=limit, remaining=max(0, limit - len(counted) // _STAMP.size), reset_at=reset_at)


def next_free_at(slots: bytes, *, limit: int, now: datetime) -> datetime:
    """When the next send may start: now, or when enough of the oldest slots are free again."""
    counted = taken(slots, now=now)
    over = len(counted) // _STAMP.size - limit
    if over < 0:
        return now
    return from_micros(_STAMP.unpack_from(counted, over * _STAMP.size)[0]) + WINDOW + MARGIN
