"""What is counted, under which names, and how times are told apart.

Counts are a flat mapping from a name to a number, so that minutes add up to hours and hours to days. A time
is counted in a bucket; buckets grow by half an octave, so a percentile read from them is never too low, and
too high by two fifths at most.
"""

import math
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

Counts = Counter[str]

MINUTE_US = 60_000_000
FIRST_BUCKET_MS = 10
PER_OCTAVE = 2


class Timing(StrEnum):
    """Times whose percentiles are asked for. ``WAITED``: from being given to us until a sender took it, the
    first time. ``TAKEN``: until Meta took it. ``DELIVERED``: until it was on the phone. ``APPLIED``: of a
    webhook, from its arrival until it counted."""

    WAITED = "waited"
    TAKEN = "taken"
    DELIVERED = "delivered"
    APPLIED = "applied"


# Counted as they are, beside the outcomes of attempts, which have their own words.
READ = "read"
FAILED_LATER = "failed_later"
BUSY_MS = "busy_ms"
WEBHOOKS = "webhooks"


def error(code: str) -> str:
    return f"error:{code}"


def retry(rung: int) -> str:
    """``rung`` 1 is the first retry."""
    return f"retry:{rung}"


def timed(timing: Timing, micros: int) -> str:
    """The bucket of that time, which is never below nothing: clocks of two machines differ."""
    return f"{timing.value}:{bucket_of(max(0, micros) / 1000)}"


def bucket_of(ms: float) -> int:
    """The bucket whose upper end is the first that is not below ``ms``.

    >>> [bucket_of(ms) for ms in (0, 10, 10.1, 14.2, 1000)]
    [0, 0, 1, 2, 14]
    """
    if ms <= FIRST_BUCKET_MS:
        return 0
    return math.ceil(PER_OCTAVE * math.log2(ms / FIRST_BUCKET_MS))


def upper_ms(bucket: int) -> float:
    return FIRST_BUCKET_MS * 2 ** (bucket / PER_OCTAVE)


def errors(counts: Mapping[str, int]) -> Counts:
    """error code → how often."""
    return Counter(
        {name.removeprefix("error:"): n for name, n in counts.items() if name.startswith("error:")}
    )


def retries(counts: Mapping[str, int]) -> dict[int, int]:
    """rung → how many tries it took, 1 for the first retry."""
    return numbered(counts, "retry")


def numbered(counts: Mapping[str, int], prefix: str) -> dict[int, int]:
    """number → count, of the names that are ``prefix:number``."""
    return {
        int(name.removeprefix(f"{prefix}:")): count
        for name, count in counts.items()
        if name.startswith(f"{prefix}:")
    }


def percentile_ms(counts: Mapping[str, int], timing: Timing, share: float) -> float | None:
    """The time that ``share`` of them (0 to 1) took at most, in milliseconds; None where there was none."""
    buckets = sorted(numbered(counts, timing.value).items())
    wanted = share * sum(count for _, count in buckets)
    seen = 0
    for bucket, count in buckets:
        seen += count
        if seen >= wanted:
            return upper_ms(bucket)
    return None
