"""The queue: what is on its way to Meta and what waits, by phone and message by message."""

from core.messaging.queries import QueueStatus, queue_status
from core.messaging.waiting import WaitingFilter, Waits, waiting_messages
from ui.format import duration, number
from ui.page import PageContext
from ui.pages.queue_holds import Holds
from ui.pages.queue_lanes import Lanes
from ui.pages.queue_pause import Pausing
from ui.pages.queue_words import NOTHING, TABS, columns, queue_words, soon, table_row, worker_words
from ui.parts.card import card, heading
from ui.parts.filters import Chips, Segment
from ui.parts.icon import icon
from ui.parts.stat import Stat, stats
from ui.parts.still import Still
from ui.parts.table import Rows, Table
from ui.parts.text import box, text

TONES = {"tone-green", "tone-amber"}


async def build(page: PageContext) -> None:
    queue = _Queue(page, await page.read(queue_status))
    await queue.build()


class _Queue:
    def __init__(self, page: PageContext, status: QueueStatus) -> None:
        self._page = page
        self._status = status
        self._has_phones = len(status.lanes) > 1
        self._show_only = page.query.get("show", "") if page.query.get("show", "") in TABS else ""

    async def build(self) -> None:
        with heading(self._page, "What is on its way to Meta, and what waits."):
            self._pausing = Pausing(self._page, changed=self._look_again)
        self._draw_state()
        with stats().classes("six"):
            self._draw_stats()
        self._holds = Holds(self._page, changed=self._look_again)
        self._lanes = Lanes(self._page, changed=self._look_again, chosen=self._choose_phone)
        self._draw_list()
        self._show(self._status)
        self._show_chips()
        self._explain_nothing()
        await self._holds.refresh()
        await self._table.show()
        self._page.live(self._refresh)
        if self._page.can("queues.pause"):
            self._page.command("Pause or resume the queue", self._pausing.either, icon="pause", key="p")

    def _draw_state(self) -> None:
        with box("callout red") as self._banner:
            icon("circle-alert")
            with box("words"):
                self._unseen = text("", tag="b")
                self._unseen_detail = text("", "happened", tag="p")
        with box("card wellness") as self._wellness:
            box("dot")
            self._sentence = text("", tag="b")
            self._detail = text("")
        # Read aloud when they change: not the counts beside them, which always do.
        self._unseen.props["role"] = "alert"
        self._sentence.props["role"] = "status"

    def _draw_stats(self) -> None:
        self._ready = Stat("Ready", tone="blue", target="/queue?show=ready")
        self._in_flight = Stat("In flight", tone="brand", target="/queue?show=in_flight")
        self._delayed = Stat("Waiting for a retry", tone="amber", target="/queue?show=delayed")
        self._held = Stat("Held", tone="amber", target="/queue?show=held")
        self._unknown = Stat("Unknown", tone="amber", target="/queue?show=unknown")
        self._dead = Stat("Dead", tone="red", target="/dead-letters")

    def _draw_list(self) -> None:
        with card("tablecard waiting", label="What waits") as around:
            self._tabs = Segment("Show", TABS, self._show_only, self._choose_show, tabs=True)
            self._chips = Chips(self._forget_phone)
            self._table = Table(
                self._page,
                columns(with_phone=self._has_phones),
                self._load,
                label="Messages in the queue",
                one="message",
                on_open=lambda message_id: self._page.leave(f"/messages/{message_id}"),
                nothing=NOTHING[""],
                nothing_icon="circle-check",
            )
        Still(self._table, around)

    async def _load(self, cursor: str | None) -> Rows:
        show = Waits(self._show_only) if self._show_only else None
        wanted = WaitingFilter(show, self._page.query.get("phone"))
        found = await self._page.read(lambda unit: waiting_messages(unit, wanted, cursor=cursor))
        return Rows(
            [table_row(self._page, row, self._status, with_phone=self._has_phones) for row in found.items],
            found.next_cursor,
        )

    async def _refresh(self) -> None:
        page = self._page
        key = ("queue", page.actor.workspace_id, page.actor.permissions)
        self._show(await page.pulse.shared(key, self._read_status))
        await self._holds.refresh()
        await self._table.refresh()

    def _read_status(self) -> QueueStatus:
        with self._page.runtime.unit(self._page.identity) as unit:
            return queue_status(unit)

    async def _look_again(self) -> None:
        """After something that was done here."""
        self._show(await self._page.read(queue_status))
        await self._holds.refresh()
        await self._table.refresh()

    def _show(self, status: QueueStatus) -> None:
        self._status = status
        self._show_state(status)
        self._show_figures(status)
        self._lanes.show(status)
        waiting = {show.value: getattr(status, show.value) for show in Waits}
        shown = {key: number(count) for key, count in waiting.items()}
        self._tabs.count(**shown, **{"": number(sum(waiting.values()))})

    def _show_state(self, status: QueueStatus) -> None:
        self._banner.set_visibility(status.worker == "stopped")
        self._wellness.set_visibility(status.state != "stopped")
        unseen, detail = worker_words(self._page, status)
        self._unseen.set_text(unseen)
        self._unseen_detail.set_text(detail)
        tone, sentence, detail = queue_words(self._page, status)
        self._wellness.classes(add=f"tone-{tone}", remove=" ".join(TONES - {f"tone-{tone}"}))
        self._sentence.set_text(f"{sentence}.")
        self._detail.set_text(detail)
        self._pausing.show(status)

    def _show_figures(self, status: QueueStatus) -> None:
        now = self._page.now()
        age = f"oldest waits {duration(status.oldest_ready_s)}" if status.ready else "nothing is due"
        self._ready.show(number(status.ready), age)
        self._in_flight.show(
            number(status.in_flight), "being sent now" if status.in_flight else "nothing on the wire"
        )
        due_at = status.next_due_at
        self._delayed.show(number(status.delayed), f"next {soon(due_at, now)}" if due_at else "nothing waits")
        self._held.show(number(status.held), "by a pause or a stop" if status.held else "nothing held")
        self._unknown.show(number(status.unknown), "wait for a person" if status.unknown else "none")
        self._dead.show(number(status.dead), "letters to look at" if status.dead else "no letters")

    async def _choose_show(self, show: str) -> None:
        self._show_only = show
        self._page.go(show=show)
        await self._narrowed()

    async def _choose_phone(self, phone_number_id: str) -> None:
        self._page.go(phone=phone_number_id)
        self._show_chips()
        await self._narrowed()

    async def _forget_phone(self) -> None:
        self._page.go(phone=None)
        self._show_chips()
        await self._narrowed()

    async def _narrowed(self) -> None:
        self._explain_nothing()
        await self._table.show()

    def _show_chips(self) -> None:
        phone = self._page.query.get("phone")
        names = {lane.phone_number_id: lane.verified_name for lane in self._status.lanes}
        self._chips.show({f"From {names.get(phone, phone)}": self._forget_phone} if phone else {})

    def _explain_nothing(self) -> None:
        title, about = NOTHING[self._show_only]
        if self._page.query.get("phone"):
            title, about = (
                "Nothing of this phone is here",
                "Other phones may have something: clear the filter.",
            )
        self._table.explain_nothing(title, about)
