"""Mending a message before it is sent again: a form, what it changes, and what is wrong with it."""

import difflib
import html
import json
from collections.abc import Iterator
from typing import Any

from nicegui import ui

from core.dead_letters import commands
from core.dead_letters.detail import LetterDetail
from core.errors import DomainError
from core.messaging.requests import template_payload, text_payload
from core.phones.queries import PhoneChoice
from core.templates.queries import TemplateChoice
from core.templates.queries import choices as template_choices
from ui.act import ask
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.field import choice_field, problem, text_field
from ui.parts.filters import Segment
from ui.parts.text import box, text

Payload = dict[str, Any]
TEMPLATE, TEXT = "template", "text"
# Which field a refusal of core's is about; any other stands above the form.
FIELD_OF = {
    "invalid_recipient": "to",
    "recipient_suppressed": "to",
    "text_empty": "text",
    "text_too_long": "text",
    "window_closed": "text",
    "template_unknown": "template",
    "template_not_sendable": "template",
    "template_parameters": "components",
}


async def edit_and_redrive(page: PageContext, detail: LetterDetail, phone: PhoneChoice | None) -> bool:
    """Whether the letter was redriven, after its message was edited."""
    templates: list[TemplateChoice] = []
    if phone is not None:
        templates = await page.read(lambda unit: template_choices(unit, waba_id=phone.waba_id))
    return await _Form(page, detail, templates).ask()


class _Form:
    def __init__(self, page: PageContext, detail: LetterDetail, templates: list[TemplateChoice]) -> None:
        self._page = page
        self._letter_id = detail.row.id
        self._before: Payload = detail.payload or {}
        self._templates = {_key(each.name, each.language): each for each in templates}
        self._kind = TEMPLATE if TEMPLATE in self._before else TEXT
        with page.client.content:
            self._dialog = ui.dialog(value=True)
        self._dialog.props("no-backdrop-dismiss transition-show=none transition-hide=none")
        self._dialog.props["aria-label"] = "Edit and redrive"
        with self._dialog, box("dlg wide"):
            self._draw()
        self._show_kind()
        self._compare()

    async def ask(self) -> bool:
        answer = await self._dialog
        if not self._dialog.is_deleted:  # as it is when the whole page was left
            self._dialog.delete()
        return answer is True

    def _draw(self) -> None:
        with box("dhead"):
            text("Edit and redrive", tag="h2")
            text("The message as it was is kept with the letter.", tag="p")
        with box("dbody scrolls"):
            with box(role="alert") as self._refusal:
                pass
            self._to = text_field("Recipient", str(self._before.get("to", "")), on=self._compare)
            with box("field"):
                text("Kind of message", "label")
                self._segment = Segment(
                    "Kind of message", {TEMPLATE: "Template", TEXT: "Text"}, self._kind, self._turn_to
                )
            with box("stack") as self._as_template:
                self._draw_template()
            with box("stack") as self._as_text:
                self._text = text_field(
                    "Text",
                    str(self._before.get("text", "")),
                    lines=4,
                    hint="Goes only within 24 hours of the customer's last message.",
                    on=self._compare,
                )
            with box("field"):
                text("What changes", "label")
                self._changes = ui.html("", sanitize=False).classes("diff")
                self._changes.props["role"] = "status"
        with box("dfoot"):
            button("Cancel", lambda: self._dialog.submit(False))
            self._go = button("Redrive edited message", self._redrive, icon="rotate-cw", kind="pri")

    def _draw_template(self) -> None:
        was: Payload = self._before.get(TEMPLATE) or {}
        chosen = _key(str(was["name"]), str(was["language"])) if was else None
        options = {key: _shown(each) for key, each in self._templates.items()}
        if chosen is not None and chosen not in options:
            options[chosen] = f"{was['name']} · {was['language']} · not known here"
        self._template = choice_field("Template and language", options, chosen, on=self._compare)
        components = was.get("components")
        self._components = text_field(
            "Components, as JSON",
            json.dumps(components, indent=2, ensure_ascii=False) if components else "",
            lines=6,
            placeholder="[]",
            hint=" ",
            on=self._compare,
        )
        self._components.classes("jsonfield")

    def _turn_to(self, kind: str) -> None:
        self._kind = kind
        self._show_kind()
        self._compare()

    def _show_kind(self) -> None:
        self._as_template.set_visibility(self._kind == TEMPLATE)
        self._as_text.set_visibility(self._kind == TEXT)

    def _compare(self, _: Any = None) -> None:
        """What the edit changes is shown, and what stands in its way."""
        self._clear_problems()
        template = self._templates.get(self._template.value or "")
        self._components.props["hint"] = _needs(template)
        self._components.update()
        after = self._payload()
        lines = list(differences(self._before, after)) if after is not None else []
        self._changes.set_content(
            "".join(lines) or '<span class="same">Nothing yet: it goes as it is.</span>'
        )
        self._go.set_enabled(after is not None)

    def _payload(self) -> Payload | None:
        """The message as the form has it, or None when it cannot be read."""
        to = str(self._to.value or "").strip()
        if self._kind == TEXT:
            return text_payload(to, text=str(self._text.value or ""))
        if not self._template.value:
            return None
        name, language = _name_and_language(self._template.value)
        written = str(self._components.value or "").strip()
        try:
            components = json.loads(written) if written else []
        except json.JSONDecodeError as error:
            problem(self._components, f"This is no JSON: {error.msg.lower()} in line {error.lineno}.")
            return None
        if not isinstance(components, list) or not all(isinstance(each, dict) for each in components):
            problem(self._components, "Components are a list of objects: [{…}, {…}].")
            return None
        if not _can_be_stored(components):
            problem(self._components, "It holds a character that cannot be sent.")
            return None
        return template_payload(to, name=name, language=language, components=components)

    async def _redrive(self) -> None:
        self._clear_problems()
        payload = self._payload()
        if payload is None:
            return

        def work() -> None:
            with self._page.runtime.unit(self._page.identity, write=True) as unit:
                commands.redrive(unit, self._letter_id, payload=payload)

        try:
            await ask(work)
        except DomainError as refusal:
            self._refuse(refusal)
            return
        self._dialog.submit(True)

    def _refuse(self, refusal: DomainError) -> None:
        field = {
            "to": self._to,
            "text": self._text,
            "template": self._template,
            "components": self._components,
        }.get(FIELD_OF.get(refusal.code, ""))
        if field is not None:
            problem(field, refusal.sentence)
            self._page.client.run_javascript(
                f"getHtmlElement({field.id})?.querySelector('input,textarea')?.focus()"
            )
            return
        with self._refusal:
            callout("It was not redriven", refusal.sentence)

    def _clear_problems(self) -> None:
        self._refusal.clear()
        for field in (self._to, self._template, self._components, self._text):
            problem(field, "")


def differences(before: Payload, after: Payload) -> Iterator[str]:
    """The lines of HTML in which the two differ, with two lines around each; none when they are the same.
    Everything of the payloads is escaped.

    >>> list(differences({"to": "+1"}, {"to": "+2"}))[1:3]
    ['<del>  "to": "+1"</del>', '<ins>  "to": "+2"</ins>']
    """
    old, new = (json.dumps(each, indent=2, ensure_ascii=False).splitlines() for each in (before, after))
    for line in list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]:
        shown = html.escape(line[1:])
        if line.startswith("@@"):
            continue
        tag = {"-": "del", "+": "ins"}.get(line[0], "span")
        yield f"<{tag}>{shown}</{tag}>"


def _can_be_stored(value: Any) -> bool:
    """JSON can spell NUL and half characters, which no database keeps."""
    try:
        return b"\x00" not in json.dumps(value, ensure_ascii=False).encode() and "\\u0000" not in json.dumps(
            value
        )
    except UnicodeEncodeError:
        return False


def _key(name: str, language: str) -> str:
    return f"{name}\n{language}"


def _name_and_language(key: str) -> tuple[str, str]:
    name, _, language = key.partition("\n")
    return name, language


def _shown(template: TemplateChoice) -> str:
    state = "" if template.can_send else f" · {template.status.lower()}"
    return f"{template.name} · {template.language}{state}"


def _needs(template: TemplateChoice | None) -> str:
    """What the template's variables ask for: ``Needs body: 1, 2``."""
    if template is None:
        return "A list as Meta takes it; leave it empty for a template without variables."
    if not template.variables:
        return "This template has no variables: leave it empty."
    return "Needs " + "; ".join(f"{part}: {', '.join(names)}" for part, names in template.variables.items())
