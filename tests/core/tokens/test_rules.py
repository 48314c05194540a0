"""When tokens are looked at, exchanged and told about, over the whole of time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tokens.rules import (
    Step,
    TokenState,
    days_told,
    missing_scopes,
    next_step,
    state_of,
    wait_after,
)

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
DAY = timedelta(days=1)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("left", "wanted", "step"),
    [
        (60 * DAY, False, Step.NOTHING),
        (60 * DAY, True, Step.EXCHANGE),
        (15 * DAY + timedelta(microseconds=1), False, Step.NOTHING),
        (15 * DAY, False, Step.EXCHANGE),
        (timedelta(seconds=1), False, Step.EXCHANGE),
        (None, False, Step.NOTHING),
        (None, True, Step.PROVE),
    ],
)
def test_k1_what_an_inspection_leads_to(left: timedelta | None, wanted: bool, step: Step) -> None:
    expires_at = NOW + left if left is not None else None
    assert next_step(expires_at=expires_at, is_wanted=wanted, now=NOW) is step


def test_k2_the_ladder() -> None:
    delays = (60, 300, 900)
    assert [wait_after(failures, delays=delays) for failures in (1, 2, 3)] == [
        timedelta(seconds=60),
        timedelta(seconds=300),
        timedelta(seconds=900),
    ]
    assert [wait_after(failures, delays=delays) for failures in (4, 5, 40)] == [None] * 3


@given(hours=st.integers(-100, 1500))
def test_k2_how_near_the_end_is(hours: int) -> None:
    found = days_told(NOW + timedelta(hours=hours), now=NOW)
    expected = 15
    for days in (7, 3, 1, 0):
        if hours <= days * 24:
            expected = days
    assert found == expected
    assert days_told(None, now=NOW) == 15


@pytest.mark.parametrize(
    ("left", "is_refused", "is_refreshing", "needs_attention", "state"),
    [
        (60 * DAY, False, False, False, TokenState.VALID),
        (None, False, False, False, TokenState.VALID),
        (10 * DAY, False, False, False, TokenState.EXPIRING),
        (10 * DAY, False, True, False, TokenState.REFRESHING),
        (10 * DAY, False, False, True, TokenState.FAILING),
        (10 * DAY, False, True, True, TokenState.REFRESHING),
        (timedelta(0), False, True, True, TokenState.INVALID),
        (60 * DAY, True, False, True, TokenState.INVALID),
    ],
)
def test_the_words_for_a_token(
    left: timedelta | None, is_refused: bool, is_refreshing: bool, needs_attention: bool, state: TokenState
) -> None:
    assert state is state_of(
        expires_at=NOW + left if left is not None else None,
        is_refused=is_refused,
        is_refreshing=is_refreshing,
        needs_attention=needs_attention,
        now=NOW,
    )


def test_what_a_token_lacks() -> None:
    assert missing_scopes(None) == ()
    assert missing_scopes(["whatsapp_business_messaging", "email"]) == ("whatsapp_business_management",)
    assert len(missing_scopes([])) == 2
