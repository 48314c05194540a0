"""The form of a send: from which phone, to whom, which template or what text."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from core.demo import MagicNumber
from core.messaging.requests import TEXT_MAX, template_payload, text_payload
from core.phones.queries import PhoneChoice
from core.templates import forms, queries
from core.templates.queries import TemplateChoice
from ui.act import handler
from ui.format import number
from ui.page import PageContext
from ui.pages.send_fields import magic_field, phone_field, template_badges, template_names, variable_fields
from ui.parts.field import choice_field, problem, text_field
from ui.parts.filters import Segment
from ui.parts.region import Region
from ui.parts.text import box

KINDS = {"template": "Template", "text": "Text"}
TO_HINT = "With its country code, such as +49 151 12345678"
# A refusal's code → the field that it is about.
ABOUT = {
    "invalid_recipient": "to",
    "recipient_suppressed": "to",
    "template_unknown": "template",
    "template_not_sendable": "template",
    "template_parameters": "template",
    "text_empty": "text",
    "text_too_long": "text",
    "window_closed": "text",
}

Happened = Callable[[], Awaitable[Any]]


class Form:
    """``on_change()`` follows every change, ``on_leave()`` when the recipient has been typed. Phone, kind and
    template stand in the address. ``_values``: template → variable → what was typed, so that going to and
    fro loses nothing."""

    def __init__(
        self, page: PageContext, phones: Sequence[PhoneChoice], *, on_change: Happened, on_leave: Happened
    ) -> None:
        self._page = page
        self._phones = {phone.phone_number_id: phone for phone in phones}
        self._on_change = on_change
        self._on_leave = on_leave
        self.phone = self._phones.get(page.query.get("phone", ""), phones[0])
        self.kind = "text" if page.query.get("kind") == "text" else "template"
        self._templates: dict[str, TemplateChoice] = {}
        self._values: dict[str, dict[str, str]] = {}
        self._variables: dict[str, Any] = {}
        self._pretty = ""

    async def draw(self, numbers: Sequence[MagicNumber]) -> None:
        await self._read_templates()
        phone_field(list(self._phones.values()), self.phone.phone_number_id, self._choose_phone)
        with box("recipient"):
            asked = self._page.query.get("to", "")
            self._to = text_field("To", asked, hint=TO_HINT, kind="tel", on=lambda _: self._typed("to"))
            self._to.props("autocomplete=off")
            self._to.on("blur", handler(lambda _: self._on_leave()))
            magic_field(numbers, self._take_number)
        with box("kind"):
            Segment("What to send", KINDS, self.kind, self._choose_kind)
        with box("stack") as self._template_part:
            self._template = choice_field(
                "Template",
                template_names(self._templates),
                self._chosen_key,
                hint="" if self._templates else "This account has no templates yet.",
                search=True,
                on=self._choose_template,
            )
            self._template.props["placeholder"] = "Choose one, or type its name"
            self._filled = Region(self._draw_variables, "stack")
        with box() as self._text_part:
            self._text = text_field(
                "Text",
                lines=5,
                hint=f"At most {number(TEXT_MAX)} characters. *bold*, _italic_ and ~struck~ work.",
                on=lambda _: self._typed("text"),
            )
        self._show_kind()

    @property
    def to(self) -> str:
        return (self._to.value or "").strip()

    @property
    def payload(self) -> dict[str, Any] | None:
        """As the API takes it; None while there is nothing to send."""
        if self.kind == "text":
            return text_payload(self.to, text=self._text.value) if self._text.value else None
        choice = self._choice
        if choice is None:
            return None
        components = forms.components_of(choice.fields, self._typed_values, named=choice.is_named)
        return template_payload(self.to, name=choice.name, language=choice.language, components=components)

    @property
    def rendered(self) -> forms.Rendered:
        """What its reader will see."""
        if self.kind == "text":
            return forms.rendered([{"type": "BODY", "text": self._text.value or ""}], {})
        choice = self._choice
        return forms.rendered(choice.components if choice else [], self._typed_values)

    def show_recipient(self, about: str) -> None:
        """What is known of the number, beneath it."""
        self._to.props["hint"] = about or TO_HINT
        self._to.update()

    def write_recipient(self, pretty: str) -> None:
        """The same number in other words, which changes nothing else. The browser writes it: it alone knows
        whether somebody types there again."""
        self._pretty = pretty
        words = f"{json.dumps(self._to.value)}, {json.dumps(pretty)}"
        self._page.client.run_javascript(f"waypost.rewrite('f{self._to.id}', {words})")

    def is_filled(self) -> bool:
        """Whether everything is given; what is missing is said at its field."""
        choice = self._choice
        missing: dict[Any, str] = (
            {} if self.to else {self._to: "Who gets it? Give a number with its country code."}
        )
        if self.kind == "text":
            missing |= {} if self._text.value else {self._text: "Write something."}
        elif choice is None:
            missing[self._template] = "Choose a template."
        else:
            for key in forms.blanks(choice.fields, self._typed_values):
                missing[self._variables[key]] = "Fill this in: Meta takes no empty variable."
        for field, sentence in missing.items():
            problem(field, sentence)
        for field in [*missing][:1]:
            field.run_method("focus")
        return not missing

    def object(self, code: str, sentence: str) -> bool:
        """Whether the refusal is about one of its fields; then it says so there."""
        field = {"to": self._to, "template": self._template, "text": self._text}.get(ABOUT.get(code, ""))
        if field is None:
            return False
        problem(field, sentence)
        return True

    # ---- what is chosen and typed ----

    @property
    def _choice(self) -> TemplateChoice | None:
        return self._templates.get(self._chosen_key or "")

    @property
    def _chosen_key(self) -> str | None:
        asked = self._page.query.get("template", "")
        return asked if asked in self._templates else None

    @property
    def _typed_values(self) -> dict[str, str]:
        return self._values.setdefault(self._chosen_key or "", {})

    def _show_kind(self) -> None:
        self._template_part.set_visibility(self.kind == "template")
        self._text_part.set_visibility(self.kind == "text")
        self._filled.show(self._choice)

    def _draw_variables(self, choice: TemplateChoice | None) -> None:
        self._variables = {}
        if choice is not None:
            template_badges(choice)
            self._variables = variable_fields(choice.fields, self._typed_values, self._fill_in)

    async def _read_templates(self) -> None:
        waba_id = self.phone.waba_id
        found = await self._page.read(lambda unit: queries.choices(unit, waba_id=waba_id))
        self._templates = {f"{each.name}/{each.language}": each for each in found}

    async def _choose_phone(self, phone_id: str) -> None:
        before, self.phone = self.phone, self._phones[phone_id]
        self._page.amend(phone=phone_id)
        if before.waba_id != self.phone.waba_id:
            await self._read_templates()
            self._template.set_options(template_names(self._templates), value=self._chosen_key)
            self._show_kind()
        await self._on_change()

    async def _choose_kind(self, kind: str) -> None:
        self.kind = kind
        self._page.amend(kind=None if kind == "template" else kind)
        self._show_kind()
        await self._on_change()

    async def _choose_template(self, key: str | None) -> None:
        self._page.amend(template=key)
        problem(self._template, "")
        self._show_kind()
        await self._on_change()

    async def _fill_in(self, key: str, value: str) -> None:
        self._typed_values[key] = value
        problem(self._variables[key], "")
        await self._on_change()

    async def _typed(self, field: str) -> None:
        if field == "to" and self._to.value == self._pretty:
            return
        self._pretty = ""
        problem(self._to if field == "to" else self._text, "")
        await self._on_change()

    async def _take_number(self, chosen: str) -> None:
        self._to.value = chosen
        self._to.run_method("focus")
