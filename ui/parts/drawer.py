"""One thing in full, at the right of its list; on a phone a sheet over it. It has an address of its own."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import ui

from ui.act import handler
from ui.page import PageContext
from ui.parts.button import icon_button
from ui.parts.text import Text, box, text

Fill = Callable[[str], Awaitable[None]]


class Drawer:
    """``fill(id)`` draws the thing into the drawer, and is called again by ``redraw``; it uses ``head``,
    ``body`` and ``foot``. The open thing's id stands in the address under ``name``.

    ``step(-1 or 1)``, when given, answers the id before or after; then there are previous and next buttons,
    which ``j`` and ``k`` press.
    """

    def __init__(
        self,
        page: PageContext,
        fill: Fill,
        *,
        name: str = "open",
        label: str = "Details",
        step: Callable[[int], str | None] | None = None,
        on_change: Callable[[str], Any] | None = None,
    ) -> None:
        self._page = page
        self._fill = fill
        self._name = name
        self._step = step
        self._on_change = on_change
        self.open_id = ""
        self._turn = asyncio.Lock()
        with page.client.content:
            self._drawer = box("drawer", tag="aside", label=label)
            self._drawer.props["data-drawer"] = True
        self._drawer.on("drawer-close", handler(lambda _: self.close()))

    async def restore(self) -> None:
        """Opens what the address names; to be called at the end of a page's builder."""
        if wanted := self._page.query.get(self._name):
            await self.open(wanted)

    async def open(self, thing_id: str) -> None:
        """The drawer shows that thing; what ``fill`` refuses leaves it as it was. From one to the next is no
        step for Back: it closes."""
        await self._draw(thing_id)
        write = self._page.amend if self.open_id else self._page.go
        self.open_id = thing_id
        write(**{self._name: thing_id})
        self._drawer.classes(add="open")
        self._page.client.run_javascript(f"waypost.drawerOpened({self._drawer.id})")
        self._tell()

    @property
    def is_drawing(self) -> bool:
        return self._turn.locked()

    async def redraw(self) -> None:
        """What is open is drawn anew, when it is open."""
        if self.open_id:
            await self._draw(self.open_id)
            self._page.client.run_javascript(f"waypost.drawerRedrawn({self._drawer.id})")

    def close(self) -> None:
        if not self.open_id:
            return
        closed, self.open_id = self.open_id, ""
        self._page.go(**{self._name: None})
        self._drawer.classes(remove="open")
        self._drawer.clear()
        self._page.client.run_javascript(f"waypost.drawerClosed({json.dumps(closed)})")
        self._tell()

    @contextmanager
    def head(self, title: str, about: str = "") -> Iterator[None]:
        with box("dwhead"):
            with box("tt"):
                text(title, tag="h2")
                text(about, tag="p")
                yield
            if self._step is not None:
                icon_button("chevron-left", "Previous (k)", lambda: self._go(-1)).props("data-drawer-step=-1")
                icon_button("chevron-right", "Next (j)", lambda: self._go(1)).props("data-drawer-step=1")
            icon_button("x", "Close", self.close).props("data-drawer-close")

    def body(self) -> ui.element:
        made = box("dwbody", label="Details", role="group")
        made.props["tabindex"] = "0"
        return made

    def foot(self) -> ui.element:
        """For the actions."""
        return box("dwfoot")

    async def _draw(self, thing_id: str) -> None:
        """``fill`` reads first and draws then, so what was there stays until the new is. One at a time: a
        click and a live refresh together would each leave the other's behind."""
        async with self._turn:
            before = list(self._drawer.default_slot.children)
            with self._drawer:
                await self._fill(thing_id)
            for element in before:
                if not element.is_deleted:
                    element.delete()

    async def _go(self, direction: int) -> None:
        wanted = self._step(direction) if self._step else None
        if wanted:
            await self.open(wanted)

    def _tell(self) -> None:
        if self._on_change is not None:
            self._on_change(self.open_id)


@contextmanager
def section(title: str) -> Iterator[Text]:
    """A part of the drawer's body under a small heading."""
    with box("sect", tag="section"):
        shown = text(title, tag="h3")
        yield shown
