"""The numbers that send: Meta's word on each, how fast it goes now, and what holds it."""

import re

from core.messaging.senders import Sender, UrgentFirst, senders_of, urgent_first
from core.unit import Unit
from ui.format import number, plural
from ui.page import PageContext
from ui.pages.phone_card import PhoneCard
from ui.parts.button import button, link_button
from ui.parts.card import heading
from ui.parts.empty import empty
from ui.parts.filters import filter_bar, search_field
from ui.parts.text import Text, box, text

ABOUT = "What Meta says of each number, how fast it goes now, and what holds it."
AT_FIRST = 24
MORE = 96
AT_MOST = 2_000
SEARCH_FROM = 6


async def build(page: PageContext) -> None:
    phones = _Phones(page)
    found = await page.read(phones.look)
    page.live(phones.refresh)
    with heading(page, ABOUT):
        if page.can("phones.manage") and page.can("tokens.manage"):
            button("Connect numbers", lambda: page.leave("/phones/connect"), icon="plus", kind="pri")
    phones.draw(found)


class _Phones:
    """The order is made once, what needs someone first, so that no card moves later."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._cards: dict[str, PhoneCard] = {}
        self._total = 0

    def look(self, unit: Unit) -> UrgentFirst:
        return urgent_first(unit, q=self._q, limit=self._limit)

    def draw(self, found: UrgentFirst) -> None:
        if found.total >= SEARCH_FROM or self._q:
            with filter_bar() as bar:
                search_field("Find a number", self._q, self._search, placeholder="Name or number")
                self._count: Text | None = text("", "info")
                self._count.props["role"] = "status"
            bar.classes(add="card")
        else:
            self._count = None
        self._grid = box("lanes phones", tag="ul", label="Numbers")
        with box() as self._nothing:
            pass
        with box("rowline") as self._more:
            self._more_button = link_button("", self._show_more)
        self._show(found)

    async def refresh(self) -> None:
        page, shown = self._page, tuple(self._cards)
        key = ("phones", page.actor.workspace_id, page.actor.permissions, self._q, shown)
        total, senders = await page.pulse.shared(key, lambda: self._read_shared(shown))
        if total != self._total or len(senders) != len(shown):
            await self._look_again()
            return
        for sender in senders:
            if sender.phone_number_id in self._cards:
                self._cards[sender.phone_number_id].show(sender)

    async def _look_again(self) -> None:
        self._show(await self._page.read(self.look))

    @property
    def _q(self) -> str:
        return self._page.query.get("q", "")

    @property
    def _limit(self) -> int:
        asked = self._page.query.get("show", "")
        return min(AT_MOST, max(AT_FIRST, int(asked))) if re.fullmatch(r"\d{1,6}", asked) else AT_FIRST

    def _read_shared(self, shown: tuple[str, ...]) -> tuple[int, list[Sender]]:
        with self._page.runtime.unit(self._page.identity) as unit:
            return urgent_first(unit, q=self._q, limit=0).total, senders_of(unit, shown)

    def _show(self, found: UrgentFirst) -> None:
        self._total = found.total
        by_id = {sender.phone_number_id: sender for sender in found.items}
        if self._cards.keys() != by_id.keys() or not by_id:
            self._draw_cards(found.items)
            self._draw_nothing()
        for phone_number_id, card in self._cards.items():
            card.show(by_id[phone_number_id])
        left = min(found.total, AT_MOST) - len(by_id)
        self._more.set_visibility(left > 0)
        if isinstance(self._more_button, Text):
            self._more_button.set_text(f"Show {plural(min(left, MORE), 'more number', 'more numbers')}")
        if self._count is not None:
            of = f"{number(len(by_id))} of " if len(by_id) < found.total else ""
            self._count.set_text(f"{of}{plural(found.total, 'number')}")

    def _draw_cards(self, senders: list[Sender]) -> None:
        self._grid.clear()
        with self._grid:
            self._cards = {
                sender.phone_number_id: PhoneCard(self._page, sender, changed=self._look_again)
                for sender in senders
            }
        self._grid.set_visibility(bool(senders))

    def _draw_nothing(self) -> None:
        self._nothing.clear()
        if self._cards:
            return
        with self._nothing, box("card"):
            if self._q:
                empty("No number fits", "Nothing has this name or number. Clear the search to see all.")
                return
            about = (
                "Connect a WhatsApp Business Account; its numbers appear here, each with a lane of its own."
            )
            with empty("No number is connected yet", about, icon_name="smartphone"):
                if self._page.can("phones.manage") and self._page.can("tokens.manage"):
                    button("Connect numbers", lambda: self._page.leave("/phones/connect"), kind="pri")

    async def _search(self, words: str) -> None:
        self._page.go(q=words)
        await self._look_again()

    async def _show_more(self) -> None:
        self._page.go(show=str(len(self._cards) + MORE))
        await self._look_again()
