"""The buttons of a template in its form, and the one of a template for codes."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.templates.draft_rules import AT_MOST, BUTTON_TEXT_MAX, BUTTONS_MAX, CODE_MAX
from core.templates.drafts import DraftButton, names_in
from ui.parts.button import button, icon_button
from ui.parts.field import choice_field, text_field
from ui.parts.filters import Segment
from ui.parts.text import box, text

if TYPE_CHECKING:
    from ui.pages.template_form import Form

# What can be added, and how it is called.
KINDS = {
    "QUICK_REPLY": "Quick reply",
    "URL": "Website",
    "PHONE_NUMBER": "Call",
    "COPY_CODE": "Offer code",
    "FLOW": "Flow",
    "CATALOG": "Catalogue",
    "MPM": "Products",
}
# The words that Meta gives to such a button, unless others are chosen.
USUAL = {"CATALOG": "View catalog", "MPM": "View items"}
# The field of a kind's value: its label, a hint, a limit.
VALUES = {
    "URL": ("Address", "May end with a variable: https://shop.example.com/orders/{{1}}", 0),
    "PHONE_NUMBER": ("Number", "With its country code, such as +49 30 55570142", 0),
    "COPY_CODE": ("Example of the code", "", CODE_MAX),
    "FLOW": ("Id of the flow", "", 0),
}
OTP = {"COPY_CODE": "Copy the code", "ONE_TAP": "Fill in with one tap", "ZERO_TAP": "Fill in without a tap"}


class Buttons:
    """Drawn anew when one comes, goes or moves; what is typed changes only the draft."""

    def __init__(self, form: "Form") -> None:
        self._form = form

    def draw(self) -> None:
        self._rows = box("tbuttons")
        with box("addbuttons", label="Add a button", role="group"):
            self._adders = {
                kind: button(name, lambda kind=kind: self._add(kind), icon="plus", small=True)
                for kind, name in KINDS.items()
            }
        self._show()

    def _show(self) -> None:
        kinds = [each.kind for each in self._form.draft.buttons]
        self._form.forget("button ")
        self._rows.clear()
        with self._rows:
            self._draw_rows(kinds)
        for kind, adder in self._adders.items():
            is_full = len(kinds) >= BUTTONS_MAX or kinds.count(kind) >= AT_MOST.get(kind, BUTTONS_MAX)
            adder.set_enabled(not is_full)

    def _draw_rows(self, kinds: list[str]) -> None:
        for index, kind in enumerate(kinds):
            with box("tbutton", label=f"Button {index + 1}", role="group"):
                with box("tbuttonhead"):
                    text(KINDS.get(kind, kind.replace("_", " ").capitalize()), tag="b")
                    if index > 0:
                        icon_button("arrow-up", f"Move button {index + 1} up", lambda i=index: self._move(i))
                    icon_button("x", f"Remove button {index + 1}", lambda i=index: self._remove(i))
                with box("variables"):
                    self._draw_fields(index, kind)

    def _draw_fields(self, index: int, kind: str) -> None:
        made = self._form.draft.buttons[index]
        if kind != "COPY_CODE":
            self._field(index, "text", "Text", made.text, limit=BUTTON_TEXT_MAX)
        if kind in VALUES:
            label, hint, limit = VALUES[kind]
            self._field(index, "value", label, made.value, hint=hint, limit=limit)
        if kind == "URL":
            with box() as end:
                self._field(index, "example", "Example of the end", made.example)
            end.set_visibility(bool(names_in(made.value)))
            value = self._form.field(f"button {index}.value")
            value.on_value_change(lambda event: end.set_visibility(bool(names_in(event.value or ""))))

    def _field(
        self, index: int, part: str, label: str, value: str, *, hint: str = "", limit: int = 0
    ) -> None:
        def changed(typed: str | None) -> Awaitable[None]:
            buttons, changes = list(self._form.draft.buttons), _changes(part, typed)
            buttons[index] = replace(buttons[index], **changes)
            return self._form.set(f"button {index}.{part}", buttons=tuple(buttons))

        made = text_field(label, value, hint=hint, limit=limit, on=changed)
        made.props("autocomplete=off")
        self._form.register(f"button {index}.{part}", made)

    async def _add(self, kind: str) -> None:
        buttons = (*self._form.draft.buttons, DraftButton(kind, text=USUAL.get(kind, "")))
        await self._change(buttons)
        first = self._form.field(f"button {len(buttons) - 1}.{'value' if kind == 'COPY_CODE' else 'text'}")
        if first is not None:
            first.run_method("focus")

    async def _remove(self, index: int) -> None:
        buttons = self._form.draft.buttons
        await self._change(buttons[:index] + buttons[index + 1 :])

    async def _move(self, index: int) -> None:
        buttons = list(self._form.draft.buttons)
        buttons[index - 1 : index + 1] = buttons[index], buttons[index - 1]
        await self._change(tuple(buttons))

    async def _change(self, buttons: tuple[DraftButton, ...]) -> None:
        self._form.untouch("button ")
        followed = self._form.set("buttons", buttons=buttons)
        self._show()
        self._form.say()
        await followed


class OneTimeCode:
    """Of a template for codes only this can be chosen."""

    def __init__(self, form: "Form") -> None:
        self._form = form

    def draw(self) -> None:
        form, made = self._form, self._form.code
        with box("pair"):
            form.register(
                "code.value", choice_field("The button", OTP, made.value or "COPY_CODE", on=self._choose)
            )
            self._typed("text", "Text on the button", made.text, limit=BUTTON_TEXT_MAX)
        with box("pair") as self._app:
            for key, label in (("package_name", "Package of the app"), ("signature_hash", "Signature hash")):
                self._more(key, label)
        self._app.set_visibility(made.value in ("ONE_TAP", "ZERO_TAP"))
        minutes = form.draft.minutes
        with box("pair"):
            form.register(
                "minutes",
                text_field(
                    "The code ends after",
                    "" if minutes is None else str(minutes),
                    hint="Minutes, 1 to 90; empty: nothing is said",
                    on=self._end,
                ),
            )
            with box("field"):
                text("Advice not to share the code", "lbl", tag="span")
                Segment(
                    "Advice not to share the code",
                    {"yes": "With", "": "Without"},
                    "yes" if form.draft.warns else "",
                    lambda value: form.set("warns", warns=bool(value)),
                )

    async def _choose(self, kind: str) -> None:
        self._app.set_visibility(kind != "COPY_CODE")
        await self._form.set_code("value", replace(self._form.code, value=kind))

    async def _end(self, typed: str | None) -> None:
        given = (typed or "").strip()
        await self._form.set("minutes", minutes=(int(given) if given.isdecimal() else -1) if given else None)

    def _typed(self, part: str, label: str, value: str, *, limit: int = 0) -> None:
        def changed(typed: str | None) -> Awaitable[None]:
            return self._form.set_code(part, replace(self._form.code, **_changes(part, typed)))

        self._form.register(f"code.{part}", text_field(label, value, limit=limit, on=changed))

    def _more(self, key: str, label: str) -> None:
        def changed(typed: str | None) -> Awaitable[None]:
            made = self._form.code
            return self._form.set_code(key, replace(made, more={**made.more, key: typed or ""}))

        value = str(self._form.code.more.get(key, ""))
        self._form.register(f"code.{key}", text_field(label, value, on=changed))


def _changes(part: str, typed: str | None) -> dict[str, Any]:
    return {part: typed or ""}
