"""What is held, why, since when, until when and what it keeps waiting; and letting it go."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from core import access
from core.lanes import commands
from core.lanes.queries import Held, held
from core.unit import Unit
from data.enums import HoldScope
from ui.format import plural
from ui.page import PageContext
from ui.pages.queue_words import going, hold_words
from ui.parts.button import button
from ui.parts.card import card, card_title
from ui.parts.confirm import confirm
from ui.parts.text import box, text


class Holds:
    """Hidden while nothing is held. ``changed()`` is awaited after a release. A row stays the same while its
    hold does: ages and counts change under the pointer, the button does not."""

    def __init__(self, page: PageContext, *, changed: Callable[[], Any]) -> None:
        self._page = page
        self._changed = changed
        self._rows: dict[Hashable, _Row] = {}
        with card("holds", label="What is held") as self._card:
            card_title("What is held")
            self._list = box("", tag="ul", label="Holds")
        self._card.set_visibility(False)

    async def refresh(self) -> None:
        found = {_key(one): one for one in await self._page.read(held)}
        self._card.set_visibility(bool(found))
        for gone in self._rows.keys() - found.keys():
            self._rows.pop(gone).element.delete()
        for place, (key, one) in enumerate(found.items()):
            if key not in self._rows:
                with self._list:
                    self._rows[key] = _Row(self._page, one, changed=self._changed)
                self._rows[key].element.move(target_index=place)
            self._rows[key].show(one)


def _key(one: Held) -> Hashable:
    return one.hold.scope, one.hold.subject, one.hold.cause, one.hold.held_at


class _Row:
    def __init__(self, page: PageContext, one: Held, *, changed: Callable[[], Any]) -> None:
        self._page = page
        self._one = one
        self._changed = changed
        with box("held", tag="li") as self.element:
            with box("name"):
                text(one.name, tag="b")
                self._note = text("", "note")
            self._waits = text("", "num")
            if self._may_release():
                made = button("Release", self._release, icon="play", small=True)
                made.props["aria-label"] = f"Release {one.name}"

    def show(self, one: Held) -> None:
        self._one = one
        words = hold_words(self._page, one.hold)
        self._note.set_text(words[0].upper() + words[1:])
        self._waits.set_text(f"{plural(one.waits, 'message')} wait" + ("s" if one.waits == 1 else ""))

    def _may_release(self) -> bool:
        if self._one.hold.scope is HoldScope.EVERYTHING:
            return self._page.can(access.PLATFORM_ADMIN)
        return self._page.can("queues.pause")

    async def _release(self) -> None:
        one = self._one
        if not await confirm(f"Release {one.name}?", going(one.waits), yes="Release"):
            return
        scope, subject = one.hold.scope, one.hold.subject
        release: dict[HoldScope, Callable[[Unit], None]] = {
            HoldScope.LANE: partial(commands.resume, phone_number_id=subject),
            HoldScope.TEMPLATE: partial(commands.resume, template_id=subject),
            HoldScope.WORKSPACE: commands.resume,
            HoldScope.EVERYTHING: commands.resume_everything,
        }
        await self._page.write(release[scope], done=f"{one.name} is released. {going(one.waits)}")
        await self._changed()
