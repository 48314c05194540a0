"""Moments and numbers as people read them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ui.format import (
    Times,
    day_name,
    initials,
    month_name,
    number,
    percent,
    plural,
    relative,
    share,
    short_number,
    usd,
)
from ui.parts.json_view import highlighted

NOW = datetime(2026, 11, 23, 9, 0, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (-1.9, "just now"),
        (2, "2 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (7200, "2 h ago"),
        (86_400 * 12, "12 d ago"),
        (-240, "in 4 min"),
    ],
)
def test_relative_times(seconds: float, words: str) -> None:
    assert relative(NOW - timedelta(seconds=seconds), NOW) == words


def test_exact_times_are_in_the_zone_and_name_it() -> None:
    times = Times(ZoneInfo("Europe/Berlin"))
    assert times.exact(NOW) == "23 Nov 2026, 10:00:12 CET"
    assert times.short(NOW) == "23 Nov, 10:00"
    assert times.clock(NOW) == "23 Nov, 10:00:12"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (8_790, "8.7k"),
        (9_999, "9.9k"),
        (860_777, "860k"),
        (1_250_000, "1.2M"),
    ],
)
def test_short_numbers_never_round_up(value: int, shown: str) -> None:
    assert short_number(value) == shown


def test_a_share_is_all_only_when_it_is_all() -> None:
    assert share(0, 0) == "–"
    assert share(9_999_999, 10_000_000) == "99.9 %"
    assert share(3, 3) == "100 %"
    assert share(1, 3) == "33.3 %"


def test_words_beside_numbers() -> None:
    assert plural(1, "message") == "1 message"
    assert plural(12_345, "message") == "12,345 messages"
    assert plural(2, "retry", "retries") == "2 retries"
    assert number(1234567) == "1,234,567"
    assert initials("Ada Lindqvist") == "AL"
    assert initials("נועה") == "נ"
    assert initials("  ") == "?"


def test_json_from_people_stays_text() -> None:
    shown = highlighted('{"a\\"<b>": "<script>&quot;alert(1)</script>"}')
    assert "<script" not in shown
    assert "<b>" not in shown
    assert shown.count("<span") == 2


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (datetime(2026, 11, 22, 23, 30, tzinfo=UTC), "Today"),
        (datetime(2026, 11, 22, 22, 30, tzinfo=UTC), "Yesterday"),
        (datetime(2026, 11, 21, 9, 0, tzinfo=UTC), "21 November"),
        (datetime(2025, 12, 31, 22, 59, tzinfo=UTC), "31 December 2025"),
        (datetime(2025, 12, 31, 23, 0, tzinfo=UTC), "1 January"),
    ],
)
def test_a_day_is_the_workspaces_own(moment: datetime, words: str) -> None:
    assert Times(ZoneInfo("Europe/Berlin")).day(moment, NOW) == words


def test_an_hour_is_the_workspaces_own() -> None:
    assert Times(ZoneInfo("Europe/Berlin")).hour(NOW) == "10:00"


@pytest.mark.parametrize(
    ("micros", "shown"),
    [
        (0, "0.00 USD"),
        (5_000, "0.01 USD"),
        (1_234_500_000, "1,234.50 USD"),
        (-45_600, "\N{MINUS SIGN}0.05 USD"),
    ],
)
def test_b9_money_is_shown_in_whole_cents(micros: int, shown: str) -> None:
    assert usd(micros) == shown


def test_days_months_and_parts_are_read_as_people_say_them() -> None:
    assert (day_name(date(2026, 11, 5)), month_name(date(2026, 11, 5))) == ("5 November", "November 2026")
    assert (percent(0.421), percent(-0.5)) == ("42.1 %", "\N{MINUS SIGN}50.0 %")
