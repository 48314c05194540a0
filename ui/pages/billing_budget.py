"""The month's budget: what it does when it is reached, and its form for the owner."""

from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation

from core.billing.money import exact
from core.billing.queries import MonthView
from core.team.workspace import change_budget, micros_of
from data.enums import BudgetMode
from ui.format import usd
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.card import card, card_title
from ui.parts.confirm import Dialog
from ui.parts.field import choice_field, problem, text_field
from ui.parts.region import Region
from ui.parts.text import box, text

MODES = {
    BudgetMode.SOFT: "Soft: alerts tell, nothing is refused",
    BudgetMode.HARD: "Hard: sends that would cost more are refused",
}


class BudgetCard:
    """``changed`` is awaited once there is another budget."""

    def __init__(self, page: PageContext, *, changed: Callable[[], Awaitable[None]]) -> None:
        self._page = page
        self._changed = changed
        self._month: MonthView | None = None
        with card(label="Budget"):
            card_title("Budget", aside="For each month")
            with box("cardbody"):
                self._words = Region(self._draw)

    def show(self, month: MonthView) -> None:
        self._month = month
        self._words.show(month.budget_micros, month.budget_mode)

    def _draw(self, micros: int | None, mode: BudgetMode | None) -> None:
        if micros is None:
            text("No budget is set. With one, alerts tell at 50, 80, 100 and 120 % of it.", tag="p")
        else:
            text(f"{usd(micros)} a month. {MODES[mode or BudgetMode.SOFT]}.", tag="p")
        if not self._page.can("billing.manage"):
            text("An owner can change it.", "faint", tag="p")
            return
        with box("rowline"):
            button("Set a budget" if micros is None else "Change", self._edit, icon="pencil", small=True)
            if micros is not None:
                button("Remove", self._remove, small=True)

    async def _edit(self) -> None:
        month = self._month
        micros = month.budget_micros if month else None
        with Dialog("Budget", "What the workspace may cost in a month, in US dollars.") as dialog:
            with box("dbody"):
                amount = text_field(
                    "Amount, USD", "" if micros is None else exact(micros), placeholder="50.00"
                )
                mode = choice_field(
                    "When it is reached", MODES, (month and month.budget_mode) or BudgetMode.SOFT
                )
            with box("dfoot"):
                button("Cancel", lambda: dialog.close(None))

                def save() -> None:
                    asked = _micros(amount.value or "")
                    problem(amount, "" if asked is not None else "Write an amount such as 50 or 49.90.")
                    if asked is not None:
                        dialog.close((asked, mode.value))

                button("Save", save, kind="pri")
        answer = await dialog.answer()
        if answer is not None:
            await self._write(answer[0], answer[1], "The budget is saved")

    async def _remove(self) -> None:
        await self._write(None, None, "There is no budget any more")

    async def _write(self, micros: int | None, mode: BudgetMode | None, done: str) -> None:
        view = await self._page.write(
            lambda unit: change_budget(unit, monthly_micros=micros, mode=mode), done=done
        )
        if view is not None:
            await self._changed()


def _micros(written: str) -> int | None:
    """None for what is no amount. *1,234.50 → 1 234 500 000.*"""
    try:
        amount = Decimal(written.replace(",", "").strip())
    except InvalidOperation:
        return None
    return micros_of(amount) if amount.is_finite() and amount >= 0 else None
