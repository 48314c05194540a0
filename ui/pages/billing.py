"""Billing: one month at a glance. What is used and owed so far, where it leads, and what makes it up."""

from dataclasses import dataclass

from core.billing.comparison import PlanCost, compare_plans, months
from core.billing.periods import Period
from core.billing.queries import DayCount, MonthView, PhoneCount, by_phone, current_month, metrics, one_month
from core.conversations.commands import bring_up_to_date
from core.phones.queries import PhoneChoice, choices
from core.unit import Unit
from ui.act import ask
from ui.format import NOTHING, day_name, month_name, number, usd
from ui.page import PageContext
from ui.pages.billing_budget import BudgetCard
from ui.pages.billing_parts import draw_openers, draw_phones, draw_usage, draw_warnings, warnings
from ui.pages.billing_plans import PlansCard
from ui.pages.billing_what_if import WhatIfCard
from ui.pages.billing_words import PLANS, conversations
from ui.parts.button import button, link
from ui.parts.callout import callout
from ui.parts.card import card, card_title, heading
from ui.parts.chart import Bar, StackedBars
from ui.parts.empty import empty
from ui.parts.filters import select_field
from ui.parts.region import Region
from ui.parts.stat import Stat, stats
from ui.parts.text import box, text

OPENERS = (("Opened by customers", "blue"), ("Opened by you", "brand"))


@dataclass(frozen=True, slots=True)
class _Details:
    """What is counted conversation by conversation: read anew only when the month's total has changed."""

    days: list[DayCount]
    phones: list[PhoneCount]
    plans: list[PlanCost]
    names: dict[str, PhoneChoice]


async def build(page: PageContext) -> None:
    await _Billing(page).build()


class _Billing:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._wanted = page.query.get("month", "")
        self._shown: tuple[object, ...] = ()

    async def build(self) -> None:
        page = self._page
        workspace_id = page.actor.workspace_id
        if workspace_id is not None:
            await ask(lambda: bring_up_to_date(page.runtime, workspace_id))
        month = await page.read(self._month)
        known = await page.read(months)
        details = await page.read(lambda unit: _details(unit, month))
        page.live(self._refresh)
        name = month_name(month.period.first_day)
        with heading(
            page, f"What the workspace uses and owes in {name}, in the time zone {month.period.zone}."
        ):
            self._draw_acts(month, known)
        self._warnings = Region(draw_warnings, "stack warnings")
        if not details.names:
            with callout(
                "No number is connected",
                "Conversations are counted for each number you send from.",
                tone="blue",
            ):
                link("Connect numbers", "/phones/connect")
        with stats():
            self._draw_stats(month)
        self._as_of = text("", "asof", tag="p")
        with card(label="Included conversations"):
            card_title("Included conversations", aside=PLANS[month.plan])
            self._usage = Region(draw_usage, "cardbody usage")
        with card(label="By day"):
            card_title("By day", aside="A conversation counts on the day it opened")
            self._draw_days(name)
        with box("columns"):
            with card(label="By number"):
                card_title("By number")
                self._phones = Region(draw_phones)
            with card(label="By who opened"):
                card_title("By who opened")
                self._openers = Region(draw_openers)
        self._plans = PlansCard(page, month, changed=self._refresh)
        WhatIfCard(page, month)
        self._budget = BudgetCard(page, changed=self._refresh)
        self._show(month, details)

    def _draw_acts(self, month: MonthView, known: list[Period]) -> None:
        page = self._page
        names = {each.name: month_name(each.first_day) for each in known}
        running = known[0].name if known else ""
        select_field(
            "Month",
            names,
            month.period.name,
            lambda chosen: page.leave(page.address(month=None if chosen == running else chosen)),
        )
        button("Invoices", lambda: page.leave("/billing/invoices"), icon="receipt")
        button("Reconciliation", lambda: page.leave("/billing/reconciliation"), icon="list")

    def _draw_stats(self, month: MonthView) -> None:
        name = month.period.name
        all_of_it = conversations(month=name)
        self._used = Stat("Conversations", tone="brand", target=all_of_it)
        self._beyond = Stat("Billable", tone="amber", target=conversations(month=name, charge="billed"))
        self._amount = Stat("Amount so far" if month.is_running else "Amount", tone="blue")
        self._forecast = Stat("Forecast", tone="grey") if month.is_running else None
        self._limit = Stat("Budget", tone="grey") if month.is_running else None

    def _draw_days(self, name: str) -> None:
        with empty(
            f"No conversations in {name}",
            "One opens with the first message that a customer or you send, and runs for 24 hours.",
            icon_name="messages-square",
        ) as self._no_days:
            pass
        with box("cardbody") as self._some_days:
            self._days = StackedBars(
                f"Conversations by day, {name}",
                unit="Conversations",
                over="Day",
                series=OPENERS,
                on_open=self._page.leave,
            )

    # ---- reading and showing ----

    def _month(self, unit: Unit) -> MonthView:
        return one_month(unit, self._wanted) if self._wanted else current_month(unit)

    async def _refresh(self) -> None:
        month = await self._page.read(self._month)
        key = _key(month)
        details = await self._page.read(lambda unit: _details(unit, month)) if key != self._shown else None
        self._show(month, details)

    def _show(self, month: MonthView, details: _Details | None) -> None:
        rating = month.rating
        self._as_of.set_text(
            f"As of {self._page.times.exact(month.as_of)}. Later messages are not in it yet."
        )
        self._show_stats(month)
        self._warnings.show(warnings(month))
        if details is None:
            return
        self._shown = _key(month)
        self._usage.show(month)
        self._no_days.set_visibility(not rating.total)
        self._some_days.set_visibility(rating.total > 0)
        self._days.show([_bar(each) for each in details.days])
        self._phones.show(month.period.name, tuple(details.phones), details.names)
        self._openers.show(month.period.name, tuple(details.phones))
        self._plans.show(month, details.plans)
        self._budget.show(month)

    def _show_stats(self, month: MonthView) -> None:
        rating = month.rating
        self._used.show(number(rating.total), f"{number(rating.included)} included")
        self._beyond.show(number(rating.billable), "beyond what is included")
        self._amount.show(usd(rating.amount_micros), PLANS[month.plan])
        if self._forecast is not None:
            until = day_name(month.period.last_day)
            about = f"{number(month.forecast.total)} by {until}"
            self._forecast.show(usd(month.forecast.amount_micros), about)
        if self._limit is not None:
            budget = month.budget_micros
            mode = "hard: more is refused" if month.budget_mode == "hard" else "soft: tells, refuses nothing"
            self._limit.show(
                NOTHING if budget is None else usd(budget), "none is set" if budget is None else mode
            )


def _details(unit: Unit, month: MonthView) -> _Details:
    period = month.period
    return _Details(
        days=metrics(unit, period.first_day, period.last_day).days,
        phones=by_phone(unit, period),
        plans=compare_plans(unit, month),
        names={each.phone_number_id: each for each in choices(unit)},
    )


def _key(month: MonthView) -> tuple[object, ...]:
    return month.rating, month.plan, month.terms, month.budget_micros, month.budget_mode


def _bar(each: DayCount) -> Bar:
    counted = each.counted
    target = conversations(day=each.day.isoformat()) if counted.conversations else ""
    return Bar(day_name(each.day), (counted.customer, counted.business), target)
