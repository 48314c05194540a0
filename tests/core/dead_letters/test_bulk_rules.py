"""When a bulk redrive goes on, waits or stops, and the second window that its messages keep (Q10)."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dead_letters.bulk_rules import Judged, Verdict, judge, room, verdict
from core.lanes import rules as lanes
from data.enums import MessageState as S
from data.enums import WaitingFor
from tests.conftest import NOW

T, F = Verdict.THROUGH, Verdict.FAILED


@pytest.mark.parametrize(
    ("state", "waiting_for", "sent_s_ago", "expected"),
    [
        (S.READ, None, 1, T),
        (S.DELIVERED, None, 1, T),
        (S.SENT, None, 9, None),
        (S.SENT, None, 10, T),
        (S.DEAD, None, None, F),
        (S.FAILED, None, 1, F),
        (S.RETRY_QUEUED, WaitingFor.RUNG, None, F),
        (S.RETRY_QUEUED, WaitingFor.THROUGHPUT, None, None),
        (S.RETRY_QUEUED, WaitingFor.LANE, None, None),
        (S.QUEUED, None, None, None),
        (S.SENDING, None, None, None),
        (S.UNKNOWN, WaitingFor.PERSON, None, F),
    ],
)
def test_q10_what_became_of_a_message(
    state: S, waiting_for: WaitingFor | None, sent_s_ago: int | None, expected: Verdict | None
) -> None:
    sent_at = None if sent_s_ago is None else NOW - timedelta(seconds=sent_s_ago)
    assert verdict(state, waiting_for, sent_at=sent_at, now=NOW) is expected


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ("", Judged()),
        (F * 49, Judged()),
        (F * 10 + T * 40, Judged()),
        (F * 11 + T * 39, Judged(stops="11 of the last 50 failed again.")),
        (F * 60 + T * 50, Judged()),
    ],
)
def test_q10_more_than_a_fifth_of_the_last_fifty_stops_it(verdicts: str, expected: Judged) -> None:
    assert judge(verdicts, canary=None, canary_passed=False, released=200) == expected


@pytest.mark.parametrize(
    ("verdicts", "released", "expected"),
    [
        ("", 9, Judged()),
        ("", 10, Judged(waits=True)),
        (T * 8 + F, 10, Judged(waits=True)),
        (T * 9, 10, Judged()),
        (T * 9 + F, 10, Judged()),
        (F * 2, 10, Judged(stops="2 of the first 10 failed again.")),
    ],
)
def test_q10_of_ten_that_go_first_nine_must_get_through(
    verdicts: str, released: int, expected: Judged
) -> None:
    assert judge(verdicts, canary=10, canary_passed=False, released=released) == expected


def test_q10_no_more_is_handed_over_than_a_cancel_may_leave() -> None:
    assert [room(rate_per_second=5, waiting=waiting) for waiting in (0, 2, 3, 9)] == [3, 1, 0, 0]
    assert room(rate_per_second=1, waiting=0) == 1


@given(
    lane_limit=st.integers(1, 12),
    pace=st.integers(1, 8),
    asked=st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_q10_a_moment_is_free_in_both_windows(
    lane_limit: int, pace: int, asked: list[tuple[int, bool]]
) -> None:
    lane = redrive = b""
    now, in_lane, in_redrive = NOW, [], []
    for wait_ms, is_redriven in asked:
        now += timedelta(milliseconds=wait_ms)
        until = now + lanes.MOVABLE
        if is_redriven:
            lane, redrive, moment = lanes.postpone_both(
                lane, redrive, limits=(lane_limit, pace), given=(None, None), to=now, until=until
            )
            in_redrive += [moment] if moment else []
        else:
            lane, moment = lanes.postpone(lane, limit=lane_limit, given=None, to=now, until=until)
        in_lane += [moment] if moment else []
        assert moment is None or now <= moment <= until
    for moments, limit in ((sorted(in_lane), lane_limit), (sorted(in_redrive), pace)):
        for first, later in zip(moments, moments[limit:], strict=False):
            assert later - first > lanes.WINDOW
