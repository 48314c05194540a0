"""What a person may do about one number: pause, resume, read it from Meta now."""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from core.lanes import commands
from core.messaging.senders import Sender
from core.phones.sync import sync_phone
from data.enums import HoldCause
from ui.format import number, plural
from ui.page import PageContext
from ui.pages.pausing import ask_pause
from ui.pages.queue_words import going
from ui.parts.button import button
from ui.parts.confirm import confirm

# Fewer go without a question: pausing again undoes it.
ASK_FROM = 11


class PhoneActs:
    """Buttons for what the person may do; ``changed()`` is awaited afterwards."""

    def __init__(
        self, page: PageContext, sender: Sender, *, changed: Callable[[], Awaitable[Any]], small: bool = False
    ) -> None:
        self._page = page
        self._sender = sender
        self._changed = changed
        name = sender.verified_name or sender.display_number
        self._pause: ui.button | None = None
        if page.can("phones.manage"):
            sync = button(
                "Sync now", self._sync, icon="refresh-cw", small=small, kind="ghost" if small else ""
            )
            sync.props["aria-label"] = f"Sync now: {name}"
        if page.can("queues.pause"):
            self._pause = button("Pause", self._do_pause, icon="pause", small=small)
            self._resume = button("Resume", self._do_resume, icon="play", small=small)
            self._pause.props["aria-label"] = f"Pause {name}"
            self._resume.props["aria-label"] = f"Resume {name}"

    def show(self, sender: Sender) -> None:
        self._sender = sender
        if self._pause is not None:
            self._pause.set_visibility(not sender.lane.is_own)
            self._resume.set_visibility(sender.lane.is_own)

    @property
    def _name(self) -> str:
        return self._sender.verified_name or self._sender.display_number

    async def _sync(self) -> None:
        page = self._page

        async def work() -> bool:
            await sync_phone(page.runtime, page.identity, self._sender.phone_number_id)
            return True

        if await page.act(work, done=f"{self._name} is as Meta has it now"):
            await self._changed()

    async def _do_pause(self) -> None:
        asked = await ask_pause(
            f"Pause {self._name}?",
            "Nothing goes out from this number meanwhile. What is on the wire finishes; waiting uses up no "
            "retry.",
            facts=[("Waits now", plural(self._sender.lane.waiting, "message"))],
            yes="Pause number",
        )
        if asked is None:
            return
        phone_number_id = self._sender.phone_number_id
        await self._page.write(
            lambda unit: commands.pause(
                unit,
                phone_number_id=phone_number_id,
                reason=asked.reason,
                until=commands.ends_in(unit, asked.minutes),
            ),
            done=f"{self._name} is paused",
        )
        await self._changed()

    async def _do_resume(self) -> None:
        sender = self._sender
        if sender.lane.held >= ASK_FROM and not await confirm(
            f"Resume {self._name}?", _consequence(sender), yes=f"Resume, {number(sender.lane.held)} go"
        ):
            return
        await self._page.write(
            lambda unit: commands.resume(unit, phone_number_id=sender.phone_number_id),
            done=f"{self._name} is resumed. {going(sender.lane.held)}",
        )
        await self._changed()


def _consequence(sender: Sender) -> str:
    pace = f"{going(sender.lane.held)} At most {number(sender.limit_per_second)} a second."
    hold = sender.lane.hold
    if hold is None or hold.cause is HoldCause.PERSON:
        return pace
    return f"{pace} It was held for a cause: {hold.reason} If that is still so, it is held again."
