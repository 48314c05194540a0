"""The misfortunes that the sandbox deals out: a list with a switch each, and the form for one more."""

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from core.errors import Malformed
from core.monitoring import sandbox
from core.ports.sandbox import SandboxFault, SandboxPhone, SandboxState
from ui.act import handler
from ui.page import PageContext
from ui.pages.sandbox_words import KINDS, WITH_CODE, WITH_SECONDS, code_title, what_happens, whom_it_meets
from ui.parts.button import button, icon_button
from ui.parts.empty import empty
from ui.parts.field import choice_field, problem, text_field
from ui.parts.text import box, text

Changed = Callable[[], Awaitable[None]]


class FaultList:
    """``changed()`` is awaited after a switch or a removal."""

    def __init__(self, page: PageContext, *, changed: Changed) -> None:
        self._page = page
        self._changed = changed
        self._shown: tuple[SandboxFault, ...] | None = None
        self._list = box("faults", tag="ul", label="Faults")

    def show(self, state: SandboxState) -> None:
        """Nothing is drawn anew while the faults are the same, so a focused switch keeps its focus."""
        if state.faults == self._shown:
            return
        self._shown = state.faults
        self._list.clear()
        with self._list:
            for fault in state.faults:
                self._draw(fault, state.phones)
            if not state.faults:
                empty("No faults", "Everything that is well formed is accepted.", icon_name="circle-check")

    def _draw(self, fault: SandboxFault, phones: tuple[SandboxPhone, ...]) -> None:
        with box("" if fault.enabled else "off", tag="li"):
            switch(fault.title, is_on=fault.enabled, on=partial(self._switch, fault))
            with box("words"):
                text(fault.title, tag="b")
                text(f"{what_happens(fault)}. {whom_it_meets(fault, phones)}.", tag="p")
            icon_button("trash-2", f"Remove: {fault.title}", partial(self._remove, fault))

    async def _switch(self, fault: SandboxFault) -> None:
        page = self._page
        work = partial(sandbox.switch_fault, page.runtime, page.identity, fault.id, enabled=not fault.enabled)
        await page.act(work, done=f"{'Rests' if fault.enabled else 'In force'}: {fault.title}")
        await self._changed()

    async def _remove(self, fault: SandboxFault) -> None:
        page = self._page
        work = partial(sandbox.delete_fault, page.runtime, page.identity, fault.id)
        await page.act(work, done=f"Removed: {fault.title}")
        await self._changed()


class FaultForm:
    """One misfortune more. ``changed()`` is awaited once it is in force."""

    def __init__(self, page: PageContext, phones: tuple[SandboxPhone, ...], *, changed: Changed) -> None:
        self._page = page
        self._changed = changed
        senders = {"": "All phones", **{each.phone_number_id: each.verified_name for each in phones}}
        with box("form"):
            self._kind = choice_field("What happens", KINDS, "error", on=lambda _: self._fit())
            with box("whole") as self._code_row:
                self._code = text_field("Meta's code", "131016", on=lambda _: self._fit())
            with box("whole") as self._seconds_row:
                self._seconds = text_field("For how long", "20", hint="Seconds")
            self._to = text_field("Recipient", placeholder="Everybody", hint="With +, or its last digits")
            self._phone = choice_field("Sender", senders, "")
            self._share = text_field("Share", "100", hint="Per cent of the messages")
            self._times = text_field("Times", placeholder="Always", hint="For each recipient")
        with box("formfoot"):
            button("Add fault", self._add, icon="plus", kind="pri")
        self._fit()

    def _fit(self) -> None:
        """Only what the kind needs is asked for."""
        kind = str(self._kind.value)
        self._code_row.set_visibility(kind in WITH_CODE)
        self._seconds_row.set_visibility(kind in WITH_SECONDS)
        code = str(self._code.value or "").strip()
        self._code.props["hint"] = code_title(int(code)) if code.isdecimal() and len(code) <= 7 else None
        self._code.update()

    async def _add(self) -> None:
        kind = str(self._kind.value)
        for field in (self._code, self._seconds, self._share, self._times):
            problem(field, "")
        try:
            code = _number(self._code, "A code, such as 131016") if kind in WITH_CODE else None
            seconds = _number(self._seconds, "Seconds, from 0 to 3600") if kind in WITH_SECONDS else None
            share = _number(self._share, "Per cent, from 1 to 100", low=1, high=100)
            times = (
                _number(self._times, "A count from 1, or nothing", low=1)
                if (self._times.value or "").strip()
                else None
            )
        except Malformed:
            return  # the field says what is wrong with it
        page = self._page
        work = partial(
            sandbox.create_fault,
            page.runtime,
            page.identity,
            kind=kind,
            to=str(self._to.value or "").strip() or None,
            phone_number_id=str(self._phone.value) or None,
            code=code,
            seconds=seconds,
            share=share / 100,
            times=times,
        )
        if await page.act(work, done="The fault is in force"):
            await self._changed()


def switch(label: str, *, is_on: bool, on: Callable[[], Awaitable[None]]) -> ui.element:
    """On or off, told by position, colour and role. ``label`` is its accessible name."""
    with ui.element("button").classes("switch").props("type=button role=switch") as made:
        box("knob", tag="span")
    made.props["aria-checked"] = "true" if is_on else "false"
    made.props["aria-label"] = label
    return made.on("click", handler(lambda _: on()))


def _number(field: ui.input | ui.textarea, sentence: str, *, low: int = 0, high: int = 10**7) -> int:
    written = str(field.value or "").strip()
    if written.isascii() and written.isdigit() and low <= int(written) <= high:
        return int(written)
    problem(field, sentence)
    raise Malformed(sentence)
