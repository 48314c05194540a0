"""Dead letters: why messages died, which they are, and what is done about each."""

from functools import partial
from typing import Any

from core.dead_letters.queries import (
    LetterFigures,
    LetterFilter,
    LetterGroup,
    LetterPage,
    LetterRow,
    count_letters,
    counts_by_state,
    letter_figures,
    letter_groups,
    list_letters,
)
from core.errors import Forbidden
from core.phones.queries import PhoneChoice
from core.phones.queries import choices as phone_choices
from core.ports.meta_errors import explain
from core.unit import Unit
from data.enums import LetterState
from ui.format import short_number
from ui.page import PageContext
from ui.pages.dead_letter_drawer import LetterDrawer
from ui.pages.dead_letter_figures import Figures
from ui.pages.dead_letter_groups import Groups, code_word
from ui.parts.badge import ERROR, LETTER
from ui.parts.card import card, heading
from ui.parts.filters import Chips, Segment, filter_bar, search_field, select_field
from ui.parts.table import Column, Rows, Table, TableRow, code_cell, dots_cell, text_cell, when_cell
from ui.parts.text import box

RANGES = {"24h": "24 h", "7d": "7 days", "all": "All time"}
HOURS = {"24h": 24, "7d": 168}
FILTERS = ("group", "code", "phone", "range", "q")
COLUMNS = (
    Column("to", "Recipient", card="title", width="19%"),
    Column("error", "Error"),
    Column("template", "Template", card="foot", width="18%"),
    Column("attempts", "Attempts", card="foot", width="88px"),
    Column("dead", "Died", card="aside", width="116px", right=True),
)
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
        self._tries = 1 + len(page.runtime.settings.waypost_retry_delays)
        self._phones: dict[str, PhoneChoice] = {}
        self._titles: dict[str, str] = {}  # of causes, by fingerprint
        self._codes: dict[str, str] = {}

    async def build(self) -> None:
        page = self._page
        if linked := page.query.pop("open", ""):  # as links to the other lists say it
            page.query.setdefault("id", linked)
        figures, counts, phones = await page.read(_first_look)
        self._phones = {phone.phone_number_id: phone for phone in phones}
        with heading(page, "Messages that failed for good. Find the cause, then send them again."):
            pass
        self._figures = Figures(page)
        with box("split letters"):
            self._groups = Groups(lambda fingerprint: self._narrow(group=fingerprint))
            with card("tablecard", label="Letters"):
                self._draw_filters(figures)
                self._draw_table()
        self._drawer = LetterDrawer(page, self._table, self._phones, changed=self._refresh)
        self._show(figures, counts)
        await self._list()
        await self._drawer.restore()
        page.live(self._refresh)

    def _draw_filters(self, figures: LetterFigures) -> None:
        query = self._page.query
        states = {state.value: word for state, (word, _) in LETTER.items()}
        self._tabs = Segment("State", states, self._state().value, self._turn_to, tabs=True)
        self._codes = {each.error_code: _named(each.error_code, each.title) for each in figures.codes}
        if code := query.get("code"):
            self._codes.setdefault(code, _named(code, explain(code).title))
        with filter_bar():
            self._search = search_field(
                "Search dead letters",
                query.get("q", ""),
                lambda q: self._narrow(q=q),
                placeholder="Number, id, template, error",
            )
            names = {phone_id: phone.verified_name for phone_id, phone in self._phones.items()}
            if phone_id := query.get("phone"):
                names.setdefault(phone_id, phone_id)
            self._phone = select_field(
                "Phone", {"": "All phones", **names}, query.get("phone", ""), lambda v: self._narrow(phone=v)
            )
            self._code = select_field(
                "Error code",
                {"": "All codes", **self._codes},
                query.get("code", ""),
                lambda v: self._narrow(code=v),
            )
            self._range = Segment(
                "Time range", RANGES, self._range_key(), lambda v: self._narrow(range="" if v == "all" else v)
            )
        self._chips = Chips(lambda: self._narrow(**dict.fromkeys(FILTERS, "")))

    def _draw_table(self) -> None:
        self._table = Table(
            self._page,
            COLUMNS,
            self._load,
            label="Dead letters",
            one="dead letter",
            on_open=lambda letter_id: self._drawer.open(letter_id),
            nothing_icon="circle-check",
        )

    async def _turn_to(self, state: str) -> None:
        self._page.go(state=None if state == LetterState.OPEN else state)
        await self._list()

    async def _narrow(self, **changes: str) -> None:
        """Those filters are changed, and what shows them agrees with the address."""
        if all(self._page.query.get(name, "") == value for name, value in changes.items()):
            return
        self._page.go(**changes)
        query = self._page.query
        self._search.set_value(query.get("q", ""))
        self._phone.set_value(query.get("phone", ""))
        self._code.set_value(query.get("code", ""))
        self._range.show(self._range_key())
        await self._list()

    async def _list(self) -> None:
        groups = await self._find_groups()
        self._groups.show(groups, self._page.query.get("group", ""))
        self._remember_titles()
        self._offer_codes({group.error_code: group.title for group in groups})
        self._show_chips()
        await self._table.show()

    async def _refresh(self) -> None:
        page = self._page
        await self._table.refresh()  # first, because it asks for this person alone
        figures, counts = await page.pulse.shared(("letters", page.actor.workspace_id), self._look)
        self._show(figures, counts)
        self._groups.show(await self._find_groups(), page.query.get("group", ""), in_place=True)
        self._remember_titles()
        await self._drawer.refresh()

    def _look(self) -> tuple[LetterFigures, dict[LetterState, int]]:
        with self._page.runtime.unit(self._page.identity) as unit:
            return letter_figures(unit), counts_by_state(unit)

    def _show(self, figures: LetterFigures, counts: dict[LetterState, int]) -> None:
        self._figures.show(figures)
        self._tabs.count(**{state.value: short_number(count) for state, count in counts.items()})

    def _show_chips(self) -> None:
        query = self._page.query
        shown = {
            "group": self._titles.get(query.get("group", ""), "One error"),
            "code": self._codes.get(query.get("code", ""), ""),
            "phone": self._phone_name(query.get("phone", "")),
            "range": f"Last {RANGES.get(query.get('range', ''), '')}",
            "q": f"“{query.get('q', '')}”",
        }
        self._chips.show(
            {shown[name]: partial(self._narrow, **{name: ""}) for name in FILTERS if query.get(name)}
        )

    async def _find_groups(self) -> list[LetterGroup]:
        wanted = self._wanted(group=False)
        try:
            return await self._page.read(lambda unit: letter_groups(unit, wanted, with_hours=False))
        except Forbidden as refusal:
            if not _is_about_numbers(refusal):
                raise
            return []

    async def _load(self, cursor: str | None) -> Rows:
        wanted = self._wanted()

        def query(unit: Unit) -> tuple[LetterPage, int]:
            return list_letters(unit, wanted, cursor=cursor), count_letters(unit, wanted)

        try:
            found, total = await self._page.read(query)
        except Forbidden as refusal:
            if not _is_about_numbers(refusal):
                raise
            self._table.explain_nothing("Not searched by number", refusal.sentence)
            return Rows(())
        is_narrowed = any(self._page.query.get(name) for name in FILTERS)
        self._table.explain_nothing(
            *(
                ("No dead letters match", "Try another error, phone or time range, or clear the filters.")
                if is_narrowed
                else NOTHING[self._state()]
            )
        )
        return Rows([self._row(row) for row in found.items], found.next_cursor, total)

    def _row(self, row: LetterRow) -> TableRow:
        klass = ERROR[row.klass][0]
        return TableRow(
            row.id,
            f"dead letter to {row.to_pretty}",
            (
                text_cell(row.to_pretty, self._phone_name(row.phone_number_id)),
                code_cell(code_word(row.error_code), row.title, klass),
                text_cell(row.template_name or "Text", title=row.template_name or ""),
                dots_cell(row.attempts, self._tries),
                when_cell(self._page, row.dead_at),
            ),
        )

    def _wanted(self, *, group: bool = True) -> LetterFilter:
        query = self._page.query
        return LetterFilter(
            state=self._state(),
            fingerprint=query.get("group") if group else None,
            error_code=query.get("code"),
            phone_number_id=query.get("phone"),
            last_hours=HOURS.get(query.get("range", "")),
            q=query.get("q"),
        )

    def _state(self) -> LetterState:
        wanted = self._page.query.get("state", "")
        return LetterState(wanted) if wanted in list(LetterState) else LetterState.OPEN

    def _range_key(self) -> str:
        wanted = self._page.query.get("range", "")
        return wanted if wanted in HOURS else "all"

    def _phone_name(self, phone_number_id: str) -> str:
        phone = self._phones.get(phone_number_id)
        return phone.verified_name if phone else phone_number_id

    def _remember_titles(self) -> None:
        self._titles |= self._groups.titles

    def _offer_codes(self, titles: dict[str, str]) -> None:
        """Closed letters may have codes that no open one has."""
        found = {code: _named(code, title) for code, title in titles.items() if code not in self._codes}
        if found:
            self._codes |= found
            self._code.set_options({"": "All codes", **self._codes})


def _first_look(unit: Unit) -> tuple[LetterFigures, dict[LetterState, int], list[PhoneChoice]]:
    return letter_figures(unit), counts_by_state(unit), phone_choices(unit)


def _named(code: str, title: str) -> str:
    return f"{code_word(code)} · {title}"


def _is_about_numbers(refusal: Forbidden) -> bool:
    facts: dict[str, Any] = refusal.facts
    return facts.get("permission") == "contacts.reveal"
