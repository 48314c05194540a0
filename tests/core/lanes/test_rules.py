from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.lanes import rules

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("plan", "level", "expected"),
    [(1, "STANDARD", 1), (10, "STANDARD", 10), (30, "HIGH", 30), (80, "STANDARD", 80), (80, "HIGH", 80)],
)
def test_q13_the_limit_is_the_lower_of_the_plans_and_metas(plan: int, level: str, expected: int) -> None:
    assert rules.limit_per_second(plan_limit=plan, level=level) == expected
    assert rules.limit_per_second(plan_limit=5000, level=level) == (1000 if level == "HIGH" else 80)


def test_q13_a_window_slides_and_is_no_bucket_that_refills() -> None:
    slots = rules.take(b"", count=10, now=at(0.9))
    assert rules.free(slots, limit=10, now=at(1.0)) == 0
    assert rules.free(slots, limit=10, now=at(1.9)) == 0
    assert rules.free(slots, limit=10, now=at(1.95)) == 10


def test_q13_a_slot_is_free_a_little_over_a_second_after_its_request() -> None:
    slots = rules.take(b"", count=1, now=START)
    free_at = rules.next_free_at(slots, limit=1, now=START)
    assert free_at == START + rules.WINDOW + rules.MARGIN
    assert rules.free(slots, limit=1, now=free_at - timedelta(microseconds=1)) == 0
    assert rules.free(slots, limit=1, now=free_at) == 1


def test_q13_what_a_sender_is_told_says_when_all_are_free_again() -> None:
    slots = rules.take(rules.take(b"", count=2, now=START), count=1, now=at(0.5))
    told = rules.measure(slots, limit=10, now=at(0.6))
    assert (told.limit, told.remaining, told.reset_at) == (10, 7, at(1.55))
    assert rules.measure(b"", limit=10, now=START).reset_at == START


def test_q13_a_clock_that_is_set_back_forgets_no_send() -> None:
    slots = rules.take(b"", count=10, now=at(5))
    assert rules.free(slots, limit=10, now=START) == 0
    assert rules.free(rules.take(slots, count=1, now=START), limit=20, now=at(0.5)) <= 10


gaps = st.lists(st.tuples(st.integers(0, 400_000), st.integers(1, 30)), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 40), gaps)
def test_q13_no_second_holds_more_than_the_limit_and_the_count_is_that_of_a_naive_log(
    limit: int, asked: list[tuple[int, int]]
) -> None:
    """The log keeps every send; the slots keep only what still counts."""
    log: list[datetime] = []
    slots = b""
    now = START
    for gap_us, wanted in asked:
        now += timedelta(microseconds=gap_us)
        counted = [one for one in log if now - one < rules.WINDOW + rules.MARGIN]
        assert rules.free(slots, limit=limit, now=now) == max(0, limit - len(counted))
        going = min(wanted, rules.free(slots, limit=limit, now=now))
        slots = rules.take(slots, count=going, now=now)
        log += [now] * going
    assert len(rules.taken(slots, now=now)) // 8 <= limit
    for index, one in enumerate(log):
        assert sum(1 for later in log[index:] if later - one < timedelta(seconds=1)) <= limit


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(1, 60))
def test_q13_a_backlog_that_goes_as_soon_as_it_may_uses_at_least_93_percent(limit: int, batch: int) -> None:
    slots, now, sent = b"", START, 0
    end = START + timedelta(seconds=20)
    while now < end:
        going = min(batch, rules.free(slots, limit=limit, now=now))
        slots = rules.take(slots, count=going, now=now)
        sent += going
        now = rules.next_free_at(slots, limit=limit, now=now)
    assert sent >= 0.93 * limit * 20
    assert sent <= limit * 21


@given(st.integers(1, 10), st.lists(st.integers(0, 3_000_000), max_size=30))
def test_q13_the_next_free_moment_is_the_first_at_which_one_is_free(limit: int, offsets: list[int]) -> None:
    slots = b""
    for offset in sorted(offsets):
        slots += rules.take(b"", count=1, now=START + timedelta(microseconds=offset))
    now = START + timedelta(seconds=3)
    free_at = rules.next_free_at(slots, limit=limit, now=now)
    assert free_at >= now
    assert rules.free(slots, limit=limit, now=free_at) >= 1
    if free_at > now:
        assert rules.free(slots, limit=limit, now=free_at - timedelta(microseconds=1)) == 0
