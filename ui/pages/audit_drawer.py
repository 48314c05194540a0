"""One audit entry in full: who, what, when, from where, and what changed."""

from collections.abc import Awaitable, Callable

from core.audit_log.queries import EntryRow, find_entry
from core.audit_log.rules import Change
from ui.format import number
from ui.page import PageContext
from ui.pages.audit_words import target_of, words_of
from ui.parts.button import button
from ui.parts.drawer import Drawer, section
from ui.parts.facts import Value, facts
from ui.parts.table import Table
from ui.parts.text import box, text

Narrow = Callable[[str, str], Awaitable[None]]


class EntryDrawer:
    """``narrow(name, value)`` shows only what else was done by the same actor, or to the same thing."""

    def __init__(self, page: PageContext, table: Table, *, narrow: Narrow) -> None:
        self._page = page
        self._narrow = narrow
        self.drawer: Drawer = Drawer(
            page,
            self._fill,
            name="entry",
            label="Audit entry",
            step=lambda direction: table.step(self.drawer.open_id, direction),
            on_change=table.mark_open,
        )

    async def _fill(self, entry_number: str) -> None:
        row = await self._page.read(lambda unit: find_entry(unit, entry_number))
        with self.drawer.head(words_of(row.action), f"Entry {number(row.number)}"):
            pass
        with self.drawer.body():
            facts(self._page, self._facts(row), mono=["Actor", "Id", "Request"])
            with section("What changed"):
                _draw_changes(row.changes)
        with self.drawer.foot():
            button("Only by this actor", lambda: self._narrow("actor", row.actor), icon="user")
            button("Only about this", lambda: self._narrow("target", row.target), icon="list-filter")

    def _facts(self, row: EntryRow) -> list[tuple[str, Value]]:
        thing, kind = target_of(row)
        lines: list[tuple[str, Value]] = [("Who", row.actor_name)]
        if row.actor != row.actor_name:
            lines.append(("Actor", row.actor))
        lines += [("When", self._page.times.exact(row.at)), (kind or "About", thing)]
        if row.target_name is not None:
            lines.append(("Id", row.target.partition(":")[2]))
        return [*lines, ("From", row.address), ("Request", row.request_id)]


def _draw_changes(changes: list[Change]) -> None:
    if not changes:
        text("Nothing more was written down about it.", "quiet", tag="p")
        return
    with box("diff", label="What changed", role="group") as shown:
        shown.props["tabindex"] = "0"
        for each in changes:
            if each.is_same:
                text(f"{each.name}: {each.before}", tag="p")
                continue
            if each.before is not None:
                text(f"{each.name}: {each.before}", tag="del")
            if each.after is not None:
                text(f"{each.name}: {each.after}", tag="ins")
