"""Conversations, newest first: what is billed. Filters in the address; each has a page."""

from collections.abc import Awaitable, Callable
from functools import partial

from core.billing.charges import ChargedFilter, ChargedPage, ChargedRow, count_charged, list_charged
from core.billing.comparison import months
from core.billing.periods import Period
from core.conversations.commands import bring_up_to_date
from core.conversations.queries import ConversationStatus
from core.errors import Forbidden
from core.phones.queries import PhoneChoice, choices
from core.unit import Unit
from data.enums import OpenedBy
from ui.act import ask
from ui.format import day_name, month_name
from ui.page import PageContext
from ui.pages.conversation_words import CHARGES, OPENERS, STATUS, asked_for, charge_cell, who
from ui.parts.card import card, heading
from ui.parts.filters import Chips, filter_bar, search_field, select_field
from ui.parts.table import Column, Rows, Table, TableRow, badge_cell, text_cell, when_cell

PERSON = Column("person", "Person", card="title")
NUMBER = Column("number", "Our number", width="20%", card="hidden")
OPENED_BY = Column("by", "Opened by", width="136px", card="foot")
MESSAGES = Column("messages", "Messages", width="108px", card="foot")
CHARGE = Column("charge", "Cost", width="150px", card="foot")
STATE = Column("status", "Status", width="150px", card="foot")
OPENED = Column("opened", "Opened", width="136px", card="aside", right=True)
FILTERS = ("contact", "status", "phone", "by", "charge", "month", "day")
NOTHING_YET = (
    "No conversations yet",
    "One opens with the first message that a customer or you send, and runs for 24 hours.",
)
NO_MATCH = ("No conversation matches", "Take a filter away, or choose another month.")
STATUSES = {"": "Active and closed"} | {status.value: STATUS[status][0] for status in ConversationStatus}


async def build(page: PageContext) -> None:
    await _Conversations(page).build()


class _Conversations:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._sees_cost = page.can("billing.view")
        self._phones: dict[str, PhoneChoice] = {}
        self._months: dict[str, str] = {}

    async def build(self) -> None:
        page = self._page
        workspace_id = page.actor.workspace_id
        if workspace_id is not None:
            await ask(lambda: bring_up_to_date(page.runtime, workspace_id))
        phones, known = await page.read(_known)
        self._phones = {phone.phone_number_id: phone for phone in phones}
        self._months = {each.name: month_name(each.first_day) for each in known}
        page.live(self._refresh)
        with heading(page, "What is billed: 24 hours from the first message that either side sends."):
            pass
        with card("tablecard conversations", label="Conversations"):
            self._draw_filters()
            self._chips = Chips(self._clear)
            self._table = Table(
                page,
                self._columns(),
                self._load,
                label="Conversations",
                one="conversation",
                on_open=lambda row_id: page.leave(f"/conversations/{row_id}"),
                nothing=NOTHING_YET,
                nothing_icon="messages-square",
            )
        await self._show()

    def _columns(self) -> list[Column]:
        cost = [CHARGE] if self._sees_cost else []
        return [PERSON, NUMBER, OPENED_BY, MESSAGES, *cost, STATE, OPENED]

    # ---- what narrows the list ----

    def _draw_filters(self) -> None:
        asked = self._page.query.get
        with filter_bar():
            self._search = (
                search_field(
                    "Search by number",
                    asked("contact", ""),
                    self._on("contact"),
                    placeholder="Whole number, +49 …",
                )
                if self._page.can("contacts.reveal")
                else None
            )
            self._picks = {
                name: select_field(label, options, asked(name, ""), self._on(name))
                for name, label, options in self._choices()
            }

    def _choices(self) -> list[tuple[str, str, dict[str, str]]]:
        """(name in the address, label, value → what is shown) of each choice."""
        names = {key: phone.verified_name or phone.display_number for key, phone in self._phones.items()}
        found = [
            ("month", "Month", {"": "All months"} | self._months),
            ("status", "Status", STATUSES),
            ("by", "Opened by", {"": "Any opener"} | {each.value: OPENERS[each] for each in OpenedBy}),
        ]
        if len(names) > 1 or "phone" in self._page.query:
            found.append(("phone", "Our number", {"": "All numbers"} | names))
        if self._sees_cost:
            charges = {each.value: word for each, (word, _) in CHARGES.items()}
            found.append(("charge", "Cost", {"": "Any cost"} | charges))
        return found

    def _on(self, name: str) -> Callable[[str], Awaitable[None]]:
        async def narrow(value: str) -> None:
            if self._page.query.get(name, "") != value:
                self._page.go(**{name: value})
                await self._show()

        return narrow

    async def _drop(self, *names: str) -> None:
        """Those filters are gone; from the address first, so that their controls change nothing more."""
        self._page.go(**dict.fromkeys(names))
        for name in names:
            if name in self._picks:
                self._picks[name].value = ""
        if "contact" in names and self._search is not None:
            self._search.value = ""
        await self._show()

    async def _clear(self) -> None:
        await self._drop(*FILTERS)

    def _show_chips(self) -> bool:
        """Whether anything narrows the list."""
        query, day = self._page.query, asked_for(self._page.query).day
        chips: dict[str, Callable[[], Awaitable[None]]] = {}
        if query.get("contact"):
            is_id = query["contact"].startswith("con_")
            chips["One person" if is_id else f"“{query['contact']}”"] = partial(self._drop, "contact")
        for name, _, options in self._choices():
            if query.get(name) in options:
                chips[options[query[name]]] = partial(self._drop, name)
        if day is not None:
            chips[f"Opened on {day_name(day)} {day.year}"] = partial(self._drop, "day")
        self._chips.show(chips)
        return bool(chips)

    # ---- the list ----

    async def _show(self) -> None:
        self._table.explain_nothing(*(NO_MATCH if self._show_chips() else NOTHING_YET))
        await self._table.show()

    async def _load(self, cursor: str | None) -> Rows:
        return await self._look(
            lambda unit, wanted: (list_charged(unit, wanted, cursor=cursor), count_charged(unit, wanted))
        )

    async def _load_again(self, cursor: str | None) -> Rows:
        """Counted is when the list is shown, not each time something happens meanwhile."""
        total = self._table.total
        return await self._look(lambda unit, wanted: (list_charged(unit, wanted, cursor=cursor), total))

    async def _look(self, query: Callable[[Unit, ChargedFilter], tuple[ChargedPage, int | None]]) -> Rows:
        wanted = asked_for(self._page.query)
        try:
            found, total = await self._page.read(lambda unit: query(unit, wanted))
        except Forbidden as refusal:  # a number, or a cost, is asked for by someone who may not see it
            self._table.explain_nothing("Not for your role", refusal.sentence)
            found, total = ChargedPage([], None), None
        return Rows([self._row(row) for row in found.items], found.next_cursor, total)

    async def _refresh(self) -> None:
        await self._table.refresh(self._load_again)

    def _row(self, found: ChargedRow) -> TableRow:
        row = found.row
        phone = self._phones.get(row.phone_number_id)
        name, number = who(row)
        state = (
            badge_cell(STATUS[row.status], "closes", at=row.closes_at)
            if row.status is ConversationStatus.ACTIVE
            else badge_cell(STATUS[row.status])
        )
        cells = [
            text_cell(name, number),
            text_cell(phone.verified_name, phone.display_number) if phone else text_cell(row.phone_number_id),
            text_cell(OPENERS[row.opened_by]),
            text_cell(f"{row.messages_in} in, {row.messages_out} out"),
            *([charge_cell(found)] if self._sees_cost else []),
            state,
            when_cell(self._page, row.opened_at),
        ]
        return TableRow(row.id, f"conversation with {name}", cells)


def _known(unit: Unit) -> tuple[list[PhoneChoice], list[Period]]:
    return choices(unit), months(unit)
