"""When a bulk redrive goes on, waits, or stops by itself (Q10), as pure functions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from data.enums import MessageState, WaitingFor

RATE_MAX = 1_000
# It is judged by this many outcomes, the newest; of fewer than the least it is not judged at all.
JUDGED = 50
FAILED_SHARE_MAX = 0.2
CANARY_SHARE = 0.9
# How much is handed to the queue ahead of its sending. What is there when somebody cancels still goes.
AHEAD_S = 0.6
# A message that Meta took and of which nothing was heard since got through.
SILENCE_IS_GOOD_AFTER = timedelta(seconds=10)


class Verdict(StrEnum):
    """What became of a message that was sent again, in one letter."""

    THROUGH = "t"
    FAILED = "f"


@dataclass(frozen=True, slots=True)
class Judged:
    """``waits``: nothing more is handed over before its first ones are through; ``stops``: why it stops."""

    waits: bool = False
    stops: str | None = None


def verdict(
    state: MessageState, waiting_for: WaitingFor | None, *, sent_at: datetime | None, now: datetime
) -> Verdict | None:
    """What became of it; None while nobody knows. One whose try failed has failed, though it may be tried
    again: nobody should send a thousand more meanwhile.

    *read → through; dead → failed; waits for its first rung → failed; sent 3 s ago → not known yet.*
    """
    if state in (MessageState.DELIVERED, MessageState.READ):
        return Verdict.THROUGH
    if state is MessageState.SENT:
        is_old = sent_at is not None and sent_at + SILENCE_IS_GOOD_AFTER <= now
        return Verdict.THROUGH if is_old else None
    if state in (MessageState.DEAD, MessageState.FAILED, MessageState.DISCARDED, MessageState.UNKNOWN):
        return Verdict.FAILED
    if state is MessageState.RETRY_QUEUED and waiting_for is WaitingFor.RUNG:
        return Verdict.FAILED
    return None


def judge(verdicts: str, *, canary: int | None, canary_passed: bool, released: int) -> Judged:
    """Whether it goes on, by the outcomes so far, oldest first.

    *50 outcomes, 11 failed → stops; 10 failed → goes on. Canary of 10: it waits until the ten have an
    outcome; nine through → goes on, eight → stops.*
    """
    if canary is not None and not canary_passed and released >= canary:
        first = verdicts[:canary]
        failed = first.count(Verdict.FAILED)
        needed = math.ceil(CANARY_SHARE * canary)
        if canary - failed < needed:
            return Judged(stops=f"{failed} of the first {canary} failed again.")
        return Judged(waits=first.count(Verdict.THROUGH) < needed)
    newest = verdicts[-JUDGED:]
    failed = newest.count(Verdict.FAILED)
    if len(newest) == JUDGED and failed > FAILED_SHARE_MAX * JUDGED:
        return Judged(stops=f"{failed} of the last {JUDGED} failed again.")
    return Judged()


def room(*, rate_per_second: int, waiting: int) -> int:
    """How many more may be handed to the queue while ``waiting`` of them are there. *5 a second: 3.*"""
    return max(0, math.ceil(rate_per_second * AHEAD_S) - waiting)


def lane_room(limits: Mapping[str, int], waiting: Mapping[str, int]) -> dict[str, int]:
    """The same for each lane, whose pace may be the lower one."""
    return {
        phone: room(rate_per_second=limit, waiting=waiting.get(phone, 0)) for phone, limit in limits.items()
    }
