"""What the month would cost on each plan, and the change from one to another with what it changes."""

from collections.abc import Awaitable, Callable, Sequence

from core.billing.comparison import PlanCost
from core.billing.queries import MonthView, plan_preview
from core.team.workspace import change_workspace
from data.enums import PlanName
from ui.format import month_name, number, usd
from ui.page import PageContext
from ui.pages.billing_words import PLANS, included, price
from ui.parts.button import button
from ui.parts.card import card, card_title
from ui.parts.confirm import confirm
from ui.parts.figures import Figure, figures
from ui.parts.region import Region
from ui.parts.text import box, text


class PlansCard:
    """``changed`` is awaited once the workspace is on another plan."""

    def __init__(
        self, page: PageContext, month: MonthView, *, changed: Callable[[], Awaitable[None]]
    ) -> None:
        self._page = page
        self._changed = changed
        self._may_change = month.is_running and page.can("workspace.edit")
        with card(label="What if"):
            card_title(
                f"What if {month_name(month.period.first_day)} had been on another plan",
                aside="Looking changes nothing",
            )
            self._table = Region(self._draw)

    def show(self, month: MonthView, plans: Sequence[PlanCost]) -> None:
        self._table.show(month.plan, month.is_running, tuple(plans))

    def _draw(self, present: PlanName, is_running: bool, plans: tuple[PlanCost, ...]) -> None:
        figures(
            "What the month would cost on each plan",
            (
                "Plan",
                "Included",
                "Each beyond",
                "Billable",
                "So far" if is_running else "Amount",
                "Forecast",
                "Against now",
            )
            if is_running
            else ("Plan", "Included", "Each beyond", "Billable", "Amount", "Against then"),
            [self._line(each, is_present=each.plan is present, is_running=is_running) for each in plans],
        )
        if self._may_change:
            with box("planacts rowline"):
                text("Change the plan to")
                for each in plans:
                    if each.plan is not present:
                        button(PLANS[each.plan], lambda plan=each.plan: self._change(plan), small=True)

    def _line(self, each: PlanCost, *, is_present: bool, is_running: bool) -> tuple[Figure | str, ...]:
        line: list[Figure | str] = [
            Figure(PLANS[each.plan], sub="Your plan" if is_present else ""),
            included(each.plan, each.included),
            price(each),
            number(each.rating.billable),
            usd(each.rating.amount_micros),
        ]
        if is_running:
            line.append(usd(each.forecast.amount_micros))
        line.append(_difference(each))
        return tuple(line)

    async def _change(self, plan: PlanName) -> None:
        page = self._page
        preview = await page.read(lambda unit: plan_preview(unit, plan))
        before, after = preview.before, preview.after
        sure = await confirm(
            f"Change the plan to {PLANS[plan]}?",
            "It counts from this moment on; what opened before keeps its price. What the month includes "
            "follows the time on each plan.",
            facts=(
                ("Included", f"{number(before.rating.included)} → {number(after.rating.included)}"),
                ("Amount so far", f"{usd(before.rating.amount_micros)} → {usd(after.rating.amount_micros)}"),
                ("Forecast", f"{usd(before.forecast.amount_micros)} → {usd(after.forecast.amount_micros)}"),
            ),
            yes=f"Change to {PLANS[plan]}",
        )
        if not sure:
            return
        done = f"The workspace is on {PLANS[plan]} now"
        if await page.write(lambda unit: change_workspace(unit, plan=plan), done=done) is not None:
            await self._changed()


def _difference(each: PlanCost) -> Figure:
    """On the free plan what is beyond costs nothing because it is refused."""
    refused = each.forecast.total - each.forecast.included
    if each.plan is PlanName.FREE and refused > 0:
        return Figure(f"up to {number(refused)} refused", tone="amber")
    if not each.saved_micros:
        return Figure("the same")
    is_less = each.saved_micros > 0
    return Figure(
        f"{usd(abs(each.saved_micros))} {'less' if is_less else 'more'}", tone="green" if is_less else "amber"
    )
