"""How monitoring says what was counted."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from core.traffic.measures import FAILED_LATER, Timing, percentile_ms
from data.enums import Outcome
from ui.format import NOTHING, Times
from ui.parts.time_chart import Part

# The outcome as it is counted, what it is called, its colour.
TAKEN = Outcome.ACCEPTED.value
OUTCOMES = (
    (TAKEN, "Taken by Meta", "brand"),
    (Outcome.PASSING.value, "Failed, tried again", "amber"),
    (Outcome.REFUSED.value, "Refused for good", "red"),
    (Outcome.UNKNOWN.value, "No answer", "blue"),
    (FAILED_LATER, "Failed after all", "grey"),
)
OUTCOME_PARTS = [Part(name, tone) for _, name, tone in OUTCOMES]
QUANTILES = (("Half", 0.5, "brand"), ("95 %", 0.95, "amber"), ("99 %", 0.99, "red"))
DAY = timedelta(days=1)


def seconds_of(timing: Timing, counts: Mapping[str, int]) -> tuple[float | None, ...]:
    """Half, 95 % and 99 % took so many seconds at most."""
    found = (percentile_ms(counts, timing, share) for _, share, _ in QUANTILES)
    return tuple(None if ms is None else round(ms / 1000, 3) for ms in found)


def milliseconds(counts: Mapping[str, int], timing: Timing) -> str:
    """What 95 % took at most."""
    return time_words(percentile_ms(counts, timing, 0.95))


def time_words(ms: float | None) -> str:
    """``320 ms``, ``4.5 s``, ``12 min``."""
    if ms is None:
        return NOTHING
    if ms < 1000:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.1f} s" if ms < 120_000 else f"{ms / 60_000:.0f} min"


def week_words(now: int, a_week_ago: int) -> str:
    return change(now, a_week_ago, than="the same hours last week")


def change(now: int, before: int, *, than: str = "the span before") -> str:
    """Against another span: ``+12 % on the span before``.

    >>> change(112, 100), change(50, 100), change(3, 0)
    ('+12 % on the span before', '−50 % on the span before', 'none in the span before')
    """
    if not before:
        return f"none in {than}"
    percent = round((now - before) * 100 / before)
    sign = "+" if percent > 0 else "−" if percent < 0 else "±"
    return f"{sign}{abs(percent):,} % on {than}"


def slot_words(times: Times, at: datetime, width: timedelta) -> tuple[str, str]:
    """(in full, under the axis) for a bar that begins then."""
    local = at.astimezone(times.zone)
    if width >= DAY:
        return f"{local.day} {local:%b %Y}", f"{local.day} {local:%b}"
    if width >= timedelta(hours=2):
        return times.short(at), f"{local.day} {local:%b}"
    return times.short(at), times.hour(at)
