"""Whom the workspace writes with: a list, newest activity first; each contact has a page."""

from collections.abc import Awaitable, Callable
from functools import partial

from core.contacts.lists import ContactFilter, ContactPage, ContactRow, list_contacts
from core.errors import Forbidden
from data.enums import SuppressionKind
from ui.page import PageContext
from ui.parts.badge import Word
from ui.parts.card import card, heading
from ui.parts.filters import Chips, Segment, filter_bar, search_field
from ui.parts.table import Cell, Column, Rows, Table, TableRow, badge_cell, text_cell, when_cell

COLUMNS = (
    Column("person", "Person", card="title"),
    Column("number", "Number", width="22%"),
    Column("window", "Service window", card="foot", width="190px"),
    Column("opted", "Opt-out", card="foot", width="150px"),
    Column("active", "Last activity", card="aside", width="136px", right=True),
)
SHOWN = {"": "All", "opted-out": "Opted out"}
OPTED_OUT: dict[SuppressionKind, Word] = {
    SuppressionKind.ALL: ("No messages", "red"),
    SuppressionKind.MARKETING: ("No marketing", "amber"),
}
NO_NAME = "No name"
NOTHING_YET = ("No contacts yet", "Whoever is sent a message, or writes one, appears here.")
NO_MATCH = (
    "No contact matches",
    "Names are found by the beginnings of their words, numbers by their beginning with the country code.",
)


async def build(page: PageContext) -> None:
    await _Contacts(page).build()


class _Contacts:
    def __init__(self, page: PageContext) -> None:
        self._page = page

    async def build(self) -> None:
        page = self._page
        page.live(self._refresh)
        with heading(page, "Everyone the workspace writes with, newest activity first."):
            pass
        with card("tablecard contacts", label="Contacts"):
            with filter_bar():
                by_number = page.can("contacts.reveal")
                self._search = search_field(
                    "Search contacts",
                    page.query.get("q", ""),
                    self._on("q"),
                    placeholder="Name or number" if by_number else "Name",
                )
                self._shown = Segment("Contacts", SHOWN, page.query.get("show", ""), self._on("show"))
            self._chips = Chips(self._clear)
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Contacts",
                one="contact",
                on_open=lambda contact_id: page.leave(f"/contacts/{contact_id}"),
                nothing=NOTHING_YET,
                nothing_icon="users",
            )
        await self._show()

    def _on(self, name: str) -> Callable[[str], Awaitable[None]]:
        async def narrow(value: str) -> None:
            if self._page.query.get(name, "") != value:
                self._page.go(**{name: value})
                await self._show()

        return narrow

    async def _drop(self, *names: str) -> None:
        self._page.go(**dict.fromkeys(names))
        if "q" in names:
            self._search.value = ""
        if "show" in names:
            self._shown.show("")
        await self._show()

    async def _clear(self) -> None:
        await self._drop("q", "show")

    async def _show(self) -> None:
        query = self._page.query
        chips: dict[str, Callable[[], Awaitable[None]]] = {}
        if query.get("q"):
            chips[f"“{query['q']}”"] = partial(self._drop, "q")
        if query.get("show") in SHOWN:
            chips[SHOWN[query["show"]]] = partial(self._drop, "show")
        self._chips.show(chips)
        self._table.explain_nothing(*(NO_MATCH if chips else NOTHING_YET))
        await self._table.show()

    async def _load(self, cursor: str | None) -> Rows:
        asked = self._page.query.get
        wanted = ContactFilter(q=asked("q"), opted_out=asked("show") == "opted-out")
        try:
            found = await self._page.read(lambda unit: list_contacts(unit, wanted, cursor=cursor))
        except Forbidden as refusal:  # a number is searched for by someone who may not see numbers
            self._table.explain_nothing("Not for your role", refusal.sentence)
            found = ContactPage([], None)
        return Rows([self._row(row) for row in found.items], found.next_cursor)

    async def _refresh(self) -> None:
        await self._table.refresh()

    def _row(self, row: ContactRow) -> TableRow:
        name = row.name or row.number_pretty or NO_NAME
        return TableRow(
            row.id,
            f"contact {name}",
            (
                text_cell(row.name or NO_NAME),
                text_cell(row.number_pretty or "No number", row.business_user_id or ""),
                self._window(row),
                self._opted_out(row),
                when_cell(self._page, row.last_activity_at),
            ),
        )

    def _window(self, row: ContactRow) -> Cell:
        if row.window_ends_at is None:
            return text_cell("", "Never wrote")
        if row.window_ends_at <= self._page.now():
            return badge_cell(("Closed", "grey"))
        return badge_cell(("Open", "green"), "closes", at=row.window_ends_at)

    def _opted_out(self, row: ContactRow) -> Cell:
        for kind, word in OPTED_OUT.items():
            if kind in row.suppressed:
                return badge_cell(word)
        return text_cell("")
