"""What a person does about many dead letters: those selected, or all that match."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from core.dead_letters import bulk
from core.dead_letters.bulk import Order
from core.dead_letters.filters import LetterFilter
from core.team.queries import colleagues
from data.enums import BulkVerb, LetterState
from ui.format import number, plural
from ui.page import PageContext
from ui.pages.dead_letter_dry_run import ask_redrive
from ui.parts.button import button, link_button
from ui.parts.confirm import ask_choice, ask_reason
from ui.parts.table import SelectionBar, Table
from ui.parts.toast import toast


class Bulk:
    """``wanted()`` is what the list is narrowed to. ``changed()`` is awaited when work was started."""

    def __init__(
        self,
        page: PageContext,
        table: Table,
        wanted: Callable[[], LetterFilter],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._page = page
        self._table = table
        self._wanted = wanted
        self._changed = changed
        self._is_all = False
        self._bar = SelectionBar(table, "dead letter")
        with self._bar:
            self._all = link_button("", self._take_all)
            self._redrive = button("Redrive", self.redrive, icon="rotate-cw", kind="pri", small=True)
            self._discard = button("Discard", self.discard, icon="trash-2", small=True)
            self._restore = button("Restore", self._restore_many, icon="undo-2", small=True)
            self._assign = button("Assign", self.assign, small=True)
            self._note = button("Note", self._note_on, small=True)

    @property
    def has_selection(self) -> bool:
        return bool(self._table.selected)

    def show(self, selected: Sequence[str]) -> None:
        """To be called when the table's selection changes."""
        self._is_all = False
        self._bar.show(selected)
        total = self._table.total or 0
        state = self._wanted().state
        self._all.set_visibility(total > len(selected))
        self._all.set_text(f"Select all {number(total)} that match")
        is_open = state is LetterState.OPEN
        self._redrive.set_visibility(is_open and self._page.can("dead_letters.redrive"))
        self._discard.set_visibility(is_open and self._page.can("dead_letters.discard"))
        self._restore.set_visibility(
            state is LetterState.DISCARDED and self._page.can("dead_letters.discard")
        )
        for each in (self._assign, self._note):
            each.set_visibility(self._page.can("dead_letters.annotate"))

    async def redrive(self) -> None:
        if not self._may(LetterState.OPEN, "dead_letters.redrive"):
            return
        if (order := await ask_redrive(self._page, self._order(BulkVerb.REDRIVE))) is not None:
            await self._start(order, "The redrive is under way")

    async def redrive_all(self) -> None:
        """All that match, whatever is selected."""
        self._take_all()
        await self.redrive()

    async def discard(self) -> None:
        if not self._may(LetterState.OPEN, "dead_letters.discard"):
            return
        order = self._order(BulkVerb.DISCARD)
        reason = await ask_reason(
            f"Discard {self._how_many()}?",
            "Their messages are given up and not sent again. They can be restored within 7 days.",
            yes="Discard",
            is_danger=True,
        )
        if reason is not None:
            await self._start(replace(order, reason=reason), "They are being discarded")

    async def _restore_many(self) -> None:
        await self._start(self._order(BulkVerb.RESTORE), "They are being restored")

    async def assign(self) -> None:
        """Whoever is chosen looks after what is selected."""
        order = self._order(BulkVerb.ASSIGN)
        people = await self._page.read(colleagues)
        chosen = await ask_choice(
            f"Who looks after {self._how_many()}?",
            "They stand with that person's name on each.",
            label="Assignee",
            options=people,
            yes="Assign",
        )
        if chosen is not None:
            await self._start(replace(order, assignee_id=chosen), "They are being assigned")

    async def _note_on(self) -> None:
        order = self._order(BulkVerb.NOTE)
        note = await ask_reason(
            f"Add a note to {self._how_many()}",
            "Everyone who opens them sees it.",
            yes="Add note",
            label="Note",
        )
        if note is not None:
            await self._start(replace(order, reason=note), "The note is being added")

    async def _start(self, order: Order, done: str) -> None:
        if await self._page.write(lambda unit: bulk.start(unit, order), done=done) is not None:
            self._table.select([])
            await self._changed()

    def _take_all(self) -> None:
        self._is_all = True
        self._all.set_visibility(False)
        self._bar.say(f"All {self._how_many()} that match selected")

    def _how_many(self) -> str:
        count = (self._table.total or 0) if self._is_all else len(self._table.selected)
        return plural(count, "dead letter")

    def _order(self, verb: BulkVerb) -> Order:
        if self._is_all:
            return Order(verb, wanted=self._wanted(), confirm=True)
        return Order(verb, letter_ids=tuple(self._table.selected))

    def _may(self, state: LetterState, permission: str) -> bool:
        is_so = self._wanted().state is state and self._page.can(permission)
        if not is_so:
            toast(f"Only {state.value} letters, and not with every role.")
        return is_so
