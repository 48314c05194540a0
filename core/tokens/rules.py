"""When a token is inspected, exchanged, tried again and told about (K1, K2), as pure functions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

EXCHANGE_WITHIN = timedelta(days=15)
ESCALATE_DAYS = (7, 3, 1)
FAR_DAYS = 15
SCOPES = ("whatsapp_business_messaging", "whatsapp_business_management")
# The same trouble within this time of a renewal is not mended by another one at once.
SAME_TROUBLE = timedelta(hours=1)


class TokenState(StrEnum):
    """The API's words. ``refreshing``: a new one is being fetched, or will be after a failure; ``failing``:
    none could be had, and a person should look; ``invalid``: Meta takes it no more."""

    VALID = "valid"
    EXPIRING = "expiring"
    REFRESHING = "refreshing"
    FAILING = "failing"
    INVALID = "invalid"


class Step(StrEnum):
    """What an inspection leads to."""

    NOTHING = "nothing"
    PROVE = "prove"  # it never expires: that it works is all there is to know
    EXCHANGE = "exchange"


def state_of(
    *,
    expires_at: datetime | None,
    is_refused: bool,
    is_refreshing: bool,
    needs_attention: bool,
    now: datetime,
) -> TokenState:
    """*Expires in 20 days → valid; in 10, no exchange under way → expiring; a moment ago → invalid.*"""
    if is_refused or (expires_at is not None and expires_at <= now):
        return TokenState.INVALID
    if is_refreshing:
        return TokenState.REFRESHING
    if needs_attention:
        return TokenState.FAILING
    return TokenState.EXPIRING if is_near(expires_at, now=now) else TokenState.VALID


def is_near(expires_at: datetime | None, *, now: datetime) -> bool:
    """Whether its end is at most 15 days off; one that never expires is never near it."""
    return expires_at is not None and expires_at - now <= EXCHANGE_WITHIN


def next_step(*, expires_at: datetime | None, is_wanted: bool, now: datetime) -> Step:
    """What to do with a token that Meta says is valid. ``is_wanted``: someone asked for a new one, or a send
    met a refusal of this one.

    *60 days left → nothing, wanted → exchange; 10 days left → exchange; never expires → nothing, wanted →
    prove: an exchange would give it an end.*
    """
    if expires_at is None:
        return Step.PROVE if is_wanted else Step.NOTHING
    return Step.EXCHANGE if is_wanted or is_near(expires_at, now=now) else Step.NOTHING


def wait_after(failures: int, *, delays: Sequence[float]) -> timedelta | None:
    """How long until the next attempt, after that many failures; None when a person is needed.

    *60, 300, 900: after the first failure 60 s, after the third 900 s, after the fourth (the third failed
    retry) None.*
    """
    return timedelta(seconds=delays[failures - 1]) if failures <= len(delays) else None


def days_told(expires_at: datetime | None, *, now: datetime) -> int:
    """Which of 15, 7, 3 and 1 days before its end it is now; 0 when it is over. People are told again
    whenever this is less than when they were told last.

    *12 days left → 15; 6.5 → 7; 3 days sharp → 3; 20 hours → 1; never expires → 15.*
    """
    if expires_at is None:
        return FAR_DAYS
    if expires_at <= now:
        return 0
    left = expires_at - now
    return min((days for days in ESCALATE_DAYS if left <= timedelta(days=days)), default=FAR_DAYS)


def missing_scopes(scopes: Sequence[str] | None) -> tuple[str, ...]:
    """Those that Waypost needs and the token lacks; none while Meta has not said what it has."""
    return () if scopes is None else tuple(one for one in SCOPES if one not in scopes)
