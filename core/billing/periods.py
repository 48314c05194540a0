"""Months of a workspace (B6): its own time zone's, half-open in UTC, without gap or overlap."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
FIRST_YEAR, LAST_YEAR = 2000, 2100


@dataclass(frozen=True, slots=True)
class Zones:
    """Which time zone a workspace's months follow. ``changes``: (from when on, zone), oldest first; before
    the first one it is ``first``. Each change stands where a month of the zone before it began."""

    first: str
    changes: tuple[tuple[datetime, str], ...] = ()

    def at(self, moment: datetime) -> str:
        index = bisect_right([since for since, _ in self.changes], moment)
        return self.first if index == 0 else self.changes[index - 1][1]


@dataclass(frozen=True, slots=True)
class Period:
    """One month: ``[start, end)``, its first and last day, and the zone they are days of."""

    name: str
    start: datetime
    end: datetime
    first_day: date
    last_day: date
    zone: str

    @property
    def seconds(self) -> int:
        """A month's length is a whole number of seconds, whatever its daylight changes."""
        return int((self.end - self.start).total_seconds())


def midnight(day: date, zone: str) -> datetime:
    """When that day begins there, in UTC. Where clocks skip midnight it begins as they do."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def period_of(zones: Zones, moment: datetime) -> Period:
    """The month that ``moment`` is in.

    *New York, 1 December 04:59 UTC → November, for it is 23:59 there.* A change of zone lengthens or shortens
    one month: *from UTC to Tokyo with December: it begins at 00:00 UTC and ends at 00:00 in Tokyo, 735 hours
    later.*
    """
    zone = zones.at(moment)
    local = moment.astimezone(ZoneInfo(zone)).date()
    since = [start for start, _ in zones.changes if start <= moment]
    if since:  # just after a change to a zone further west it is still the month before there
        earlier = Zones(zones.first, tuple(one for one in zones.changes if one[0] < since[-1]))
        first = since[-1].astimezone(ZoneInfo(earlier.at(since[-1]))).date()
        local = max(local, first)
    return month(zones, local.year, local.month)


def month(zones: Zones, year: int, number: int) -> Period:
    """That month. It ends by the zone it is in, and begins where the month before ended."""
    first, following = date(year, number, 1), _following(year, number)
    change = next((one for one in reversed(zones.changes) if _begins(zones, one) <= first), None)
    zone = zones.first if change is None else change[1]
    start = change[0] if change is not None and _begins(zones, change) == first else midnight(first, zone)
    return Period(
        name=f"{year:04d}-{number:02d}",
        start=start,
        end=midnight(following, zone),
        first_day=first,
        last_day=following - DAY,
        zone=zone,
    )


def following(zones: Zones, period: Period) -> Period:
    after = _following(period.first_day.year, period.first_day.month)
    return month(zones, after.year, after.month)


def day_start(zones: Zones, day: date) -> datetime:
    """When that day begins: the first of a month with the month, the others by the month's zone, but never
    before their month."""
    found = month(zones, day.year, day.month)
    return found.start if day.day == 1 else max(found.start, midnight(day, found.zone))


def day_of(zones: Zones, moment: datetime) -> date:
    """The day that ``moment`` is in: of all that have begun by then the last."""
    day = moment.astimezone(ZoneInfo(period_of(zones, moment).zone)).date()
    while day_start(zones, day) > moment:
        day -= DAY
    while day_start(zones, day + DAY) <= moment:
        day += DAY
    return day


def days(zones: Zones, first: date, last: date) -> Iterator[tuple[date, datetime, datetime]]:
    """(day, when it begins, when the next one does), from ``first`` to ``last``, both included."""
    starts = day_start(zones, first)
    for number in range((last - first).days + 1):
        day = first + number * DAY
        ends = day_start(zones, day + DAY)
        yield day, starts, ends
        starts = ends


def months(zones: Zones, first: date, last: date) -> Iterator[tuple[Period, datetime, datetime]]:
    """(month, from when, until when), for the part of each month that the days ``first`` to ``last``, both
    included, are in."""
    since, until = day_start(zones, first), day_start(zones, last + DAY)
    found = month(zones, first.year, first.month)
    while found.start < until:
        yield found, max(since, found.start), min(until, found.end)
        found = following(zones, found)


def next_start(zones: Zones, moment: datetime) -> datetime:
    """When the next month begins: from then on a new zone counts."""
    return period_of(zones, moment).end


def named(zones: Zones, name: str) -> Period:
    """The month ``2026-11``."""
    year, number = name.split("-")
    return month(zones, int(year), int(number))


def newest(changes: Sequence[tuple[datetime, str, str]], present: str) -> Zones:
    """From rows (when, zone before, zone after), oldest first, and the zone of a workspace without any."""
    if not changes:
        return Zones(present)
    return Zones(changes[0][1], tuple((at, after) for at, _, after in changes))


def _begins(zones: Zones, change: tuple[datetime, str]) -> date:
    """The first of the month that a change came with, by the zone before it."""
    before = Zones(zones.first, tuple(one for one in zones.changes if one[0] < change[0]))
    return change[0].astimezone(ZoneInfo(before.at(change[0]))).date()


def _following(year: int, number: int) -> date:
    return date(year + number // 12, number % 12 + 1, 1)
