"""What any days would have cost on a plan: a form over what nothing is written by."""

from datetime import date

from nicegui import ui

from core.billing.money import exact
from core.billing.queries import MonthView, WhatIf, what_if
from core.errors import Malformed
from data.enums import PlanName
from ui.act import ask
from ui.format import day_name, number, usd
from ui.page import PageContext
from ui.pages.billing_words import PLANS, included
from ui.parts.button import button
from ui.parts.card import card, card_title
from ui.parts.facts import facts
from ui.parts.field import choice_field, problem, text_field
from ui.parts.region import Region
from ui.parts.text import box, text


class WhatIfCard:
    def __init__(self, page: PageContext, month: MonthView) -> None:
        self._page = page
        period = month.period
        with card(label="Other days"):
            card_title("What if other days had been on a plan", aside="Looking changes nothing")
            with box("cardbody"):
                with box("whatif"):
                    self._plan = choice_field("Plan", PLANS, month.plan)
                    self._first = text_field("From", period.first_day.isoformat(), kind="date")
                    self._last = text_field("To, included", period.last_day.isoformat(), kind="date")
                    button("Work it out", self._work_out)
                self._answer = Region(self._draw)

    async def _work_out(self) -> None:
        days = [self._day(field) for field in (self._first, self._last)]
        first, last = days
        if first is None or last is None:
            return
        plan = PlanName(self._plan.value)
        try:
            found = await ask(lambda: self._read(plan, first, last))
        except Malformed as refusal:
            [wrong] = refusal.facts["fields"]
            field = self._first if wrong["field"] == "startDate" else self._last
            said = wrong["message"].replace("startDate", "the first day").replace("endDate", "the last day")
            problem(field, f"{said[0].upper()}{said[1:]}.")
            return
        self._answer.show(found)

    def _read(self, plan: PlanName, first: date, last: date) -> WhatIf:
        with self._page.runtime.unit(self._page.identity) as unit:
            return what_if(unit, plan, first, last)

    def _day(self, field: ui.input | ui.textarea) -> date | None:
        """None, and said so beneath the field, where no day is written in it."""
        try:
            day = date.fromisoformat(field.value or "")
        except ValueError:
            problem(field, "Write a day such as 2026-11-01.")
            return None
        problem(field, "")
        return day

    def _draw(self, found: WhatIf) -> None:
        rating = found.rating
        with box("stack", role="status"):
            text(
                f"{day_name(found.first)} {found.first.year} to {day_name(found.last)} {found.last.year} on "
                f"{PLANS[found.plan]}: {usd(rating.amount_micros)}",
                "strong",
                tag="p",
            )
            facts(
                self._page,
                (
                    ("Conversations", number(rating.total)),
                    ("Included", included(found.plan, rating.included)),
                    ("Billable", number(rating.billable)),
                    (
                        "Each beyond",
                        "not charged"
                        if found.overage_micros is None
                        else f"{exact(found.overage_micros)} USD",
                    ),
                ),
            )
            if found.is_prorated:
                text("Part of a month is in it, with that part of what the month includes.", "faint", tag="p")
