"""Schedules in words: when they run, how they are, how long a run took."""

from datetime import datetime

from core.schedules.queries import RunView, ScheduleView, Standing
from data.enums import RunOutcome
from ui.format import NOTHING, duration, number, plural, relative
from ui.parts.badge import Tone, Word

HOUR_S, DAY_S = 3600, 86_400
# More moments of a day than these are not listed one by one.
LISTED = 4

STANDING: dict[Standing, Word] = {
    Standing.FAILING: ("Failing", "red"),
    Standing.RUNNING: ("Running", "blue"),
    Standing.PAUSED: ("Paused", "amber"),
    Standing.WELL: ("Well", "green"),
    Standing.NEVER: ("Not run yet", "grey"),
}
OUTCOME: dict[RunOutcome, Word] = {
    RunOutcome.RUNNING: ("Running", "blue"),
    RunOutcome.DONE: ("Done", "green"),
    RunOutcome.FAILED: ("Failed", "red"),
    RunOutcome.LOST: ("Cut off", "amber"),
}


def title(name: str) -> str:
    """``phone sync`` → *Phone sync*."""
    return name[:1].upper() + name[1:]


def cadence(every_s: float, at_s: float | None) -> str:
    """*Every second*, *Every 10 s*, *Every 5 min*, *Hourly at :07*, *Daily at 02:30 UTC*, *At 00:00, 06:00,
    12:00 and 18:00 UTC*."""
    if at_s is None or every_s < HOUR_S:
        return f"Every {_span(every_s)}"
    minute = f"{int(at_s) % HOUR_S // 60:02}"
    hours = [int(at_s + start) // HOUR_S % 24 for start in range(0, DAY_S, int(every_s))]
    if len(hours) == 1:
        return f"Daily at {hours[0]:02}:{minute} UTC"
    if every_s == HOUR_S:
        return f"Hourly at :{minute}"
    if len(hours) > LISTED:
        return f"Every {duration(every_s)} from {hours[0]:02}:{minute} UTC"
    *others, last = (f"{hour:02}:{minute}" for hour in hours)
    return f"At {', '.join(others)} and {last} UTC"


def _span(seconds: float) -> str:
    if seconds in (1, 60):
        return "second" if seconds == 1 else "minute"
    return f"{seconds:g} s" if seconds < 60 else duration(seconds)


def took(seconds: float) -> str:
    """``0 ms`` to ``999 ms``, ``2.5 s``, ``3 min``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def last_result(schedule: ScheduleView) -> str:
    if schedule.running_since is not None:
        return "Under way"
    return schedule.result if schedule.ran_at is not None else NOTHING


def beneath_result(schedule: ScheduleView) -> str:
    """What a failure or a pause is to be read with."""
    if schedule.failures:
        return f"{number(schedule.failures)} in a row" if schedule.failures > 1 else "The first time"
    if schedule.paused_at is not None:
        return f"Paused: {schedule.pause_reason}"
    return ""


def next_word(schedule: ScheduleView) -> tuple[str, str]:
    """Where there is no moment to show."""
    if schedule.asked_at is not None:
        return "Now", "asked for"
    if schedule.paused_at is not None:
        return "When resumed", ""
    return "All the time", ""


def run_title(run: RunView) -> str:
    """*Done in 250 ms*, *Failed 4 times*."""
    word = OUTCOME[run.outcome][0]
    if run.times > 1:
        return f"{word} {plural(run.times, 'time')}"
    return f"{word} in {took(run.took_s)}" if run.outcome in (RunOutcome.DONE, RunOutcome.FAILED) else word


def run_tone(run: RunView) -> Tone:
    return OUTCOME[run.outcome][1]


def failing(schedule: ScheduleView, now: datetime) -> str:
    since = relative(schedule.failing_since, now) if schedule.failing_since else "now"
    return f"{plural(schedule.failures, 'failure')} in a row, the first {since}."
