"""What a bulk redrive would do, shown before it does, with the pace to choose."""

from dataclasses import replace

from core.dead_letters import bulk
from core.dead_letters.bulk import Order
from core.dead_letters.dry_run import DryRun
from core.dead_letters.skipping import REASONS
from ui.format import duration, number, plural
from ui.page import PageContext
from ui.pages.dead_letter_groups import code_word
from ui.parts.badge import ERROR
from ui.parts.button import button
from ui.parts.confirm import Dialog
from ui.parts.field import choice_field
from ui.parts.text import box, text
from ui.parts.ticks import Tick

PACES = {pace: f"{pace:,} a second" for pace in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)}
CANARIES = {0: "No, all at this pace", 10: "10 first", 50: "50 first", 100: "100 first"}
CODES_MAX = 5


async def ask_redrive(page: PageContext, order: Order) -> Order | None:
    """The order as the person wants it; None when they thought better of it."""
    asked = _Asked(page, order)
    return await asked.ask()


class _Asked:
    def __init__(self, page: PageContext, order: Order) -> None:
        self._page = page
        self._order = order
        self._looks = 0

    async def ask(self) -> Order | None:
        first = await self._look()
        with Dialog("Redrive these dead letters?", _about(self._order), wide=True) as dialog:
            with box("dbody scrolls"):
                self._sum = box("facts", tag="dl")
                self._pace = choice_field("Pace", PACES, self._order.rate_per_second, on=self._change)
                self._canary = choice_field(
                    "Try some first",
                    CANARIES,
                    0,
                    hint="The rest follow only when nine in ten got through.",
                    on=self._change,
                )
                self._unknown = Tick("Also those that may have arrived already", on=self._change)
            with box("dfoot"):
                button("Cancel", lambda: dialog.close(None))
                self._go = button("Redrive", lambda: dialog.close(self._order), kind="pri")
            self._show(first)
        answer = await dialog.answer()
        return answer if isinstance(answer, Order) else None

    async def _change(self, _: object = None) -> None:
        self._go.set_enabled(False)
        self._order = replace(
            self._order,
            rate_per_second=self._pace.value,
            canary=self._canary.value or None,
            include_unknown=bool(self._unknown.value),
        )
        self._looks += 1
        looks = self._looks
        found = await self._look()
        if looks == self._looks and not self._sum.is_deleted:
            self._show(found)

    async def _look(self) -> DryRun:
        order = self._order
        return await self._page.read(lambda unit: bulk.dry_run(unit, order))

    def _show(self, found: DryRun) -> None:
        codes = list(found.by_error_code.items())
        more = len(codes) - CODES_MAX
        lines = [
            ("Match", plural(found.count, "open letter")),
            ("Go", plural(found.going, "message")),
            ("Takes about", f"{duration(found.estimated_s)}, at {found.pace:g} a second"),
            *(("Stay", f"{number(count)}: {REASONS.get(why, why)}") for why, count in found.skipped.items()),
            *(("Class", f"{ERROR[klass][0]}: {number(count)}") for klass, count in found.by_class.items()),
            *(("Error", f"{code_word(code)}: {number(count)}") for code, count in codes[:CODES_MAX]),
        ]
        if more > 0:
            lines.append(("Error", f"and {plural(more, 'other code')}"))
        self._sum.clear()
        with self._sum:
            named = ""
            for name, value in lines:
                text(name if name != named else "", tag="dt")
                text(value, tag="dd")
                named = name
        self._go.set_text(f"Redrive {number(found.going)}")
        self._go.set_enabled(found.going > 0)


def _about(order: Order) -> str:
    which = "Those you selected" if order.letter_ids is not None else "All that match now"
    return f"{which}. It goes on when you close this page, and can be paused or cancelled."
