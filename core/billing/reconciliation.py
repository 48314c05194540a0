"""Two ledgers side by side (B12): what the workspace owes us, and what Meta charges. They are never mixed.

Meta's side is what the statuses of its messages say, priced by rates that the workspace's owner entered, and
what Meta itself reports. What has no rate, and words we do not know, stand unpriced: nothing is made up.
"""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlmodel import col, select

from core.billing import periods
from core.billing.history import terms_of, zones_of
from core.billing.metas_ledger import Reports, charges, reported, reports
from core.billing.queries import check_days
from core.billing.rules import pool
from core.conversations.spans import owed
from core.unit import Unit
from data.columns import to_micros
from data.enums import OpenedBy
from data.sending import Template

SERVICE = "service"
# What a conversation was opened with; of one that a customer opened nothing is asked.
_OURS = text(
    """
SELECT conversation.opened_at, conversation.opened_by,
       phone.waba_id, message.template_name, message.template_language
FROM conversation
LEFT JOIN message ON conversation.opened_by = 'business'
 AND message.id = 'msg_' || substr(conversation.id, 5)
LEFT JOIN phone ON phone.id = message.phone_number_id
WHERE conversation.workspace_id = :workspace_id
  AND conversation.opened_at >= :start AND conversation.opened_at < :end
  AND conversation.messages_in + conversation.messages_out > 0
ORDER BY conversation.opened_at, conversation.id
"""
)


@dataclass(slots=True)
class Line:
    """One day and category. ``conversations`` and ``owed_micros`` are ours; ``messages`` are what Meta
    delivered, ``charged`` of them at ``cost_micros``, ``free`` for nothing and ``unpriced`` with no rate or
    with words that we do not know. ``reported_micros`` is what Meta says itself that it charged, for
    ``reported_messages``; None where it says nothing."""

    day: date
    category: str
    conversations: int = 0
    owed_micros: int = 0
    messages: int = 0
    charged: int = 0
    free: int = 0
    unpriced: int = 0
    cost_micros: int = 0
    reported_messages: int | None = None
    reported_micros: int | None = None

    @property
    def difference_micros(self) -> int | None:
        """What we charge less what Meta does; None while part of Meta's side has no price."""
        return None if self.unpriced else self.owed_micros - self.cost_micros

    @property
    def margin(self) -> float | None:
        """The difference as a share of what we charge; None where nothing is charged or not all is priced."""
        difference = self.difference_micros
        return None if difference is None or self.owed_micros == 0 else difference / self.owed_micros


@dataclass(frozen=True, slots=True)
class Report:
    """``unknown``: pricing types we do not know → how many messages carried them."""

    first: date
    last: date
    lines: list[Line]
    total: Line
    unknown: dict[str, int]
    reports: Reports


class _Lines:
    """The lines as they fill, by day and category."""

    def __init__(self, days: list[date]) -> None:
        self.days = days
        self.found: dict[tuple[date, str], Line] = {}

    def at(self, day: date, category: str) -> Line:
        line = self.found.get((day, category))
        if line is None:
            line = self.found[day, category] = Line(day, category)
        return line


def report(unit: Unit, first: date, last: date) -> Report:
    """Both ledgers by day and category, in the workspace's zone; days on which neither says anything are
    left out."""
    unit.require("billing.view")
    check_days(first, last)
    spans = list(periods.days(zones_of(unit, unit.workspace()), first, last))
    lines = _Lines([day for day, _, _ in spans])
    starts = [to_micros(start) for _, start, _ in spans] + [to_micros(spans[-1][2])]
    unknown: dict[str, int] = defaultdict(int)
    _add_ours(unit, lines, starts, first, last)
    _add_metas(unit, lines, starts, unknown)
    ordered = [lines.found[key] for key in sorted(lines.found)]
    return Report(first, last, ordered, _total(ordered, first), dict(unknown), reports(unit))


_SUMMED = ("conversations", "owed_micros", "messages", "charged", "free", "unpriced", "cost_micros")
_SUMMED_WHERE_KNOWN = ("reported_messages", "reported_micros")


def _total(lines: list[Line], first: date) -> Line:
    total = Line(first, "all")
    for line in lines:
        for name in _SUMMED:
            setattr(total, name, getattr(total, name) + getattr(line, name))
        for name in _SUMMED_WHERE_KNOWN:
            if getattr(line, name) is not None:
                setattr(total, name, (getattr(total, name) or 0) + getattr(line, name))
    return total


def _add_ours(unit: Unit, lines: _Lines, starts: list[int], first: date, last: date) -> None:
    """Every conversation on its day, at what it costs where it stands in its month."""
    workspace, categories = unit.workspace(), _categories(unit)
    for period, since, until in periods.months(zones_of(unit, workspace), first, last):
        terms = terms_of(unit, workspace, period.start, period.end)
        included = pool(terms, seconds=period.seconds)
        begins = [to_micros(term.start) for term in terms]
        [earlier] = owed(unit.session, workspace.id, [(period.start, since)])
        bounds = {"start": to_micros(since), "end": to_micros(until)}
        rows = unit.session.connection().execute(_OURS, {"workspace_id": workspace.id, **bounds})
        for position, (opened_at, opened_by, *opener) in enumerate(rows, start=earlier + 1):
            by_customer = opened_by == OpenedBy.CUSTOMER.value
            category = SERVICE if by_customer else categories.get(tuple(opener), SERVICE)
            line = lines.at(lines.days[bisect_right(starts, opened_at) - 1], category)
            line.conversations += 1
            if position > included:
                line.owed_micros += terms[bisect_right(begins, opened_at) - 1].overage_micros or 0


def _categories(unit: Unit) -> dict[tuple[str, str, str], str]:
    """(account, name, language) → the category of that template, in the words of Meta's prices."""
    named = select(Template.waba_id, Template.name, Template.language, Template.category)
    rows = unit.session.exec(named.where(col(Template.workspace_id) == unit.workspace_id))
    return {
        (waba, name, language): str(category or SERVICE).lower() for waba, name, language, category in rows
    }


def _add_metas(unit: Unit, lines: _Lines, starts: list[int], unknown: dict[str, int]) -> None:
    for one in charges(unit, lines.days, starts):
        line = lines.at(one.day, one.category)
        line.messages += 1
        if one.is_charged is False:
            line.free += 1
        elif one.micros is None:
            line.unpriced += 1
        else:
            line.charged += 1
            line.cost_micros += one.micros
        if one.is_charged is None:
            unknown[one.kind] += 1
    for told in reported(unit, lines.days, starts):
        line = lines.at(told.day, told.category)
        line.reported_messages = (line.reported_messages or 0) + told.messages
        line.reported_micros = (line.reported_micros or 0) + told.cost_micros
