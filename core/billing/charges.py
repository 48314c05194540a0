"""What each conversation of a list costs, and lists of those that are included or billed (B8)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import text

from core.billing import periods
from core.billing.history import terms_of, zones_of
from core.billing.periods import Period, Zones
from core.billing.queries import check_days, named
from core.billing.rules import Term, clip, pool
from core.conversations.queries import (
    ConversationFilter,
    ConversationRow,
    count_conversations,
    list_conversations,
)
from core.unit import Unit
from data.columns import from_micros, to_micros

EVERY = ConversationFilter()
Place = tuple[datetime, str]  # (opened at, id): the order in which included conversations are used

# One for each month: nothing can be counted off in a month but by its own number.
_EDGE = (
    "SELECT {number} AS number, opened_at, id FROM (SELECT opened_at, id FROM conversation "
    "WHERE workspace_id = :workspace_id AND opened_at >= {start} AND opened_at < {end} "
    "AND messages_in + messages_out > 0 ORDER BY opened_at, id LIMIT 1 OFFSET {included}) AS edge_{number}"
)


class Charge(StrEnum):
    """``free``: beyond what is included, on a plan that charges nothing for it. ``lost``: what opened it
    failed after its invoice; it is not owed."""

    INCLUDED = "included"
    BILLED = "billed"
    FREE = "free"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Tariff:
    """What one month charges. ``beyond``: the first conversation that is not included; None while there is
    none."""

    period: Period
    terms: tuple[Term, ...]
    beyond: Place | None

    def charge(self, row: ConversationRow) -> tuple[Charge, int]:
        """*Number 101 of a month that includes 100, at 0.01 USD each beyond → billed, 10 000.*"""
        if row.messages_in + row.messages_out == 0:
            return Charge.LOST, 0
        if self.beyond is None or (row.opened_at, row.id) < self.beyond:
            return Charge.INCLUDED, 0
        term = next(one for one in self.terms if one.start <= row.opened_at < one.end)
        return (Charge.FREE, 0) if term.overage_micros is None else (Charge.BILLED, term.overage_micros)


@dataclass(frozen=True, slots=True)
class ChargedRow:
    """``charge`` None: not for those who may not see billing."""

    row: ConversationRow
    charge: Charge | None
    amount_micros: int


@dataclass(frozen=True, slots=True)
class ChargedPage:
    items: list[ChargedRow]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ChargedFilter:
    """What a list is narrowed to; None: not at all. ``month`` (2026-11) or ``day`` bound when it opened, in
    the workspace's zone; ``charge`` alone speaks of the running month."""

    conversations: ConversationFilter = EVERY
    month: str | None = None
    day: date | None = None
    charge: Charge | None = None


def list_charged(
    unit: Unit, wanted: ChargedFilter, *, cursor: str | None = None, limit: int = 50
) -> ChargedPage:
    """Conversations, newest first, each with what it costs. Forbidden where ``charge`` is asked for by those
    who may not see billing; Malformed for a month or day that is none."""
    unit.require("conversations.view")
    zones = zones_of(unit, unit.workspace())
    page = list_conversations(unit, _within(unit, zones, wanted), cursor=cursor, limit=limit)
    if not unit.actor.can("billing.view"):
        return ChargedPage([ChargedRow(row, None, 0) for row in page.items], page.next_cursor)
    found = {
        period.name: period for period in (periods.period_of(zones, row.opened_at) for row in page.items)
    }
    tariffs = tariffs_of(unit, list(found.values()))
    items = [
        ChargedRow(row, *tariffs[periods.period_of(zones, row.opened_at).name].charge(row))
        for row in page.items
    ]
    return ChargedPage(items, page.next_cursor)


def count_charged(unit: Unit, wanted: ChargedFilter) -> int | None:
    """How many the same list holds; None where nothing bounds the time, for that would count everything."""
    if wanted.month is None and wanted.day is None and wanted.charge is None:
        return None
    zones = zones_of(unit, unit.workspace())
    return count_conversations(unit, _within(unit, zones, wanted))


def tariffs_of(unit: Unit, months: Sequence[Period]) -> dict[str, Tariff]:
    """The months by their names, each with what it charges: two questions, however many they are."""
    unit.require("billing.view")
    if not months:
        return {}
    start, end = min(one.start for one in months), max(one.end for one in months)
    terms = terms_of(unit, unit.workspace(), start, end)
    by_month = {one.name: clip(terms, one.start, one.end) for one in months}
    edges = _edges(unit, [(one, pool(by_month[one.name], seconds=one.seconds)) for one in months])
    return {one.name: Tariff(one, tuple(by_month[one.name]), edges.get(one.name)) for one in months}


def _within(unit: Unit, zones: Zones, wanted: ChargedFilter) -> ConversationFilter:
    """The conditions on conversations themselves that the wanted month, day and charge come to."""
    if wanted.day is not None:
        check_days(wanted.day, wanted.day)
        ((_, start, end),) = periods.days(zones, wanted.day, wanted.day)
        period = periods.period_of(zones, start)
    elif wanted.month is not None or wanted.charge is not None:
        period = named(zones, wanted.month) if wanted.month else periods.period_of(zones, unit.now)
        start, end = period.start, period.end
    else:
        return wanted.conversations
    narrowed = replace(wanted.conversations, since=start, until=end)
    if wanted.charge is None:
        return narrowed
    return _of_charge(tariffs_of(unit, [period])[period.name], wanted.charge, narrowed)


def _of_charge(tariff: Tariff, charge: Charge, wanted: ConversationFilter) -> ConversationFilter:
    if charge is Charge.LOST:
        return replace(wanted, is_owed=False)
    if charge is Charge.INCLUDED:
        return replace(wanted, is_owed=True, before=tariff.beyond)
    is_priced = charge is Charge.BILLED
    spans = tuple(
        (term.start, term.end) for term in tariff.terms if (term.overage_micros is not None) is is_priced
    )
    return replace(wanted, is_owed=True, spans=spans if tariff.beyond else (), from_on=tariff.beyond)


def _edges(unit: Unit, months: Iterable[tuple[Period, int]]) -> dict[str, Place]:
    """month → the first conversation that its pool does not cover."""
    names, asked = [], []
    for number, (period, included) in enumerate(months):
        start, end = to_micros(period.start), to_micros(period.end)
        names.append(period.name)
        asked.append(_EDGE.format(number=number, start=start, end=end, included=included))
    statement = text(" UNION ALL ".join(asked))
    rows = unit.session.connection().execute(statement, {"workspace_id": unit.workspace_id})
    return {names[number]: (from_micros(opened_at), one) for number, opened_at, one in rows}
