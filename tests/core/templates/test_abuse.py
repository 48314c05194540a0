"""Levels: every boundary by name, and sliding windows against a count that looks at every moment anew."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.templates.abuse import TRIED, WINDOW, Happening, Tally, Thresholds, course, judge, percent
from data.enums import AbuseLevel
from tests.conftest import NOW

OK, WARNING, FLAGGED = AbuseLevel
RULES = Thresholds(warn_rate=0.30, flag_rate=0.50, min_decided=3, flag_rejections=5, flag_sends=5)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("rejected", "approved", "tried", "level"),
    [
        *[(0, 0, 0, OK), (0, 100, 0, OK)],
        *[(1, 0, 0, OK), (2, 0, 0, OK), (3, 0, 0, FLAGGED)],  # two decided are too few, three are enough
        *[(2, 3, 0, WARNING), (3, 2, 0, FLAGGED)],
        *[(3, 7, 0, OK), (3, 6, 0, WARNING)],  # 30 % is no warning, 33.3 % is
        *[(2, 2, 0, WARNING), (4, 4, 0, WARNING), (4, 3, 0, FLAGGED)],  # 50 % is no flag, 57.1 % is
        *[(4, 96, 0, OK), (5, 95, 0, FLAGGED), (5, 15, 0, FLAGGED)],
        *[(0, 0, 4, OK), (0, 0, 5, FLAGGED), (2, 3, 4, WARNING)],
    ],
)
def test_t2_levels(rejected: int, approved: int, tried: int, level: AbuseLevel) -> None:
    found = judge(Tally(approved, rejected, tried), RULES)
    assert found.level is level
    assert bool(found.reasons) is (level is not OK)


def test_t2_every_reason_that_holds_is_said_in_words() -> None:
    assert judge(Tally(approved=1, rejected=5, tried=6), RULES).reasons == (
        "Meta rejected 5 of 6 decided templates: 83.3 % in 24 hours, above 50 %.",
        "Meta rejected 5 templates in 24 hours; 5 are too many.",
        "6 sends of rejected templates were tried in 24 hours; 5 are too many.",
    )
    assert judge(Tally(approved=3, rejected=2), RULES).reasons == (
        "Meta rejected 2 of 5 decided templates: 40 % in 24 hours, above 30 %.",
    )


def test_t2_the_thresholds_are_settings() -> None:
    strict = Thresholds(warn_rate=0.1, flag_rate=0.2, min_decided=1, flag_rejections=2, flag_sends=1)
    assert judge(Tally(approved=0, rejected=1), strict).level is FLAGGED
    assert judge(Tally(approved=5, rejected=1), strict).level is WARNING
    assert judge(Tally(approved=98, rejected=2), strict).level is FLAGGED
    assert judge(Tally(tried=1), strict).level is FLAGGED


def test_t2_an_event_counts_from_its_moment_until_exactly_24_hours_later() -> None:
    events = [Happening(NOW, "rejected")]
    found = list(course(events, since=NOW - TICK, until=NOW + WINDOW))
    assert found == [(NOW - TICK, Tally()), (NOW, Tally(rejected=1)), (NOW + WINDOW, Tally())]
    [(_, last)] = course(events, since=NOW + WINDOW - TICK, until=NOW + WINDOW - TICK)
    assert last == Tally(rejected=1)


def test_t3_what_came_before_a_flag_was_cleared_counts_no_more() -> None:
    events = [Happening(NOW, "rejected"), Happening(NOW + TICK, "rejected")]
    [(_, left)] = course(events, since=NOW + WINDOW / 2, until=NOW + WINDOW / 2, counts_from=NOW)
    assert left == Tally(rejected=1)


hours = st.integers(0, 72).map(lambda hour: NOW + timedelta(hours=hour))
weighing = st.lists(st.builds(Happening, hours, st.sampled_from(["approved", "rejected", TRIED, "paused"])))


@settings(max_examples=60)
@given(weighing, hours, hours, st.none() | hours)
def test_t2_the_course_is_what_counting_anew_at_every_moment_finds(
    events: list[Happening], one: object, other: object, counts_from: object
) -> None:
    since, until = sorted([one, other])  # type: ignore[type-var]
    found = list(course(events, since=since, until=until, counts_from=counts_from))  # type: ignore[arg-type]
    assert found[0][0] == since
    assert [moment for moment, _ in found] == sorted({moment for moment, _ in found})
    for half in range(146):
        moment = NOW + timedelta(minutes=30) * half
        if since <= moment <= until:
            window = [
                event.what
                for event in events
                if moment - WINDOW < event.at <= moment and (counts_from is None or event.at > counts_from)  # type: ignore[operator]
            ]
            counted = Tally(window.count("approved"), window.count("rejected"), window.count(TRIED))
            assert [tally for at, tally in found if at <= moment][-1] == counted


def test_a_share_is_written_as_short_as_it_is_exact() -> None:
    assert [percent(rate) for rate in (0, 0.3, 1 / 3, 0.5, 1)] == ["0 %", "30 %", "33.3 %", "50 %", "100 %"]
