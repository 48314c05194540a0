"""What conversations cost (B7, B8): the pool, its use in order, what is beyond; in micro-dollars."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from data.enums import PlanName


@dataclass(frozen=True, slots=True)
class Term:
    """One plan in force over ``[start, end)``. ``overage_micros`` None: what is beyond costs nothing."""

    plan: PlanName
    version: int
    included: int
    overage_micros: int | None
    start: datetime
    end: datetime

    @property
    def seconds(self) -> int:
        return int((self.end - self.start).total_seconds())


@dataclass(frozen=True, slots=True)
class Rating:
    """``total`` conversations, of which the pool of ``included`` covers some and ``billable`` cost
    ``amount_micros``. ``beyond``: what is beyond the pool, term by term."""

    total: int
    included: int
    billable: int
    amount_micros: int
    beyond: tuple[int, ...]


def pool(terms: Sequence[Term], *, seconds: int) -> int:
    """What is included in a month of so many seconds: each plan's share by the time it was in force, rounded
    down once.

    *Starter until the 15th, then Pro, in a month of 31 days: floor((100·15 + 500·16) / 31) = 306.*
    """
    return sum(term.included * term.seconds for term in terms) // seconds


def rate(terms: Sequence[Term], counts: Sequence[int], *, seconds: int) -> Rating:
    """What ``counts`` conversations cost, opened in each of ``terms`` of one month.

    The pool is used in the order they opened; each one beyond costs the overage of the plan in force when it
    opened. *750 on Pro → 250 beyond its 500, at 0.005 → 1.25.*
    """
    included = left = pool(terms, seconds=seconds)
    beyond = []
    for count in counts:
        covered = min(count, left)
        left -= covered
        beyond.append(count - covered)
    priced = [(term.overage_micros, over) for term, over in zip(terms, beyond, strict=True)]
    return Rating(
        total=sum(counts),
        included=included,
        billable=sum(over for price, over in priced if price is not None),
        amount_micros=sum(price * over for price, over in priced if price is not None),
        beyond=tuple(beyond),
    )


def add(ratings: Sequence[Rating]) -> Rating:
    """Of several months: their sum, still unrounded."""
    return Rating(
        total=sum(one.total for one in ratings),
        included=sum(one.included for one in ratings),
        billable=sum(one.billable for one in ratings),
        amount_micros=sum(one.amount_micros for one in ratings),
        beyond=(),
    )


def projected(total: int, *, elapsed_s: float, seconds: int) -> int:
    """How many there will be at the end if it goes on like this: linear in elapsed seconds, half up.

    *100 after 10 of 30 days → 300.*
    """
    if elapsed_s <= 0:
        return total
    elapsed = int(elapsed_s * 1_000_000)
    return max(total, (2 * total * seconds * 1_000_000 + elapsed) // (2 * elapsed))


def clip(terms: Sequence[Term], start: datetime, end: datetime) -> list[Term]:
    """The parts of ``terms`` in ``[start, end)``."""
    return [
        replace(term, start=max(start, term.start), end=min(end, term.end))
        for term in terms
        if term.start < end and start < term.end
    ]
