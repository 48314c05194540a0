from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.lanes import rules
from data.columns import from_micros

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SPAN = rules.WINDOW + rules.MARGIN
AHEAD = rules.LEAD + rules.REACH


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def moments(slots: bytes, *, now: datetime) -> list[datetime]:
    return [from_micros(stamp >> 1) for stamp in rules.taken(slots, now=now)]


@pytest.mark.parametrize(
    ("ahead_s", "waits_s", "was_missed"),
    [
        (0.25, 0.25, False),
        (10, 10, False),
        (-0.01, 0, False),
        (-0.02, 0, True),
        (3600, 0, True),  # the clock was set back an hour since it was given
    ],
)
def test_q13_a_slot_is_waited_for_as_long_as_one_can_be_ahead(
    ahead_s: float, waits_s: float, was_missed: bool
) -> None:
    assert rules.seconds_until(at(ahead_s), now=START) == waits_s
    assert rules.was_missed(at(ahead_s), now=START) is was_missed


@pytest.mark.parametrize(
    ("plan", "level", "own", "expected"),
    [
        (1, "STANDARD", None, 1),
        (10, "STANDARD", None, 10),
        (30, "HIGH", None, 30),
        (80, "STANDARD", None, 80),
        (80, "HIGH", None, 80),
        (5000, "STANDARD", None, 80),
        (5000, "HIGH", None, 1000),
        (80, "STANDARD", 20, 20),
        (10, "HIGH", 20, 10),
    ],
)
def test_q13_the_limit_is_the_lower_of_the_plans_and_metas(
    plan: int, level: str, own: int | None, expected: int
) -> None:
    assert rules.limit_per_second(plan_limit=plan, level=level, own_limit=own) == expected


def direct(slots: bytes, *, count: int, now: datetime, limit: int = 100) -> bytes:
    for _ in range(count):
        taken = rules.take(slots, limit=limit, now=now)
        assert taken is not None
        slots = taken[0]
    return slots


def test_q13_a_window_slides_and_is_no_bucket_that_refills() -> None:
    slots = direct(b"", count=10, now=at(0.9))
    assert rules.free(slots, limit=10, now=at(1.0)) == 0
    assert rules.free(slots, limit=10, now=at(1.9)) == 0
    assert rules.free(slots, limit=10, now=at(1.95)) == 10


def test_q13_a_slot_is_free_a_little_over_a_second_after_its_request() -> None:
    slots = direct(b"", count=1, now=START)
    free_at = rules.next_free_at(slots, limit=1, now=START)
    assert free_at == START + SPAN
    assert rules.free(slots, limit=1, now=free_at - timedelta(microseconds=1)) == 0
    assert rules.free(slots, limit=1, now=free_at) == 1


def test_q13_what_a_direct_sender_is_told_leaves_out_what_gives_way_to_it() -> None:
    slots = direct(direct(b"", count=2, now=START), count=1, now=at(0.5))
    slots = rules.allot(slots, limit=10, count=2, now=at(0.5)).slots
    told = rules.measure(slots, limit=10, now=at(0.6))
    assert (told.limit, told.remaining, told.reset_at) == (10, 7, at(1.55))
    assert rules.measure(b"", limit=10, now=START).reset_at == START


def test_q13_a_clock_that_is_set_back_a_little_forgets_no_send() -> None:
    slots = direct(b"", count=10, now=at(5))
    assert rules.free(slots, limit=10, now=START) == 0
    assert rules.free(direct(slots, count=1, now=START), limit=20, now=at(0.5)) <= 10


def test_q13_a_clock_that_is_set_back_far_does_not_stop_the_phone_until_then() -> None:
    slots = direct(b"", count=10, now=at(3600))
    assert rules.free(slots, limit=10, now=START) == 10


def test_q13_queued_sends_get_moments_close_ahead_and_spread_over_the_second() -> None:
    allotted = rules.allot(b"", limit=10, count=5, now=START)
    assert allotted.moments == [at(0.01), at(0.1)]
    assert allotted.next_at == at(0.19)
    assert rules.wait_s(at(0.19), now=START) == pytest.approx(0.12)
    assert rules.allot(b"", limit=1000, count=3, now=START).next_at is None


def test_q13_who_takes_longer_to_be_ready_gets_later_moments() -> None:
    allotted = rules.allot(b"", limit=10, count=5, now=START, lead=timedelta(seconds=0.1))
    assert (allotted.moments, allotted.next_at) == ([at(0.1), at(0.19)], at(0.28))
    assert rules.wait_s(at(0.28), now=START, lead=timedelta(seconds=0.1)) == pytest.approx(0.12)


def test_q13_nothing_goes_while_inbound_alone_fills_the_second() -> None:
    allotted = rules.allot(b"", limit=0, count=5, now=START)
    assert (allotted.moments, allotted.next_at) == ([], at(0.25))


def test_q13_a_request_that_was_written_late_holds_its_slot_from_then_on() -> None:
    slots = rules.allot(b"", limit=2, count=1, now=START).slots
    slots = direct(slots, count=1, now=at(0.3))
    late = rules.correct(slots, given=at(0.01), written=at(0.2))
    assert moments(late, now=at(0.3)) == [at(0.2), at(0.3)]
    assert rules.free(late, limit=2, now=at(0.2) + SPAN - timedelta(microseconds=1)) == 0
    assert rules.measure(late, limit=2, now=at(0.3)).remaining == 1
    later = rules.correct(late, given=at(0.3), written=at(0.4))
    assert moments(later, now=at(0.5)) == [at(0.2), at(0.4)]
    assert rules.measure(later, limit=2, now=at(0.5)).remaining == 1


def test_q13_a_missed_slot_goes_where_there_is_room_among_those_after_it() -> None:
    slots = rules.allot(b"", limit=2, count=1, now=START).slots  # at 0.01
    slots = direct(slots, count=1, now=at(0.6), limit=2)
    slots = direct(slots, count=1, now=at(0.6), limit=2)  # when the first is free again
    assert moments(slots, now=at(0.6)) == [at(0.01), at(0.6), at(1.06)]
    moved, moment = rules.postpone(slots, limit=2, given=at(0.01), to=at(0.1), until=at(2))
    assert moment == at(0.6) + SPAN
    assert moments(moved, now=at(0.6)) == [at(0.6), at(1.06), at(1.65)]
    given_up, none = rules.postpone(slots, limit=2, given=at(0.01), to=at(0.1), until=at(0.8))
    assert none is None
    assert moments(given_up, now=at(0.6)) == [at(0.6), at(1.06)]


asked = st.lists(
    st.tuples(st.integers(0, 400_000), st.integers(1, 30), st.booleans()), min_size=1, max_size=60
)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 40), asked)
def test_q13_no_second_holds_more_than_the_limit_whoever_asks(
    limit: int, asked: list[tuple[int, int, bool]]
) -> None:
    """The log keeps every send for ever and is looked through from each of them; the slots keep only what
    still counts."""
    log: list[datetime] = []
    slots, now = b"", START
    for gap_us, wanted, direct in asked:
        now += timedelta(microseconds=gap_us)
        counted = [one for one in log if one > now - SPAN]
        assert rules.free(slots, limit=limit, now=now) == max(0, limit - len(counted))
        if direct:
            for _ in range(wanted):
                taken = rules.take(slots, limit=limit, now=now)
                if taken is None:
                    break
                slots, moment = taken
                assert now <= moment <= now + SPAN + AHEAD
                log.append(moment)
        else:
            allotted = rules.allot(slots, limit=limit, count=wanted, now=now)
            assert all(now < one <= now + AHEAD for one in allotted.moments)
            slots = allotted.slots
            log += allotted.moments
    log.sort()
    for index, one in enumerate(log):
        assert sum(1 for later in log[index:] if later - one < timedelta(seconds=1)) <= limit


class Naive:
    """Every send that was ever given a moment, and where it is now; a new place is found by trying all."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.log: list[datetime] = []

    def has_room(self, moment: datetime) -> bool:
        near = sorted([*(one for one in self.log if abs(one - moment) < SPAN), moment])
        return all(
            sum(1 for later in near[i:] if later - one < SPAN) <= self.limit for i, one in enumerate(near)
        )

    def next_with_room(self, moment: datetime) -> datetime:
        places = [moment, *sorted(one + SPAN for one in self.log if one + SPAN > moment)]
        return next(place for place in places if self.has_room(place))


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 12),
    st.lists(
        st.tuples(
            st.integers(0, 300_000),
            st.sampled_from(["direct", "queued", "missed"]),
            st.integers(1, 6),
            st.integers(0, 100),
        ),
        min_size=1,
        max_size=50,
    ),
)
def test_q13_no_window_holds_more_than_the_limit_though_slots_are_missed(
    limit: int, steps: list[tuple[int, str, int, int]]
) -> None:
    slots, now, naive = b"", START, Naive(limit)
    queued: list[datetime] = []
    for gap_us, what, count, which in steps:
        now += timedelta(microseconds=gap_us)
        missed = [one for one in queued if timedelta(0) < now - one < rules.MOVABLE]
        if what == "direct":
            for _ in range(count):
                taken = rules.take(slots, limit=limit, now=now)
                if taken is not None:
                    slots = taken[0]
                    naive.log.append(taken[1])
        elif what == "queued":
            allotted = rules.allot(slots, limit=limit, count=count, now=now)
            slots = allotted.slots
            queued += allotted.moments
            naive.log += allotted.moments
        elif missed:
            given = missed[which % len(missed)]
            queued.remove(given)
            naive.log.remove(given)
            until = given + rules.MOVABLE
            slots, moment = rules.postpone(slots, limit=limit, given=given, to=now + rules.LEAD, until=until)
            expected = naive.next_with_room(now + rules.LEAD)
            assert moment == (expected if expected <= until else None)
            naive.log += [] if moment is None else [moment]
    log = sorted(naive.log)
    assert all(later - one >= SPAN for one, later in zip(log, log[limit:], strict=False))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(5, 9), st.integers(0, 10_000))
def test_q13_a_backlog_that_asks_when_it_is_told_to_uses_at_least_93_percent(
    limit: int, batch: int, late_us: int
) -> None:
    slots, now, sent = b"", START, 0
    while now < at(20):
        allotted = rules.allot(slots, limit=limit, count=batch, now=now)
        slots = allotted.slots
        sent += sum(1 for one in allotted.moments if one < at(20))
        wait_s = 0.002 if allotted.next_at is None else rules.wait_s(allotted.next_at, now=now)
        now += timedelta(seconds=wait_s, microseconds=late_us)
    assert 0.93 * limit * 20 <= sent + 1
    assert sent <= limit * 21


@given(st.integers(1, 10), st.lists(st.integers(0, 400_000), min_size=1, max_size=40))
def test_q13_a_direct_send_that_was_refused_is_taken_when_it_was_told(limit: int, gaps: list[int]) -> None:
    slots, now = b"", START
    for gap in gaps:
        now += timedelta(microseconds=gap)
        taken = rules.take(slots, limit=limit, now=now)
        if taken is not None:
            slots = taken[0]
            continue
        free_at = rules.next_free_at(slots, limit=limit, now=now)
        assert free_at > now
        assert rules.take(slots, limit=limit, now=free_at - timedelta(microseconds=1)) is None
        assert rules.take(slots, limit=limit, now=free_at) is not None


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(0, 49_000))
def test_q13_direct_sends_go_before_a_backlog_and_wait_a_second_at_most_until_they_fill_most_of_it(
    limit: int, later_us: int
) -> None:
    """Eight in ten of a second's wait no longer. The last of all can only go when what the backlog had been
    given by then is free again."""
    slots, now = b"", START
    while now < at(3):
        slots = rules.allot(slots, limit=limit, count=limit, now=now).slots
        now += timedelta(milliseconds=50)
    now += timedelta(microseconds=later_us)
    waits = []
    for _ in range(limit):
        taken = rules.take(slots, limit=limit, now=now)
        assert taken is not None
        slots = taken[0]
        waits.append(taken[1] - now)
    assert waits == sorted(waits)
    assert all(wait <= timedelta(seconds=1) for wait in waits[: int(0.8 * limit)])
    assert waits[-1] <= SPAN + AHEAD
    assert rules.take(slots, limit=limit, now=now) is None
