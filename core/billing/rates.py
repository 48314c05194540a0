"""Meta's rates as the workspace's owner knows them: entered one by one, or imported from a CSV file."""

import csv
import io
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from sqlmodel import col

from core.billing.money import micros_of
from core.errors import Malformed
from core.unit import Unit
from data.billing import MetaRate

COLUMNS = ("category", "market", "validFrom", "amountUSD")
ROWS_AT_MOST = 5_000
_CATEGORY = re.compile(r"[a-z][a-z_-]{1,63}")
_MARKET = re.compile(r"[A-Z]{2}|\*")
_MOST = Decimal(100)


@dataclass(frozen=True, slots=True)
class Rate:
    """``market``: a country by its two letters, or ``*``. It holds from ``valid_from`` on."""

    category: str
    market: str
    valid_from: date
    amount_micros: int


def list_rates(unit: Unit) -> list[Rate]:
    """By category, market and day. At most ``ROWS_AT_MOST``, for no more are taken."""
    unit.require("billing.view")
    statement = unit.scoped(MetaRate).order_by(
        col(MetaRate.category), col(MetaRate.market), col(MetaRate.valid_from)
    )
    return [
        Rate(row.category, row.market, date.fromisoformat(row.valid_from), row.amount_micros)
        for row in unit.session.exec(statement.limit(ROWS_AT_MOST))
    ]


def import_rates(unit: Unit, text: str) -> int:
    """Every line of a CSV file with the columns ``category, market, validFrom, amountUSD`` is a rate; one
    that was there for the same day is replaced. All of them or none: Malformed names the first line that is
    wrong. Returns how many."""
    unit.require("billing.manage")
    rates = read_rates(text)
    for rate in rates:
        unit.session.merge(
            MetaRate(
                workspace_id=unit.workspace_id,
                category=rate.category,
                market=rate.market,
                valid_from=rate.valid_from.isoformat(),
                amount_micros=rate.amount_micros,
                entered_at=unit.now,
                entered_by=unit.actor.id,
            )
        )
    unit.record("meta_rates.imported", f"workspace:{unit.workspace_id}", after={"rates": len(rates)})
    return len(rates)


def read_rates(text: str) -> list[Rate]:
    """*marketing,DE,2026-10-01,0.1131 → 113 100 micro-dollars from October on.*"""
    try:
        rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True))
    except csv.Error as error:
        raise Malformed.field("csv", f"is not CSV: {error}") from None
    head = [name.strip() for name in rows[0]] if rows else []
    if head != list(COLUMNS):
        raise Malformed.field("csv", f"must begin with the line {','.join(COLUMNS)}")
    rates = [_rate(number, row) for number, row in enumerate(rows[1:], start=2) if row]
    if not 1 <= len(rates) <= ROWS_AT_MOST:
        raise Malformed.field("csv", f"must hold 1 to {ROWS_AT_MOST:,} rates")
    return rates


def _rate(number: int, row: list[str]) -> Rate:
    cells = [cell.strip() for cell in row]
    if len(cells) != len(COLUMNS):
        raise Malformed.field("csv", f"line {number} must have {len(COLUMNS)} cells")
    category, market = cells[0].lower(), cells[1].upper()
    if not _CATEGORY.fullmatch(category):
        raise Malformed.field("csv", f"line {number}: the category must be a word such as marketing")
    if not _MARKET.fullmatch(market):
        raise Malformed.field("csv", f"line {number}: the market must be two letters such as DE, or *")
    try:
        since = date.fromisoformat(cells[2])
        amount = Decimal(cells[3])
        micros = micros_of(amount)
    except (ValueError, InvalidOperation, OverflowError):
        raise Malformed.field(
            "csv", f"line {number}: must have a day such as 2026-10-01, and an amount such as 0.0113"
        ) from None
    if not 0 <= amount <= _MOST:
        raise Malformed.field("csv", f"line {number}: the amount must be between 0 and {_MOST} USD")
    return Rate(category, market, since, micros)
