"""One card for each phone of the queue: what waits there, how fast it goes, and what holds it."""

from collections.abc import Callable, Sequence
from typing import Any

from core.lanes import commands
from core.messaging.queries import LaneStatus, QueueStatus
from data.enums import HoldCause
from ui.format import number, plural, relative
from ui.page import PageContext
from ui.pages.pausing import ask_pause
from ui.pages.queue_words import going, hold_words, lane_word, soon
from ui.parts.button import button, link_button
from ui.parts.confirm import confirm
from ui.parts.gauge import Gauge
from ui.parts.text import Text, box, text

AT_FIRST = 8
# Fewer go without a question: pausing again undoes it.
ASK_FROM = 11


class Lanes:
    """``changed()`` is awaited after a pause or resume, ``chosen(id)`` when someone wants to see a phone's
    messages. The order is made once, held and busy ones first, so that no card moves later."""

    def __init__(
        self, page: PageContext, *, changed: Callable[[], Any], chosen: Callable[[str], Any]
    ) -> None:
        self._page = page
        self._changed = changed
        self._chosen = chosen
        self._cards: dict[str, _Card] = {}
        self._order: list[str] = []
        self._shows_all = False
        self._grid = box("lanes", tag="ul", label="Phones")
        with box("rowline") as self._more:
            self._more_button = link_button("", self._show_all)

    def show(self, status: QueueStatus) -> None:
        lanes = {lane.phone_number_id: lane for lane in status.lanes}
        if set(self._order) != set(lanes):
            self._order = [lane.phone_number_id for lane in _busiest_first(status.lanes)]
            self._draw(status)
        for phone_number_id, card in self._cards.items():
            card.show(lanes[phone_number_id], status)

    def _draw(self, status: QueueStatus) -> None:
        lanes = {lane.phone_number_id: lane for lane in status.lanes}
        self._grid.clear()
        shown = self._order if self._shows_all else self._order[:AT_FIRST]
        with self._grid:
            self._cards = {
                each: _Card(self._page, lanes[each], changed=self._changed, chosen=self._chosen)
                for each in shown
            }
        self._more.set_visibility(len(shown) < len(self._order))
        if isinstance(self._more_button, Text):
            self._more_button.set_text(f"Show all {number(len(self._order))} phones")
        self._status = status

    def _show_all(self) -> None:
        self._shows_all = True
        self._draw(self._status)
        self.show(self._status)


class _Card:
    def __init__(
        self,
        page: PageContext,
        lane: LaneStatus,
        *,
        changed: Callable[[], Any],
        chosen: Callable[[str], Any],
    ) -> None:
        self._page = page
        self._lane = lane
        self._changed = changed
        with box("card lane", tag="li"):
            with box("lanehead"):
                with box("name"):
                    name = link_button(lane.verified_name, lambda: chosen(lane.phone_number_id))
                    name.props["title"] = f"{lane.verified_name}: show its messages"
                    text(lane.display_number, "num")
                self._word = text("", "badge")
            with box("counts", tag="dl"):
                self._ready = _count("Ready")
                self._in_flight = _count("In flight")
                self._delayed = _count("Delayed")
            self._gauge = Gauge("Pace", "Pace in messages a second")
            with box("lanefoot"):
                self._note = text("", "note")
                if page.can("queues.pause"):
                    self._pause = button("Pause", self._do_pause, icon="pause", small=True)
                    self._resume = button("Resume", self._do_resume, icon="play", small=True)
                    self._pause.props["aria-label"] = f"Pause {lane.verified_name}"
                    self._resume.props["aria-label"] = f"Resume {lane.verified_name}"

    def show(self, lane: LaneStatus, status: QueueStatus) -> None:
        self._lane = lane
        word, tone = lane_word(lane, status.pause)
        self._word.set_text(word)
        self._word.classes(replace=f"badge {tone}")
        self._ready.set_text(number(lane.ready))
        self._in_flight.set_text(number(lane.in_flight))
        self._delayed.set_text(number(lane.delayed))
        pace, limit = lane.limit_per_second - lane.remaining, lane.limit_per_second
        self._gauge.show(pace, limit, f"{number(pace)} of {number(limit)} a second")
        note = self._words(lane)
        self._note.set_text(note)
        self._note.props["title"] = note
        if self._page.can("queues.pause"):
            self._pause.set_visibility(lane.hold is None)
            self._resume.set_visibility(lane.hold is not None)

    def _words(self, lane: LaneStatus) -> str:
        now = self._page.now()
        if lane.hold is not None:
            words = hold_words(self._page, lane.hold)
            return words[0].upper() + words[1:]
        if lane.oldest_ready_at is not None:
            return f"Oldest due {relative(lane.oldest_ready_at, now)}"
        if lane.next_due_at is not None:
            return f"Next {soon(lane.next_due_at, now)}"
        return "Nothing waits"

    async def _do_pause(self) -> None:
        lane = self._lane
        asked = await ask_pause(
            f"Pause {lane.verified_name}?",
            "Nothing goes out from this phone meanwhile. What is on the wire finishes; waiting uses up no "
            "retry.",
            facts=[("Waits now", plural(lane.waiting, "message"))],
            yes="Pause phone",
        )
        if asked is None:
            return
        await self._page.write(
            lambda unit: commands.pause(
                unit,
                phone_number_id=lane.phone_number_id,
                reason=asked.reason,
                until=commands.ends_in(unit, asked.minutes),
            ),
            done=f"{lane.verified_name} is paused",
        )
        await self._changed()

    async def _do_resume(self) -> None:
        lane = self._lane
        if lane.waiting >= ASK_FROM and not await confirm(
            f"Resume {lane.verified_name}?",
            _consequence(lane),
            yes=f"Resume, {number(lane.waiting)} go",
        ):
            return
        await self._page.write(
            lambda unit: commands.resume(unit, phone_number_id=lane.phone_number_id),
            done=f"{lane.verified_name} is resumed. {going(lane.waiting)}",
        )
        await self._changed()


def _consequence(lane: LaneStatus) -> str:
    pace = f"{going(lane.waiting)} At most {number(lane.limit_per_second)} a second."
    if lane.hold is None or lane.hold.cause is HoldCause.PERSON:
        return pace
    return f"{pace} It was held for a cause: {lane.hold.reason} If that is still so, it is held again."


def _busiest_first(lanes: Sequence[LaneStatus]) -> list[LaneStatus]:
    return sorted(lanes, key=lambda lane: (lane.hold is None, -lane.waiting, lane.verified_name))


def _count(name: str) -> Text:
    with box():
        text(name, tag="dt")
        return text("", "num", tag="dd")
