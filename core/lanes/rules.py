"""The pace of one phone (Q13), as pure functions over the moments of its newest sends."""

import struct
from bisect import bisect_right, insort
from dataclasses import dataclass
from datetime import datetime, timedelta

from data.columns import from_micros, to_micros

WINDOW = timedelta(seconds=1)
# A slot is free again a little over a second after its request: what leaves us evenly may arrive bunched.
MARGIN = timedelta(milliseconds=50)
STANDARD_LEVEL = 80
HIGH_LEVEL = 1000

# A queued send is given its moment at the claim: late enough to be ready for it, and so soon that a direct
# send, which goes before all that have none yet, waits little. How long it takes to be ready is measured.
LEAD = timedelta(milliseconds=10)
LONGEST_LEAD = timedelta(milliseconds=150)
# One claim gives moments for this long.
REACH = timedelta(milliseconds=100)
# It asks for those that come next this much before it would be late for them.
ASK_BEFORE = timedelta(milliseconds=60)
# A backlog spreads its second over this much of it. All at once would take more in flight than there is; the
# rest makes good what a busy moment cost.
SPREAD = 0.9
# A request is written this much after its moment at most; the rest of the margin is the network's.
TOLERANCE = timedelta(milliseconds=15)
# A slot that was missed is moved on by this much at most; then the message goes back to its lane.
MOVABLE = timedelta(milliseconds=800)
# Slots further ahead were taken before the clock was set back. They would stop the phone until then.
FARTHEST = timedelta(seconds=10)

_SPAN_US = (WINDOW + MARGIN) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Throughput:
    """``limit`` messages a second, ``remaining`` of them for direct sends now, all again at ``reset_at``."""

    limit: int
    remaining: int
    reset_at: datetime


@dataclass(frozen=True, slots=True)
class Allotted:
    """``slots`` with ``moments`` taken; ``next_at``: the first moment that could not be given yet."""

    slots: bytes
    moments: list[datetime]
    next_at: datetime | None


def limit_per_second(*, plan_limit: int, level: str, own_limit: int | None = None) -> int:
    """The lower of what the plan allows and what Meta allows the number.

    *Pro (30) on a number of level STANDARD (80) → 30; enterprise (80) on HIGH (1000) → 80; enterprise on a
    number that is also on the phone app (20) → 20.*
    """
    return min(plan_limit, level_limit(level, own_limit))


def level_limit(level: str, own_limit: int | None = None) -> int:
    """What Meta allows the number: ``own_limit`` where it has one, else its level's."""
    return own_limit or (HIGH_LEVEL if level == "HIGH" else STANDARD_LEVEL)


def taken(slots: bytes, *, now: datetime) -> list[int]:
    """The slots that still count at ``now``, oldest first, each as microseconds × 2, plus 1 if it is a direct
    send's. Those after ``now`` count too: they are given already, or the clock was set back a little, and
    forgetting them could exceed Meta's limit."""
    stamps = struct.unpack(f"<{len(slots) // 8}q", slots)
    since = bisect_right(stamps, _stamp(to_micros(now) - _SPAN_US, direct=True))
    until = bisect_right(stamps, _stamp(to_micros(now + FARTHEST), direct=True))
    return list(stamps[since:until])


def counting(slots: bytes, *, now: datetime) -> bytes:
    """The slots without those that count no more."""
    return _packed(taken(slots, now=now))


def free(slots: bytes, *, limit: int, now: datetime) -> int:
    """How many sends may start now."""
    return max(0, limit - len(taken(slots, now=now)))


def take(slots: bytes, *, limit: int, now: datetime) -> tuple[bytes, datetime] | None:
    """The slots with one more for a direct send, and its moment: now, or the next that is free, before all
    queued sends that have none yet. None when direct sends alone fill the second.

    *Limit 10, a backlog took the last second's ten → in about 100 ms; ten direct sends did → None.*
    """
    stamps = taken(slots, now=now)
    if sum(stamp & 1 for stamp in stamps) >= limit:
        return None
    over = len(stamps) - limit
    at = to_micros(now) if over < 0 else _moment(stamps[over]) + _SPAN_US
    insort(stamps, _stamp(at, direct=True))
    return _packed(stamps), from_micros(at)


def allot(slots: bytes, *, limit: int, count: int, now: datetime, lead: timedelta = LEAD) -> Allotted:
    """Moments for up to ``count`` queued sends, none sooner than in ``lead`` nor more than ``REACH`` later.

    *Limit 10, nothing taken, 5 wanted → in 10 and 100 ms; the third, in 190 ms, is asked for later.*
    """
    stamps = taken(slots, now=now)
    soonest, latest = to_micros(now + lead), to_micros(now + lead + REACH)
    moments: list[datetime] = []
    next_at = None
    if limit <= 0:  # inbound alone fills the second
        return Allotted(slots, moments, now + WINDOW / 4)
    pace_us = int(SPREAD * 1_000_000 / limit)
    while len(moments) < count:
        at = max(soonest, _moment(stamps[-1]) + pace_us) if stamps else soonest
        if len(stamps) >= limit:
            at = max(at, _moment(stamps[-limit]) + _SPAN_US)
        if at > latest:
            next_at = from_micros(at)
            break
        stamps.append(_stamp(at))
        moments.append(from_micros(at))
    return Allotted(_packed(stamps) if moments else slots, moments, next_at)


def wait_s(next_at: datetime, *, now: datetime, lead: timedelta = LEAD) -> float:
    """How long to wait before asking for that moment: a little longer than need be, so that one claim takes
    several."""
    return max(0.0, (next_at - lead - ASK_BEFORE - now).total_seconds())


def seconds_until(slot: datetime, *, now: datetime) -> float:
    """How long to wait for the moment of a slot; not at all for one that the clock was set back from."""
    return max(0.0, (slot - now).total_seconds()) if slot - now <= FARTHEST else 0.0


def was_missed(slot: datetime, *, now: datetime, tolerance: timedelta = TOLERANCE) -> bool:
    """Whether its moment passed, or is out of reach since the clock was set back."""
    return now - slot > tolerance or slot - now > FARTHEST


def postpone(
    slots: bytes, *, limit: int, given: datetime | None, to: datetime, until: datetime
) -> tuple[bytes, datetime | None]:
    """The slots with the one of that moment (None: a new one) at the next that is free from ``to`` on, with
    all slots counted, those after it too; without it, and None, where that is later than ``until``.

    *Limit 2; slots at 0, 0.6 and, a direct send's, 1.05 s; the first, missed, cannot go at 0.1 s: the other
    two would be within a second of it. At 1.65 s it can.*
    """
    stamps, direct = _without(slots, given) if given is not None else _unpacked(slots)
    at = to_micros(to)
    for index in range(len(stamps) - limit + 1):
        first, last = _moment(stamps[index]), _moment(stamps[index + limit - 1])
        if last - first < _SPAN_US and last - _SPAN_US < at < first + _SPAN_US:  # they fill it without this
            at = first + _SPAN_US
    if limit <= 0 or at > to_micros(until):
        return _packed(stamps), None
    insort(stamps, _stamp(at, direct=direct))
    return _packed(stamps), from_micros(at)


def postpone_both(
    lane: bytes,
    other: bytes,
    *,
    limits: tuple[int, int],
    given: tuple[datetime | None, datetime | None],
    to: datetime,
    until: datetime,
) -> tuple[bytes, bytes, datetime | None]:
    """The slots of a lane and of a second window with one more, or the one ``given`` in each, at the first
    moment from ``to`` on that is free in both; without it, and None, where that is later than ``until``.

    *A lane of 80 a second that is free at once, a redrive of 5 whose last second is full: when the oldest of
    those five is 1.05 s old.*
    """
    at: datetime | None = to
    while at is not None:
        ours, at = postpone(lane, limit=limits[0], given=given[0], to=at, until=until)
        if at is None:
            break
        theirs, agreed = postpone(other, limit=limits[1], given=given[1], to=at, until=until)
        if agreed == at:
            return ours, theirs, at
        at = agreed
    return _without_given(lane, given[0]), _without_given(other, given[1]), None


def correct(slots: bytes, *, given: datetime, written: datetime) -> bytes:
    """The slots with one of them at the moment at which its request was written instead."""
    stamps, direct = _without(slots, given)
    insort(stamps, _stamp(to_micros(written), direct=direct))
    return _packed(stamps)


def measure(slots: bytes, *, limit: int, now: datetime) -> Throughput:
    """What a direct sender is told: queued sends give way to direct ones, so those alone count."""
    direct = [stamp for stamp in taken(slots, now=now) if stamp & 1]
    reset_at = from_micros(_moment(direct[-1]) + _SPAN_US) if direct else now
    return Throughput(limit=limit, remaining=max(0, limit - len(direct)), reset_at=reset_at)


def next_free_at(slots: bytes, *, limit: int, now: datetime) -> datetime:
    """When a direct send may be taken again that was refused now."""
    direct = [stamp for stamp in taken(slots, now=now) if stamp & 1]
    over = len(direct) - limit
    return now if over < 0 or not direct else from_micros(_moment(direct[over]) + _SPAN_US)


def _without_given(slots: bytes, given: datetime | None) -> bytes:
    return slots if given is None else _packed(_without(slots, given)[0])


def _unpacked(slots: bytes) -> tuple[list[int], bool]:
    return list(struct.unpack(f"<{len(slots) // 8}q", slots)), False


def _without(slots: bytes, given: datetime) -> tuple[list[int], bool]:
    """The stamps but for the one of that moment, and whether that is a direct send's. It may be gone: so old
    that it counts no more."""
    stamps = list(struct.unpack(f"<{len(slots) // 8}q", slots))
    queued = _stamp(to_micros(given))
    direct = queued not in stamps and queued + 1 in stamps
    if direct or queued in stamps:
        stamps.remove(queued + direct)
    return stamps, direct


def _stamp(micros: int, *, direct: bool = False) -> int:
    return micros * 2 + direct


def _moment(stamp: int) -> int:
    return stamp >> 1


def _packed(stamps: list[int]) -> bytes:
    return struct.pack(f"<{len(stamps)}q", *stamps)
