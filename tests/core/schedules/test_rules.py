"""When schedules run, over the whole of time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.schedules.rules import is_trouble, next_tick

DAY = datetime(2026, 11, 23, tzinfo=UTC)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@given(now=moments, every_h=st.sampled_from([1, 2, 3, 4, 6, 8, 12, 24]), minute=st.integers(0, 59))
@settings(max_examples=60)
def test_c2_the_next_tick_is_the_first_of_the_days_own_after_now(
    now: datetime, every_h: int, minute: int
) -> None:
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=1)
    ticks = [midnight + timedelta(hours=hour, minutes=minute) for hour in range(0, 96, every_h)]
    found = next_tick(now, every_s=every_h * 3600.0, at_s=minute * 60.0)
    assert found == min(tick for tick in ticks if tick > now)


def test_c2_a_tick_that_is_now_is_over() -> None:
    assert next_tick(DAY.replace(hour=12), every_s=21_600, at_s=0.0) == DAY.replace(hour=18)


def test_k1_tokens_are_swept_at_00_06_12_and_18() -> None:
    starts = [DAY + timedelta(minutes=each) for each in range(24 * 60)]
    assert {next_tick(one, every_s=21_600, at_s=0.0).hour for one in starts} == {0, 6, 12, 18}


@pytest.mark.parametrize(
    ("failures", "seconds", "expected"), [(2, 3600, False), (3, 59, False), (3, 60, True), (600, 600, True)]
)
def test_a_person_is_called_after_three_failures_over_a_minute(
    failures: int, seconds: int, expected: bool
) -> None:
    since = DAY - timedelta(seconds=seconds)
    assert is_trouble(failures=failures, since=since, now=DAY) is expected
