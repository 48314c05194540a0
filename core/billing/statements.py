"""What an invoice says, from what it is computed from: pure, so that verifying is computing again (B10)."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from core.billing.periods import Period
from core.billing.rules import Rating, Term, rate
from data.columns import from_micros, to_micros
from data.enums import PlanName

MEDIAN_TIMES = 10
MEDIAN_OF = 3


@dataclass(frozen=True, slots=True)
class Account:
    """One month on an invoice: how many conversations opened in each of its terms, by what stands on other
    invoices (``before``, which charged ``charged_micros``) and by what is owed now (``after``)."""

    period: str
    start: datetime
    end: datetime
    zone: str
    terms: tuple[Term, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    charged_micros: int

    @property
    def seconds(self) -> int:
        return int((self.end - self.start).total_seconds())

    @property
    def rating(self) -> Rating:
        return rate(self.terms, self.after, seconds=self.seconds)

    @property
    def amount_micros(self) -> int:
        """What the month costs now, less what was charged for it: whoever used the pool first keeps it."""
        return self.rating.amount_micros - self.charged_micros


def account(
    period: Period, terms: Sequence[Term], *, before: Sequence[int], after: Sequence[int], charged_micros: int
) -> Account:
    return Account(
        period=period.name,
        start=period.start,
        end=period.end,
        zone=period.zone,
        terms=tuple(terms),
        before=tuple(before),
        after=tuple(after),
        charged_micros=charged_micros,
    )


def lines(accounts: Sequence[Account]) -> list[dict[str, Any]]:
    """The lines of an invoice, the first account being its own month. Each has kind, description, quantity,
    unit_micros (None: no single price) and amount_micros; their amounts add up to the invoice's."""
    own, *earlier = accounts
    rating = own.rating
    said = [_line("included", own.period, f"Included conversations of {own.period}", _used(rating), 0, 0)]
    for term, over in zip(own.terms, rating.beyond, strict=True):
        if not over:
            continue
        price = term.overage_micros or 0
        what = "beyond what is included" if term.overage_micros is not None else "beyond, not charged"
        words = f"Conversations {what}, plan {term.plan}"
        said.append(_line("overage", own.period, words, over, price, price * over))
    if any(own.before) or own.charged_micros:
        words = f"Of {own.period}, already on other invoices"
        said.append(_line("billed", own.period, words, -sum(own.before), None, -own.charged_micros))
    for one in earlier:
        words = f"Changes to {one.period} that came after its invoice"
        net = sum(one.after) - sum(one.before)
        said.append(_line("correction", one.period, words, net, None, one.amount_micros))
    return said


def total(accounts: Sequence[Account]) -> int:
    """The invoice's amount in micro-dollars, unrounded."""
    return sum(one.amount_micros for one in accounts)


def absurdity(own: Account, amount_micros: int, *, messages: int, earlier: Sequence[int]) -> str | None:
    """Why an invoice must not go out before a person looked at it; None when it may. ``messages``: how many
    its conversations hold; ``earlier``: the conversations of each month invoiced before.

    *3 conversations of 2 messages; minus 0.40 USD; 1,200 after months of 90, 100 and 110.*
    """
    count = own.rating.total
    if count > messages:
        return f"It counts {count:,} conversations, but only {messages:,} messages."
    if amount_micros < 0:
        return "Its amount is negative: what is taken back from earlier months exceeds this month."
    if len(earlier) >= MEDIAN_OF and count > MEDIAN_TIMES * median(earlier) > 0:
        return (
            f"It counts {count:,} conversations, over {MEDIAN_TIMES} times the usual month of "
            f"{median(earlier):,.0f}."
        )
    return None


def digest(
    workspace_id: str, period: str, accounts: Sequence[Account], entries: Iterable[tuple[str, int, int]]
) -> str:
    """The SHA-256 of everything the invoice was computed from. ``entries``: (conversation id, delta, opened
    at in microseconds), by conversation id."""
    hashed = hashlib.sha256(_canonical([workspace_id, period, [to_json(one) for one in accounts]]))
    for conversation_id, delta, opened_at in entries:
        hashed.update(f"\n{conversation_id} {delta} {opened_at}".encode())
    return hashed.hexdigest()


def to_json(one: Account) -> dict[str, Any]:
    return {
        "period": one.period,
        "start": to_micros(one.start),
        "end": to_micros(one.end),
        "zone": one.zone,
        "terms": [
            {
                "plan": term.plan.value,
                "version": term.version,
                "included": term.included,
                "overage_micros": term.overage_micros,
                "start": to_micros(term.start),
                "end": to_micros(term.end),
            }
            for term in one.terms
        ],
        "before": list(one.before),
        "after": list(one.after),
        "charged_micros": one.charged_micros,
    }


def from_json(stored: dict[str, Any]) -> Account:
    terms = tuple(
        Term(
            plan=PlanName(term["plan"]),
            version=term["version"],
            included=term["included"],
            overage_micros=term["overage_micros"],
            start=from_micros(term["start"]),
            end=from_micros(term["end"]),
        )
        for term in stored["terms"]
    )
    return Account(
        period=stored["period"],
        start=from_micros(stored["start"]),
        end=from_micros(stored["end"]),
        zone=stored["zone"],
        terms=terms,
        before=tuple(stored["before"]),
        after=tuple(stored["after"]),
        charged_micros=stored["charged_micros"],
    )


def _used(rating: Rating) -> int:
    return rating.total - sum(rating.beyond)


def _line(
    kind: str, period: str, description: str, quantity: int, unit_micros: int | None, amount_micros: int
) -> dict[str, Any]:
    return {
        "kind": kind,
        "period": period,
        "description": description,
        "quantity": quantity,
        "unit_micros": unit_micros,
        "amount_micros": amount_micros,
    }


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
