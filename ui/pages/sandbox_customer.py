"""The form by which a made-up customer writes to one of our phones."""

from collections.abc import Awaitable, Callable
from functools import partial

from core.monitoring import sandbox
from core.ports.sandbox import SandboxState
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.field import choice_field, problem, text_field
from ui.parts.text import box

TEXT_MAX = 4096


class CustomerForm:
    def __init__(
        self, page: PageContext, state: SandboxState, *, changed: Callable[[], Awaitable[None]]
    ) -> None:
        self._page = page
        self._changed = changed
        phones = {each.phone_number_id: each.verified_name for each in state.phones}
        with box("form"):
            self._phone = choice_field("To", phones, next(iter(phones), None))
            self._sender = text_field("From", "+49 1511 2300101", hint="Number with country code")
            self._name = text_field("Name", "Mara Vogel")
            self._text = text_field("Text", "Hi, where is my parcel?", lines=3)
        with box("formfoot"):
            button("Write", self._write, icon="message-circle", kind="pri")

    async def _write(self) -> None:
        sender, words = str(self._sender.value or "").strip(), str(self._text.value or "").strip()
        problem(self._sender, "" if sender else "Who writes?")
        problem(self._text, "" if words else "What do they write?")
        if not sender or not words:
            return
        page = self._page
        work = partial(
            sandbox.write_inbound,
            page.runtime,
            page.identity,
            phone_number_id=str(self._phone.value),
            sender=sender,
            name=str(self._name.value or "").strip(),
            text=words[:TEXT_MAX],
        )
        if await page.act(work, done="Written. It arrives by webhook in a moment."):
            await self._changed()
