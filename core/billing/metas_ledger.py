"""Meta's side of the reconciliation (B12): what its statuses say of each message's price, and what it says
itself that it charged. Words that we do not know are kept as they are; nothing without a price is given one.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from sqlalchemy import text
from sqlmodel import col, select

from core.unit import Unit
from data.billing import MetaCost, MetaRate
from data.columns import to_micros
from data.sending import Waba

# From this day on Meta charges by message; before, by conversation of 24 hours.
BY_MESSAGE_FROM = date(2025, 7, 1)
FREE_TYPES = frozenset({"free_customer_service", "free_entry_point"})
REGULAR = "regular"
ANYWHERE = "*"
USD = "USD"
# The two places where Meta names one category differ in spelling.
_SPELLINGS = {"authentication_international": "authentication-international"}
# The day of an account in its own zone is the day of ours that most of it lies in.
_HALF_A_DAY = timedelta(hours=12)

# Meta tells the price with sent and with one of delivered and read; it charges what was delivered, once.
_PRICED = text(
    """
SELECT message.recipient, message.sent_at, status.wamid, status.pricing ->> 'category',
       status.pricing ->> 'type', status.pricing ->> 'billable', status.conversation ->> 'id'
FROM message
JOIN message_status AS status ON status.message_id = message.id
 AND status.status IN ('delivered', 'read') AND status.pricing IS NOT NULL
WHERE message.workspace_id = :workspace_id AND message.sent_at >= :start AND message.sent_at < :end
  AND message.direction = 'outbound'
ORDER BY message.sent_at, status.wamid, status.at
"""
)

Rates = Mapping[tuple[str, str], list[MetaRate]]


class Charge(NamedTuple):
    """One delivered message. ``is_charged`` None: Meta's words for it are unknown; ``micros`` None: it is
    free, or there is no rate for it."""

    day: date
    category: str
    kind: str
    is_charged: bool | None
    micros: int | None


class Reported(NamedTuple):
    """What Meta says that it charged for one day and category, in US dollars."""

    day: date
    category: str
    messages: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class Reports:
    """Of how many accounts Meta's own figures could be read, and of which not, with its reason. ``others``:
    currencies that accounts are billed in and that are not set beside dollars. ``read_at``: the oldest."""

    accounts: int
    read_at: datetime | None
    refused: dict[str, str]
    others: list[str]


def is_charged(kind: str | None, billable: str | None) -> bool | None:
    """Whether Meta charges a message of that pricing type; None where the words are unknown.

    ``billable`` is being retired by Meta, so the type decides where there is one.
    """
    if kind == REGULAR:
        return True
    if kind in FREE_TYPES:
        return False
    if kind is None and billable is not None:
        return billable in ("1", "true")
    return None


def rate_for(rates: Rates, category: str, market: str, day: date) -> int | None:
    """The rate in force on that day for the category and market, else for all markets; None without one."""
    for place in (market, ANYWHERE):
        for rate in reversed(rates.get((category, place), [])):
            if rate.valid_from <= day.isoformat():
                return rate.amount_micros
    return None


def charges(unit: Unit, days: Sequence[date], starts: Sequence[int]) -> Iterator[Charge]:
    """Every message that Meta delivered on those days and told the price of, once. ``starts``: when each of
    them begins, and when the last one ends, in microseconds."""
    rates = _rates(unit)
    by_market = {category for category, market in rates if market != ANYWHERE}
    seen: set[str] = set()
    prices: dict[tuple[str, str, date], int | None] = {}
    asked = {"workspace_id": unit.workspace_id, "start": starts[0], "end": starts[-1]}
    rows = unit.session.connection().execute(_PRICED, asked)
    for recipient, at, wamid, named, kind, billable, conversation in rows:
        day = days[bisect_right(starts, at) - 1]
        once = conversation if conversation and day < BY_MESSAGE_FROM else wamid
        if once in seen:
            continue
        seen.add(once)
        category = _category(named)
        charged = is_charged(kind, None if billable is None else str(billable))  # 1 here, true on PostgreSQL
        market = market_of(recipient) if charged and category in by_market else ANYWHERE
        key = (category, market, day)
        if charged and key not in prices:
            prices[key] = rate_for(rates, category, market, day)
        yield Charge(day, category, kind or "", charged, prices[key] if charged else None)


def reported(unit: Unit, days: Collection[date], starts: Sequence[int]) -> Iterator[Reported]:
    """Meta's own figures for those days, as far as they are in dollars."""
    statement = select(MetaCost).where(
        col(MetaCost.workspace_id) == unit.workspace_id,
        col(MetaCost.currency) == USD,
        col(MetaCost.cost_micros).is_not(None),
    )
    ordered = list(days)
    half = _HALF_A_DAY // timedelta(microseconds=1)
    for row in unit.session.exec(statement.order_by(col(MetaCost.start_at))):
        place = bisect_right(starts, to_micros(row.start_at) + half) - 1
        if 0 <= place < len(ordered) and row.cost_micros is not None:
            yield Reported(ordered[place], _category(row.category), row.messages, row.cost_micros)


def reports(unit: Unit) -> Reports:
    accounts = unit.session.exec(unit.scoped(Waba).order_by(col(Waba.id))).all()
    read = [one.costs_read_at for one in accounts if one.costs_read_at is not None]
    currencies = select(MetaCost.currency).where(
        col(MetaCost.workspace_id) == unit.workspace_id,
        col(MetaCost.currency).is_not(None),
        col(MetaCost.currency) != USD,
    )
    return Reports(
        accounts=len(read),
        read_at=min(read, default=None),
        refused={one.name: one.costs_error for one in accounts if one.costs_error},
        others=sorted(str(one) for one in unit.session.exec(currencies.distinct())),
    )


def market_of(recipient: str) -> str:
    """The country of a number, by its two letters. Most calling codes are one country's, and need no more
    looking at: *+49 … → DE; +1 … may be a dozen.*"""
    return _only_market(recipient[1:4]) or _market_of(recipient)


@lru_cache(maxsize=1_000)
def _only_market(digits: str) -> str | None:
    """The country whose numbers alone begin like this."""
    for length in (1, 2, 3):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(_whole(digits[:length]), ())
        if len(regions) == 1 and regions[0] != "001":
            return str(regions[0])
    return None


@lru_cache(maxsize=10_000)
def _market_of(recipient: str) -> str:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(recipient, None)) or ANYWHERE
    except phonenumbers.NumberParseException:
        return ANYWHERE


def _whole(digits: str) -> int:
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _category(named: str | None) -> str:
    word = (named or "unknown").lower()
    return _SPELLINGS.get(word, word)


def _rates(unit: Unit) -> dict[tuple[str, str], list[MetaRate]]:
    """(category, market) → its rates, oldest first."""
    statement = select(MetaRate).where(col(MetaRate.workspace_id) == unit.workspace_id)
    found: dict[tuple[str, str], list[MetaRate]] = {}
    for rate in unit.session.exec(statement.order_by(col(MetaRate.valid_from))):
        found.setdefault((rate.category, rate.market), []).append(rate)
    return found
