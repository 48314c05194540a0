"""The same month on each plan: what its conversations cost there, and what they would come to."""

from dataclasses import dataclass

from core.billing.history import months_of, terms_by_plan, zones_of
from core.billing.periods import Period
from core.billing.queries import MonthView, forecast
from core.billing.rules import Rating, rate
from core.conversations.spans import owed
from core.unit import Unit
from data.enums import PlanName


@dataclass(frozen=True, slots=True)
class PlanCost:
    """``forecast`` equals ``rating`` once the month is over. ``saved_micros``: how much less the month would
    come to than it does as it is; negative where it would cost more. ``overage_micros`` None: nothing beyond
    is charged, and on the free plan nothing beyond is opened."""

    plan: PlanName
    included: int
    overage_micros: int | None
    rating: Rating
    forecast: Rating
    saved_micros: int


def compare_plans(unit: Unit, month: MonthView) -> list[PlanCost]:
    """What the month would cost, had it been on each plan from its first day; in the order of the plans.

    *120 conversations on Starter cost 0.20; on Pro, which includes 500, nothing: 0.20 saved.*
    """
    unit.require("billing.view")
    period = month.period
    by_plan = terms_by_plan(unit, period.start, period.end)
    spans = [(term.start, term.end) for plan in PlanName for term in by_plan[plan]]
    counts = iter(owed(unit.session, unit.workspace_id, spans))
    found = []
    for plan in PlanName:
        terms = by_plan[plan]
        opened = [next(counts) for _ in terms]
        expected = forecast(unit, terms, opened, total=month.forecast.total, period=period)
        found.append(
            PlanCost(
                plan=plan,
                included=terms[-1].included,
                overage_micros=terms[-1].overage_micros,
                rating=rate(terms, opened, seconds=period.seconds),
                forecast=expected,
                saved_micros=month.forecast.amount_micros - expected.amount_micros,
            )
        )
    return found


def months(unit: Unit) -> list[Period]:
    """Every month that can be looked at, newest first."""
    unit.require("conversations.view")
    workspace = unit.workspace()
    return list(months_of(unit, workspace, zones_of(unit, workspace)))[::-1]
