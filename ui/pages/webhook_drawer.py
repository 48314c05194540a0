"""One delivery in full: what it said, what could not be applied and why, its raw body."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from core.inbox import commands
from core.inbox.detail import DeliveryView, delivery
from core.inbox.queries import DeliveryRow
from ui.format import number, plural
from ui.page import PageContext
from ui.pages.webhook_words import DELIVERY, FIELDS, size_words
from ui.parts.badge import badge
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.drawer import Drawer, section
from ui.parts.facts import Value, facts
from ui.parts.json_view import json_view
from ui.parts.table import Table
from ui.parts.text import box, text

FAILURES_SHOWN = 50


class DeliveryDrawer:
    """``changed()`` is awaited after a replay, to bring the list up to date."""

    def __init__(
        self,
        page: PageContext,
        table: Table,
        phones: Mapping[str, str],
        *,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._page = page
        self._phones = phones
        self._changed = changed
        self._shown: DeliveryRow | None = None
        self._drawer = Drawer(
            page,
            self._fill,
            label="Webhook",
            step=lambda direction: table.step(self._drawer.open_id, direction),
            on_change=table.mark_open,
        )

    async def open(self, delivery_id: str) -> None:
        await self._drawer.open(delivery_id)

    async def restore(self) -> None:
        await self._drawer.restore()

    async def refresh(self) -> None:
        """What is open is drawn anew when it has changed."""
        delivery_id = self._drawer.open_id
        if delivery_id and self._shown != (await self._look_up(delivery_id)).row:
            await self._drawer.redraw()

    async def _look_up(self, delivery_id: str) -> DeliveryView:
        return await self._page.read(lambda unit: delivery(unit, delivery_id))

    async def _fill(self, delivery_id: str) -> None:
        view = await self._look_up(delivery_id)
        row = self._shown = view.row
        with self._drawer.head("Webhook", self._phones.get(row.phone_number_id or "", "")):
            pass
        with self._drawer.body():
            with box("badges"):
                badge(DELIVERY[row.state])
            with section("Delivery"):
                facts(self._page, self._facts(view), mono=["Id", "SHA-256"])
            self._draw_said(view)
            self._draw_failures(view)
            if view.body is None:
                callout(
                    "The raw body is gone",
                    "Somebody whom it named was erased, and with them the whole text of every webhook that "
                    "named them, whatever else it told. What it said was applied.",
                    tone="grey",
                )
            else:
                json_view(view.body, title="Body")
        with self._drawer.foot():
            if row.can_replay:
                button("Replay", partial(self._replay, row.id), icon="rotate-cw", kind="pri")

    def _facts(self, view: DeliveryView) -> list[tuple[str, Value]]:
        row = view.row
        lines: list[tuple[str, Value]] = [
            ("Received", row.received_at),
            ("Applied", row.applied_at),
            ("Times applied", number(row.attempts) if row.attempts > 1 else None),
            ("Phone", self._phones.get(row.phone_number_id or "", row.phone_number_id)),
            ("Size", size_words(row.size)),
            ("Id", row.id),
            ("SHA-256", view.sha256),
        ]
        return [(name, value) for name, value in lines if value is not None]

    def _draw_said(self, view: DeliveryView) -> None:
        if view.said:
            lines = [(FIELDS.get(kind, kind), number(count)) for kind, count in sorted(view.said.items())]
            with section("What it said"):
                facts(self._page, lines)

    def _draw_failures(self, view: DeliveryView) -> None:
        if not view.failures:
            return
        with section(f"Not applied: {plural(len(view.failures), 'update')}"), box("failures", tag="ul"):
            for failure in view.failures[:FAILURES_SHOWN]:
                with box(tag="li"):
                    text(failure.reason, "reason", tag="p")
                    text(failure.path or "the whole body", "mono", tag="p")
            if len(view.failures) > FAILURES_SHOWN:
                text(f"and {number(len(view.failures) - FAILURES_SHOWN)} more", "quiet", tag="li")

    async def _replay(self, delivery_id: str) -> None:
        done = "It is applied again. What was applied before stays as it is."
        if await self._page.write(lambda unit: commands.replay(unit, delivery_id), done=done):
            await self._drawer.redraw()
            await self._changed()
