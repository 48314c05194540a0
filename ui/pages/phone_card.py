"""One number as a card: what Meta says of it, how fast it goes, and what holds it."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from core.messaging.senders import Sender
from ui.format import number, relative
from ui.page import PageContext
from ui.pages.phone_acts import PhoneActs
from ui.pages.phone_words import change_words, lane_badge, lane_note, name_status, quality, status, tier
from ui.parts.button import link
from ui.parts.gauge import Gauge
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.text import Text, box, text


class PhoneCard:
    def __init__(self, page: PageContext, sender: Sender, *, changed: Callable[[], Awaitable[Any]]) -> None:
        self._page = page
        with box("card lane phone", tag="li"):
            with box("lanehead"):
                with box("name"):
                    self._name = link("", f"/phones/{sender.phone_number_id}", classes="link")
                    self._number = text("", "num")
                self._lane = text("", "badge")
            with box("said", tag="dl"):
                with _line("Quality"):
                    self._quality = Region(_draw_quality)
                with _line("Status"):
                    self._status = text("")
                with _line("Messaging limit"):
                    self._limit = text("")
                with _line("Display name"):
                    self._name_status = text("")
                with _line("Messages today"):
                    self._today = text("", "num")
            self._gauge = Gauge("Throughput", "Messages in the last second")
            with box("lanefoot"):
                with box("notes"):
                    self._note = text("", "note")
                    self._synced = text("", "note faint")
                with box("acts"):
                    self._acts = PhoneActs(page, sender, changed=changed, small=True)
        self.show(sender)

    def show(self, sender: Sender) -> None:
        name = sender.verified_name or sender.display_number
        if isinstance(self._name, Text):
            self._name.set_text(name)
        self._name.props["title"] = name
        self._number.set_text(sender.display_number)
        word, tone = lane_badge(sender.lane)
        self._lane.set_text(word)
        self._lane.classes(replace=f"badge {tone}")
        self._quality.show(sender.quality)
        self._status.set_text(status(sender.status)[0])
        self._status.classes(replace=f"ink-{status(sender.status)[1]}")
        self._limit.set_text(tier(sender.messaging_tier))
        self._name_status.set_text(name_status(sender.name_status))
        self._today.set_text(number(sender.messages_today))
        pace = f"{number(sender.pace)} of {number(sender.limit_per_second)} a second"
        self._gauge.show(sender.pace, sender.limit_per_second, pace)
        note = self._words(sender)
        self._note.set_text(note)
        self._note.props["title"] = note
        self._synced.set_text(self._sync_words(sender))
        self._acts.show(sender)

    def _words(self, sender: Sender) -> str:
        if sender.lane.hold is not None:
            return lane_note(self._page, sender.lane)
        change = sender.last_change
        if change is None:
            return "Nothing has changed since it was connected"
        return f"{change_words(change)}, {relative(change.at, self._page.now())}"

    def _sync_words(self, sender: Sender) -> str:
        if sender.sync_error:
            return "The last sync failed; see the number's page"
        return f"Synced {relative(sender.synced_at, self._page.now())}"


@contextmanager
def _line(name: str) -> Iterator[None]:
    with box():
        text(name, tag="dt")
        with box(tag="dd"):
            yield


def _draw_quality(word: str) -> None:
    title, tone, name = quality(word)
    with box(f"mark ink-{tone}", tag="span"):
        icon(name)
        text(title)
