"""B6: months without gap or overlap, in every zone, through every daylight change and change of zone."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.billing.periods import Zones, days, following, midnight, month, months, named, next_start, period_of

# The widest apart, those whose clocks change at midnight, halves and quarters of hours.
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Kiritimati", "Pacific/Pago_Pago",
    "Asia/Kolkata", "Asia/Kathmandu", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut",
    "Australia/Lord_Howe",
)  # fmt: skip
moments = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)


@st.composite
def histories(draw: st.DrawFn) -> Zones:
    """A zone, and changes of it that each came with a month."""
    zones = Zones(draw(st.sampled_from(ZONES)))
    for moment in sorted(draw(st.lists(moments, max_size=4))):
        at = next_start(zones, moment)
        if all(at > since + timedelta(days=40) for since, _ in zones.changes):
            zones = Zones(zones.first, (*zones.changes, (at, draw(st.sampled_from(ZONES)))))
    return zones


@given(histories(), moments)
def test_b6_every_moment_is_in_exactly_one_month(zones: Zones, moment: datetime) -> None:
    period = period_of(zones, moment)
    assert period.start <= moment < period.end
    assert period_of(zones, period.start) == period
    assert period_of(zones, period.end - timedelta(microseconds=1)) == period


@given(histories(), moments)
def test_b6_the_next_month_begins_where_this_one_ends(zones: Zones, moment: datetime) -> None:
    period = period_of(zones, moment)
    after = following(zones, period)
    assert after.start == period.end
    assert period_of(zones, period.end) == after
    assert named(zones, period.name) == period


@given(st.sampled_from(ZONES), moments)
def test_b6_a_month_is_the_calendars_in_its_zone(zone: str, moment: datetime) -> None:
    local = moment.astimezone(ZoneInfo(zone))
    assert period_of(Zones(zone), moment).name == f"{local.year:04d}-{local.month:02d}"


@given(histories(), moments, st.integers(0, 60))
def test_b6_days_follow_each_other_without_gap_or_overlap(zones: Zones, moment: datetime, count: int) -> None:
    first = moment.date()
    found = list(days(zones, first, first + timedelta(days=count)))
    assert [day for day, _, _ in found] == [first + timedelta(days=number) for number in range(count + 1)]
    assert all(start <= end for _, start, end in found)
    assert all(before[2] == after[1] for before, after in itertools.pairwise(found))
    parts = list(months(zones, first, first + timedelta(days=count)))
    assert (parts[0][1], parts[-1][2]) == (found[0][1], found[-1][2])
    assert all(before[2] == after[1] for before, after in itertools.pairwise(parts))


def test_b6_new_york_late_on_the_last_of_november() -> None:
    assert period_of(Zones("America/New_York"), datetime(2026, 12, 1, 4, 59, tzinfo=UTC)).name == "2026-11"
    assert period_of(Zones("America/New_York"), datetime(2026, 12, 1, 5, 0, tzinfo=UTC)).name == "2026-12"


@pytest.mark.parametrize(
    ("zone", "year", "number", "hours"),
    [("Europe/Berlin", 2026, 3, 743), ("Europe/Berlin", 2026, 10, 745), ("America/New_York", 2026, 11, 721)],
)
def test_b6_a_daylight_change_makes_a_month_an_hour_longer_or_shorter(
    zone: str, year: int, number: int, hours: int
) -> None:
    assert month(Zones(zone), year, number).seconds == hours * 3600


def test_b6_from_utc_to_tokyo_makes_one_month_nine_hours_shorter() -> None:
    change = datetime(2026, 12, 1, tzinfo=UTC)
    zones = Zones("UTC", ((change, "Asia/Tokyo"),))
    december = month(zones, 2026, 12)
    assert (december.start, december.end) == (change, datetime(2026, 12, 31, 15, tzinfo=UTC))
    assert december.seconds == 735 * 3600
    assert month(zones, 2026, 11).end == change


def test_b6_going_west_the_first_hours_are_already_the_new_months() -> None:
    change = datetime(2026, 11, 30, 15, tzinfo=UTC)  # midnight in Tokyo
    zones = Zones("Asia/Tokyo", ((change, "America/New_York"),))
    period = period_of(zones, change)
    assert (period.name, period.zone, period.first_day) == ("2026-12", "America/New_York", date(2026, 12, 1))
    assert period.end == datetime(2027, 1, 1, 5, tzinfo=UTC)


def test_a_day_whose_midnight_is_skipped_begins_when_clocks_jump() -> None:
    assert midnight(date(2018, 11, 4), "America/Sao_Paulo") == datetime(2018, 11, 4, 3, tzinfo=UTC)
