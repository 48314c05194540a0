"""Dead letters: why messages died, which they are, and what is done about each."""

from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from core.dead_letters.figures import LetterFigures, letter_figures
from core.dead_letters.groups import LetterGroup, letter_groups
from core.dead_letters.lists import LetterPage, LetterSort, count_letters, counts_by_state, list_letters
from core.dead_letters.rows import LetterRow
from core.errors import Forbidden
from core.phones.queries import PhoneChoice
from core.phones.queries import choices as phone_choices
from core.team.queries import colleagues
from core.unit import Unit
from data.enums import LetterState
from ui.format import plural, short_number
from ui.page import PageContext
from ui.pages import dead_letter_file
from ui.pages.dead_letter_bulk import Bulk
from ui.pages.dead_letter_cause import Cause
from ui.pages.dead_letter_drawer import LetterDrawer
from ui.pages.dead_letter_exports import Exports
from ui.pages.dead_letter_figures import Figures
from ui.pages.dead_letter_filters import LetterFilters
from ui.pages.dead_letter_groups import Groups, code_word
from ui.pages.dead_letter_query import LetterQuery
from ui.pages.dead_letter_views import Views
from ui.pages.dead_letter_works import Works
from ui.parts.badge import ERROR, LETTER
from ui.parts.button import button
from ui.parts.card import card, heading
from ui.parts.confirm import ask_choice
from ui.parts.filters import Segment
from ui.parts.table import Column, Order, Rows, Table, TableRow, code_cell, dots_cell, text_cell, when_cell
from ui.parts.text import box
from ui.parts.toast import toast

FORMS = {"csv": "CSV, for spreadsheets", "json": "JSON lines, for scripts"}
COLUMNS = (
    Column("to", "Recipient", card="title", width="190px"),
    Column("error", "Error"),
    Column("attempts", "Attempts", card="foot", width="100px", sort="none"),
    Column("dead", "Died", card="aside", width="124px", right=True, sort="descending"),
)
# Column → its orders: the one that the first click brings, and the other way round.
ORDERS = {
    "attempts": (LetterSort.MOST_ATTEMPTS, LetterSort.FEWEST_ATTEMPTS),
    "dead": (LetterSort.NEWEST, LetterSort.OLDEST),
}
NOTHING = {
    LetterState.OPEN: ("No open dead letters", "A message that failed for good waits here for a person."),
    LetterState.REDRIVEN: ("Nothing was redriven yet", "Letters that were sent again are kept here."),
    LetterState.RESOLVED: (
        "Nothing was resolved yet",
        "Letters whose message arrived after all are kept here.",
    ),
    LetterState.DISCARDED: (
        "Nothing was discarded yet",
        "Letters that were given up are kept here, and can be restored for 7 days.",
    ),
}


async def build(page: PageContext) -> None:
    await _DeadLetters(page).build()


class _DeadLetters:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._query = LetterQuery(page.query, page.actor)
        self._tries = 1 + len(page.runtime.settings.waypost_retry_delays)
        self._phones: dict[str, PhoneChoice] = {}

    async def build(self) -> None:
        page = self._page
        if linked := page.query.pop("open", ""):  # as links to the other lists say it
            page.query.setdefault("id", linked)
        figures, counts, phones, people = await page.read(_first_look)
        self._phones = {phone.phone_number_id: phone for phone in phones}
        with heading(page, "Messages that failed for good. Find the cause, then send them again."):
            button("Views", lambda: self._views.ask(), icon="funnel")
            if page.can("dead_letters.export"):
                button("Export", self._export, icon="download")
            button("Bulk work", lambda: self._works.show_past(), icon="history")
        self._works = Works(page, self._refresh)
        self._exports = Exports(page)
        self._figures = Figures(page)
        with box("split letters"):
            self._groups = Groups(lambda fingerprint: self._filters.narrow(group=fingerprint))
            with card("tablecard", label="Letters"):
                states = {state.value: word for state, (word, _) in LETTER.items()}
                self._tabs = Segment("State", states, self._query.state.value, self._turn_to, tabs=True)
                self._cause = Cause(
                    page, self._phones, redrive=self._redrive_cause if self._can_bulk else None
                )
                self._filters = LetterFilters(
                    page,
                    self._query,
                    phones=self._phones,
                    people=people,
                    tries=self._tries,
                    changed=self._list,
                )
                self._draw_table()
        self._views = Views(page, self._query, self._open_view)
        self._bulk = Bulk(page, self._table, self._query.wanted, self._refresh) if self._can_bulk else None
        self._drawer = LetterDrawer(
            page, self._table, self._phones, people, changed=self._refresh, many=self._bulk
        )
        self._show(figures, counts)
        await self._list()
        await self._works.refresh()
        await self._drawer.restore()
        page.live(self._refresh)

    def _draw_table(self) -> None:
        self._table = Table(
            self._page,
            COLUMNS,
            self._load,
            label="Dead letters",
            one="dead letter",
            on_open=lambda letter_id: self._drawer.open(letter_id),
            nothing_icon="circle-check",
            on_select=self._select if self._can_bulk else None,
            on_sort=self._sort_by,
        )

    @property
    def _can_bulk(self) -> bool:
        return self._page.can("dead_letters.bulk_redrive")

    def _select(self, selected: list[str]) -> None:
        if self._bulk is not None:
            self._bulk.show(selected)

    async def _redrive_cause(self) -> None:
        if self._bulk is not None:
            await self._bulk.redrive_all()

    async def _sort_by(self, column: str) -> None:
        first, other = ORDERS[column]
        await self._filters.sort_by(other if self._query.sort is first else first)
        if self._query.sort not in ORDERS[column]:
            toast("What is found by its words is listed by date.")

    async def _turn_to(self, state: str) -> None:
        self._page.go(state=None if state == LetterState.OPEN else state)
        await self._list()

    async def _open_view(self, changes: Any) -> None:
        await self._filters.open_view(changes)
        self._tabs.show(self._query.state.value)

    async def _export(self) -> None:
        total = self._table.total or 0
        form = await ask_choice(
            f"Export {plural(total, 'dead letter')}",
            "What matches the filters is downloaded, newest first. The audit log says that it was taken out.",
            label="Format",
            options=FORMS,
            yes="Export",
        )
        if form is not None:
            asked = {"format": form, **self._query.as_api(now=self._page.now())}
            ui.download.from_url(f"{dead_letter_file.PATH}?{urlencode(asked)}")

    async def _list(self) -> None:
        self._show_groups(await self._find_groups())
        self._filters.show_chips()
        for column, (downward, upward) in ORDERS.items():
            order: dict[LetterSort, Order] = {downward: "descending", upward: "ascending"}
            self._table.show_order(column, order.get(self._query.sort, "none"))
        await self._table.show()

    async def _refresh(self) -> None:
        page = self._page
        await self._table.refresh()  # first, because it asks for this person alone
        await self._works.refresh()
        self._exports.refresh()
        figures, counts = await page.pulse.shared(("letters", page.actor.workspace_id), self._look)
        self._show(figures, counts)
        self._show_groups(await self._find_groups(), in_place=True)
        await self._drawer.refresh()

    def _look(self) -> tuple[LetterFigures, dict[LetterState, int]]:
        with self._page.runtime.unit(self._page.identity) as unit:
            return letter_figures(unit), counts_by_state(unit)

    def _show(self, figures: LetterFigures, counts: dict[LetterState, int]) -> None:
        self._figures.show(figures)
        self._tabs.count(**{state.value: short_number(count) for state, count in counts.items()})

    def _show_groups(self, groups: list[LetterGroup], *, in_place: bool = False) -> None:
        chosen = self._query["group"]
        self._filters.learn(groups)
        self._groups.show(groups, chosen, in_place=in_place)
        cause = next((group for group in groups if group.fingerprint == chosen), None)
        self._cause.show(cause, is_open=self._query.state is LetterState.OPEN)

    async def _find_groups(self) -> list[LetterGroup]:
        wanted = self._query.of_all_causes()
        try:
            return await self._page.read(lambda unit: letter_groups(unit, wanted))
        except Forbidden as refusal:
            if not _is_about_numbers(refusal):
                raise
            return []

    async def _load(self, cursor: str | None) -> Rows:
        wanted, sort = self._query.wanted(), self._query.sort

        def query(unit: Unit) -> tuple[LetterPage, int]:
            return list_letters(unit, wanted, cursor=cursor, sort=sort), count_letters(unit, wanted)

        try:
            found, total = await self._page.read(query)
        except Forbidden as refusal:
            if not _is_about_numbers(refusal):
                raise
            self._table.explain_nothing("Not searched by number", refusal.sentence)
            return Rows(())
        self._table.explain_nothing(
            *(
                ("No dead letters match", "Try another error, phone or time range, or clear the filters.")
                if self._query.is_narrowed
                else NOTHING[self._query.state]
            )
        )
        return Rows([self._row(row) for row in found.items], found.next_cursor, total)

    def _row(self, row: LetterRow) -> TableRow:
        about = f"{ERROR[row.klass][0]} · {row.template_name or 'Text'}"
        phone = self._phones.get(row.phone_number_id)
        return TableRow(
            row.id,
            f"dead letter to {row.to_pretty}",
            (
                text_cell(row.to_pretty, phone.verified_name if phone else row.phone_number_id),
                code_cell(code_word(row.error_code), row.title, about),
                dots_cell(row.attempts, self._tries),
                when_cell(self._page, row.dead_at),
            ),
        )


def _first_look(
    unit: Unit,
) -> tuple[LetterFigures, dict[LetterState, int], list[PhoneChoice], dict[str, str]]:
    return letter_figures(unit), counts_by_state(unit), phone_choices(unit), colleagues(unit)


def _is_about_numbers(refusal: Forbidden) -> bool:
    facts: dict[str, Any] = refusal.facts
    return facts.get("permission") == "contacts.reveal"
