"""When a channel is told, as pure functions (A3)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.alerts.notice_rules import LADDER_S, is_wanted, quiet_end, wait_after
from data.enums import Severity

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = {"quiet_from": 22 * 60, "quiet_until": 7 * 60}


def at(text: str) -> datetime:
    """A moment on Berlin's clocks."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-23T21:59", None),
        ("2026-11-23T22:00", "2026-11-24T07:00"),
        ("2026-11-23T23:30", "2026-11-24T07:00"),
        ("2026-11-24T06:59", "2026-11-24T07:00"),
        ("2026-11-24T07:00", None),
        ("2026-03-28T23:00", "2026-03-29T07:00"),  # the night that is an hour shorter
        ("2026-10-24T23:00", "2026-10-25T07:00"),  # and the one that is longer
    ],
)
def test_a3_quiet_hours_are_those_of_the_workspaces_clocks(now: str, end: str | None) -> None:
    assert quiet_end(at(now), zone=BERLIN, **NIGHT) == (at(end) if end else None)


def test_a3_without_quiet_hours_it_is_never_quiet() -> None:
    assert quiet_end(at("2026-11-23T03:00"), zone=BERLIN, quiet_from=None, quiet_until=None) is None


@settings(max_examples=60, deadline=None)
@given(
    minute=st.integers(0, 3 * 1440),
    quiet_from=st.integers(0, 1439),
    quiet_until=st.integers(0, 1439),
)
def test_a3_quiet_ends_at_the_first_minute_that_is_not_quiet(
    minute: int, quiet_from: int, quiet_until: int
) -> None:
    """Against walking on minute by minute, in a zone without daylight changes."""
    if quiet_from == quiet_until:
        return
    kolkata = ZoneInfo("Asia/Kolkata")
    now = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=minute)

    def is_quiet(moment: datetime) -> bool:
        local = moment.astimezone(kolkata)
        of_day = local.hour * 60 + local.minute
        hours = (quiet_from + step for step in range((quiet_until - quiet_from) % 1440))
        return of_day in {one % 1440 for one in hours}

    walked = now
    while is_quiet(walked):
        walked += timedelta(minutes=1)
    end = quiet_end(now, zone=kolkata, quiet_from=quiet_from, quiet_until=quiet_until)
    assert end == (None if walked == now else walked)


@pytest.mark.parametrize("least", list(Severity))
def test_a3_the_least_severity_and_the_kinds_decide(least: Severity) -> None:
    order = [Severity.INFO, Severity.WARNING, Severity.CRITICAL]
    for severity in order:
        loud = order.index(severity) >= order.index(least)
        assert is_wanted(kind="lane_held", severity=severity, least=least, kinds=()) is loud
        assert is_wanted(kind="lane_held", severity=severity, least=least, kinds=["lane_held"]) is loud
        assert not is_wanted(kind="lane_held", severity=severity, least=least, kinds=["mail_failed"])


def test_a3_the_ladder_of_channels() -> None:
    assert [wait_after(n) for n in range(1, 6)] == [*(timedelta(seconds=s) for s in LADDER_S), None]
