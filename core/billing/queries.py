"""What a workspace used and owes: this month, any days, and what it would owe otherwise."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from core.billing import periods
from core.billing.history import terms_of, terms_under, zones_of
from core.billing.money import exact
from core.billing.periods import Period, Zones
from core.billing.rules import Rating, Term, add, pool, projected, rate
from core.conversations.queries import oldest_due
from core.conversations.spans import Counted, counted, owed
from core.errors import Malformed
from core.unit import Unit
from data.billing import Conversation
from data.columns import to_micros
from data.enums import BudgetMode, OpenedBy, PlanName
from data.people import Workspace

DAYS_AT_MOST = 400
_BY_PHONE = text(
    "SELECT phone_number_id, opened_by, count(*) FROM conversation "
    "WHERE workspace_id = :workspace_id AND opened_at >= :start AND opened_at < :end "
    "AND messages_in + messages_out > 0 GROUP BY phone_number_id, opened_by ORDER BY phone_number_id"
)


@dataclass(frozen=True, slots=True)
class MonthView:
    """One month at a glance. ``used``: conversations that the pool covers; ``as_of``: later messages are not
    in it yet. ``forecast`` is the month's rating if it goes on like this."""

    plan: PlanName
    period: Period
    rating: Rating
    forecast: Rating
    terms: tuple[Term, ...]
    elapsed_s: float
    as_of: datetime
    budget_micros: int | None
    budget_mode: BudgetMode | None

    @property
    def used(self) -> int:
        return min(self.rating.total, self.rating.included)

    @property
    def is_running(self) -> bool:
        return self.elapsed_s < self.period.seconds

    @property
    def per_day(self) -> int:
        """The pace so far, in conversations a day, rounded half up. *100 after 30 days → 3.*"""
        return int(self.rating.total * 86_400 / self.elapsed_s + 0.5) if self.elapsed_s else 0

    @property
    def is_at_its_stop(self) -> bool:
        """The plan has no price for more: new conversations that the business opens are refused (B7)."""
        return self.plan is PlanName.FREE and self.rating.total >= self.rating.included

    @property
    def is_over_budget(self) -> bool:
        return self.budget_micros is not None and self.rating.amount_micros >= self.budget_micros

    @property
    def explanation(self) -> str:
        """*included 500, used 512, billable 12 × 0.005 = 0.06*"""
        return explain(self.rating, self.terms)


@dataclass(frozen=True, slots=True)
class DayCount:
    day: date
    counted: Counted


@dataclass(frozen=True, slots=True)
class Metrics:
    """``days``: every day from first to last, both included."""

    first: date
    last: date
    total: int
    days: list[DayCount]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class PhoneCount:
    """Conversations of one number in a month, by who opened them."""

    phone_number_id: str
    customer: int
    business: int


@dataclass(frozen=True, slots=True)
class WhatIf:
    """``prorated``: part of a month is in it, with that part of its pool. ``overage_micros`` None: nothing
    beyond is charged."""

    plan: PlanName
    first: date
    last: date
    is_prorated: bool
    rating: Rating
    overage_micros: int | None


@dataclass(frozen=True, slots=True)
class Cost:
    """Why a conversation costs what it does: the ``position``-th of its month, whose pool is ``included``."""

    period: Period
    position: int
    included: int
    plan: PlanName
    amount_micros: int
    sentence: str


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """What changing the plan now would change of this month: pool, cost so far and forecast."""

    plan: PlanName
    before: MonthView
    after: MonthView


def current_month(unit: Unit) -> MonthView:
    """The month that is running, in the workspace's zone, as far as its conversations are computed."""
    unit.require("billing.view")
    workspace = unit.workspace()
    return month_view(unit, workspace, periods.period_of(zones_of(unit, workspace), unit.now))


def one_month(unit: Unit, name: str) -> MonthView:
    """The month ``2026-11``, past or running."""
    unit.require("billing.view")
    workspace = unit.workspace()
    return month_view(unit, workspace, named(zones_of(unit, workspace), name))


def month_view(
    unit: Unit, workspace: Workspace, period: Period, terms: list[Term] | None = None
) -> MonthView:
    terms = terms_of(unit, workspace, period.start, period.end) if terms is None else terms
    counts = owed(unit.session, workspace.id, [(term.start, term.end) for term in terms])
    rating = rate(terms, counts, seconds=period.seconds)
    elapsed_s = min((unit.now - period.start).total_seconds(), float(period.seconds))
    expected = projected(rating.total, elapsed_s=elapsed_s, seconds=period.seconds)
    return MonthView(
        plan=terms[-1].plan,
        period=period,
        rating=rating,
        forecast=forecast(unit, terms, counts, total=expected, period=period),
        terms=tuple(terms),
        elapsed_s=max(0.0, elapsed_s),
        as_of=oldest_due(unit, workspace.id) or unit.now,
        budget_micros=workspace.monthly_budget_micros,
        budget_mode=workspace.budget_mode,
    )


def forecast(unit: Unit, terms: list[Term], counts: list[int], *, total: int, period: Period) -> Rating:
    """What is to come opens under the plan in force now."""
    present = next((n for n, term in enumerate(terms) if term.start <= unit.now < term.end), len(terms) - 1)
    to_come = max(0, total - sum(counts))
    expected = [count + to_come * (number == present) for number, count in enumerate(counts)]
    return rate(terms, expected, seconds=period.seconds)


def metrics(unit: Unit, first: date, last: date) -> Metrics:
    """Conversations and messages of each day, in the workspace's zone. Malformed for a range that is reversed
    or longer than ``DAYS_AT_MOST``."""
    unit.require("billing.view")
    check_days(first, last)
    spans = list(periods.days(zones_of(unit, unit.workspace()), first, last))
    found = counted(unit.session, unit.workspace_id, [(start, end) for _, start, end in spans])
    days = [DayCount(day, one) for (day, _, _), one in zip(spans, found, strict=True)]
    total = sum(one.counted.conversations for one in days)
    return Metrics(first, last, total, days, oldest_due(unit, unit.workspace_id) or unit.now)


def by_phone(unit: Unit, period: Period) -> list[PhoneCount]:
    """The month's conversations of each number that had any."""
    unit.require("billing.view")
    bounds = {"start": to_micros(period.start), "end": to_micros(period.end)}
    rows = unit.session.connection().execute(_BY_PHONE, {"workspace_id": unit.workspace_id, **bounds})
    counts: dict[str, dict[str, int]] = {}
    for phone, opened_by, count in rows:
        counts.setdefault(phone, {})[opened_by] = count
    return [
        PhoneCount(phone, by.get(OpenedBy.CUSTOMER, 0), by.get(OpenedBy.BUSINESS, 0))
        for phone, by in counts.items()
    ]


def what_if(unit: Unit, plan: PlanName, first: date, last: date) -> WhatIf:
    """What the conversations of those days would cost on ``plan``; nothing is written. Each month counts by
    itself, part of a month with that part of its pool; the sum is rounded once."""
    unit.require("billing.view")
    check_days(first, last)
    parts = list(periods.months(zones_of(unit, unit.workspace()), first, last))
    ratings = []
    for period, start, end in parts:
        terms = terms_under(unit, plan, start, end)
        counts = owed(unit.session, unit.workspace_id, [(term.start, term.end) for term in terms])
        ratings.append(rate(terms, counts, seconds=period.seconds))
    return WhatIf(
        plan=plan,
        first=first,
        last=last,
        is_prorated=any((start, end) != (period.start, period.end) for period, start, end in parts),
        rating=add(ratings),
        overage_micros=terms[-1].overage_micros,
    )


def plan_preview(unit: Unit, plan: PlanName) -> PlanPreview:
    """What a change to ``plan`` at this moment would change of the running month."""
    unit.require("billing.view")
    workspace = unit.workspace()
    period = periods.period_of(zones_of(unit, workspace), unit.now)
    before = month_view(unit, workspace, period)
    so_far = terms_of(unit, workspace, period.start, unit.now)
    after = month_view(unit, workspace, period, [*so_far, *terms_under(unit, plan, unit.now, period.end)])
    return PlanPreview(plan, before, after)


def conversation_cost(unit: Unit, conversation_id: str) -> Cost:
    """Why that conversation is included or billed: its place among those of its month, in order of
    (opened at, id)."""
    unit.require("billing.view")
    conversation = unit.find(Conversation, conversation_id, called="conversation")
    workspace = unit.workspace()
    period = periods.period_of(zones_of(unit, workspace), conversation.opened_at)
    terms = terms_of(unit, workspace, period.start, period.end)
    term = next(one for one in terms if one.start <= conversation.opened_at < one.end)
    position = _position(unit, conversation, period)
    included = pool(terms, seconds=period.seconds)
    beyond = position > included
    amount = (term.overage_micros or 0) if beyond else 0
    where = f"number {position:,} of {period.name}, in which {included:,} are included"
    if not beyond:
        sentence = f"Included: it is {where}."
    elif term.overage_micros is None:
        sentence = f"Not charged: it is {where}; the plan {term.plan} charges nothing beyond."
    else:
        sentence = f"Billed {exact(amount)} USD: it is {where}; beyond, {term.plan} charges for each."
    return Cost(period, position, included, term.plan, amount, sentence)


def explain(rating: Rating, terms: tuple[Term, ...] | list[Term]) -> str:
    """The sum in words: *included 500, used 512, billable 12 × 0.005 = 0.06*; after a change of plan one
    product for each price."""
    products = [
        f"{over:,} × {exact(term.overage_micros)}"
        for term, over in zip(terms, rating.beyond, strict=True)
        if over and term.overage_micros is not None
    ]
    said = f"included {rating.included:,}, used {rating.total:,}, billable "
    if not products:
        return f"{said}{rating.billable:,}"
    return f"{said}{' + '.join(products)} = {exact(rating.amount_micros)}"


def named(zones: Zones, name: str) -> Period:
    """The month ``2026-11``; Malformed for what is none."""
    try:
        found = periods.named(zones, name)
    except ValueError:
        raise Malformed.field("month", "must be a month such as 2026-11") from None
    check_days(found.first_day, found.last_day)
    return found


def check_days(first: date, last: date) -> None:
    for field, day in (("startDate", first), ("endDate", last)):
        if not periods.FIRST_YEAR <= day.year <= periods.LAST_YEAR:
            raise Malformed.field(
                field, f"must be between {periods.FIRST_YEAR}-01-01 and {periods.LAST_YEAR}-12-31"
            )
    if last < first:
        raise Malformed.field("endDate", "must not be earlier than startDate")
    if (last - first).days >= DAYS_AT_MOST:
        raise Malformed.field("endDate", f"must be less than {DAYS_AT_MOST} days after startDate")


def _position(unit: Unit, conversation: Conversation, period: Period) -> int:
    before = (
        "SELECT count(*) FROM conversation WHERE workspace_id = :workspace_id AND opened_at >= :start "
        "AND (opened_at < :opened_at OR (opened_at = :opened_at AND id <= :id)) "
        "AND messages_in + messages_out > 0"
    )
    asked = {
        "workspace_id": conversation.workspace_id,
        "start": to_micros(period.start),
        "opened_at": to_micros(conversation.opened_at),
        "id": conversation.id,
    }
    return int(unit.session.connection().execute(text(before), asked).scalar_one())
