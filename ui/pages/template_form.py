"""The form of a template: what is written, what is wrong with it where it is written, how it will look."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from core.errors import DomainError
from core.templates import forms
from core.templates.draft_rules import BODY_MAX, CATEGORIES, FOOTER_MAX, HEADER_MAX, NAME_MAX, problems
from core.templates.drafts import MEDIA, Draft, DraftButton, shown_components
from core.templates.example_files import BYTES_MAX, TYPES
from core.templates.languages import LANGUAGES
from ui.page import PageContext
from ui.pages.template_buttons import Buttons, OneTimeCode
from ui.pages.template_words import CATEGORY
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.field import choice_field, problem, text_field
from ui.parts.file_field import ChosenFile, file_field
from ui.parts.filters import Segment
from ui.parts.region import Region
from ui.parts.text import Text, box, text

HEADERS = {"": "None", "TEXT": "Text", "IMAGE": "Image", "VIDEO": "Video", "DOCUMENT": "Document"} | {
    "LOCATION": "Location"
}
ABOUT_CATEGORY = {
    "UTILITY": "About something that the reader ordered, booked or asked for.",
    "MARKETING": "Offers, news and everything that is neither of the others.",
    "AUTHENTICATION": "A code to sign in or confirm with. Meta writes its words.",
}
HANDLE_HINT = "Meta gives it for an uploaded file; one that you have already can be pasted."
BODY_HINT = "*bold*, _italic_ and ~struck~ work. A variable is {{1}}, or has a name: {{first_name}}."

Change = Callable[[], Awaitable[None]]


class Form:
    """``draft`` is what stands in it, ``code`` the button of a template for codes: going to that category and
    back loses nothing; ``written`` is what would be submitted. Every change is followed by ``on_change()``. A
    field says what is wrong with it once somebody has written in it; all do after ``complain()``.

    ``on_file(header, file)`` answers Meta's handle of an example. ``is_fixed``: name and language stay as
    they are; ``category_is_fixed`` the same of the category.
    """

    def __init__(
        self,
        page: PageContext,
        draft: Draft,
        *,
        on_change: Change,
        on_file: Callable[[str, ChosenFile], Awaitable[str]],
        is_fixed: bool = False,
        category_is_fixed: bool = False,
    ) -> None:
        self._page = page
        of_code = draft.is_authentication and bool(draft.buttons)
        self.code = draft.buttons[0] if of_code else DraftButton("OTP", "Copy code", "COPY_CODE")
        self.draft = replace(draft, buttons=()) if of_code else draft
        self._on_change = on_change
        self._on_file = on_file
        self._is_fixed = is_fixed
        self._category_is_fixed = category_is_fixed
        self._fields: dict[str, Any] = {}
        self._lines: dict[str, Text] = {}
        self._said: dict[str, str] = {}
        self._touched: set[str] = set()
        self._complains = False

    def draw(self) -> None:
        draft = self.draft
        if draft.others:
            kinds = ", ".join(str(each["type"]).replace("_", " ").lower() for each in draft.others)
            callout(
                "Part of it cannot be changed here",
                f"It also has: {kinds}. That stays as it is, and the preview leaves it out.",
                tone="blue",
            )
        if not self._is_fixed:
            with box("pair"):
                self._text("name", "Name", draft.name, limit=NAME_MAX, hint="Such as order_update")
                self._fields["language"] = choice_field(
                    "Language",
                    {code: f"{name} · {code}" for code, name in self._languages().items()},
                    draft.language,
                    search=True,
                    on=lambda value: self.set("language", language=value or ""),
                )
        if not self._category_is_fixed:
            with self._part("Category"):
                words = {each: CATEGORY[each] for each in CATEGORIES}
                Segment("Category", words, draft.category, self._choose_category)
                self._about = text(ABOUT_CATEGORY.get(draft.category, ""), "hint", tag="p")
        with box("stack") as self._words:
            self._draw_words()
        with box("stack") as self._codes, self._part("Code"):
            OneTimeCode(self).draw()
        self._follow()

    @property
    def written(self) -> Draft:
        draft = self.draft
        if not draft.is_authentication:
            return replace(draft, warns=False, minutes=None)
        return Draft(
            name=draft.name,
            language=draft.language,
            category=draft.category,
            buttons=(self.code,),
            warns=draft.warns,
            minutes=draft.minutes,
        )

    def set(self, where: str, **changes: Any) -> Awaitable[None]:
        """The draft has changed there."""
        self._touched.add(where)
        self.draft = replace(self.draft, **changes)
        self._follow()
        return self._on_change()

    def set_code(self, part: str, made: DraftButton) -> Awaitable[None]:
        """The button of a template for codes has changed there."""
        self.code = made
        return self.set(f"code.{part}")

    def field(self, where: str) -> Any:
        """The field of that place; None where none is drawn."""
        return self._fields.get(where)

    def register(self, where: str, field: Any) -> None:
        """Problems of that place are said beneath the field."""
        self._fields[where] = field
        self._said.pop(where, None)

    def forget(self, prefix: str) -> None:
        """Those fields are drawn anew."""
        for where in [each for each in self._fields if each.startswith(prefix)]:
            del self._fields[where]
            self._said.pop(where, None)

    def untouch(self, prefix: str) -> None:
        """Nobody has written in those fields yet."""
        self._touched = {where for where in self._touched if not where.startswith(prefix)}

    def complain(self) -> int:
        """Everything that is wrong is said at its place; returns how much that is. The first is led to."""
        self._complains = True
        self._follow()
        found = self._problems()
        for where, _ in found[:1]:
            if (field := self._fields.get(where)) is not None:
                field.run_method("focus")
        return len(found)

    @property
    def rendered(self) -> forms.Rendered:
        """As its reader will see it, with the examples filled in."""
        draft = self.written
        if draft.is_authentication:
            return forms.rendered(shown_components(draft), {"body.1": "123456"})
        is_blank = not (draft.header or draft.body or draft.footer or draft.buttons)
        return forms.rendered([] if is_blank else shown_components(draft), draft.examples)

    # ---- drawing ----

    def _draw_words(self) -> None:
        draft = self.draft
        with self._part("Header", "header"):
            Segment("Header", HEADERS, draft.header, self._choose_header)
            with box() as self._header_text:
                self._text("header", "Header text", draft.header_text, limit=HEADER_MAX, key="header_text")
            with box("stack") as self._handle:
                self._pick = Region(self._draw_pick)
                self._text("handle", "Handle of the example file", draft.handle, hint=HANDLE_HINT)
        with box("bodypart"):
            self._text("body", "Body", draft.body, limit=BODY_MAX, lines=5, hint=BODY_HINT)
            button("Add variable", self._insert, icon="plus", small=True)
        self._examples = Region(self._draw_examples)
        self._text("footer", "Footer", draft.footer, limit=FOOTER_MAX)
        with self._part("Buttons", "buttons"):
            Buttons(self).draw()

    def _draw_examples(self, wanted: list[tuple[str, str]]) -> None:
        self.forget("header.")
        self.forget("body.")
        if not wanted:
            return
        with self._part("Examples"):
            text("Meta's reviewers look at them; they are sent to nobody.", "hint", tag="p")
            with box("variables"):
                for part, name in wanted:
                    where = f"{part}.{name}"
                    label = f"{{{{{name}}}}}" + (" in the header" if part == "header" else "")
                    self._fields[where] = text_field(
                        label,
                        self.draft.examples.get(where, ""),
                        on=partial(self._give_example, where),
                    )

    def _draw_pick(self, header: str) -> None:
        if header in MEDIA:
            file_field(
                "Example for Meta's reviewers",
                self._upload,
                limit=BYTES_MAX,
                accept=",".join(TYPES[header]),
            )

    async def _upload(self, chosen: ChosenFile) -> None:
        try:
            handle = await self._on_file(self.draft.header, chosen)
        except DomainError as refusal:
            problem(self._fields["handle"], refusal.sentence)
            self._said["handle"] = refusal.sentence
            return
        self._fields["handle"].set_value(handle)

    def _text(
        self,
        where: str,
        label: str,
        value: str,
        *,
        key: str = "",
        hint: str = "",
        limit: int = 0,
        lines: int = 1,
    ) -> None:
        def changed(typed: str | None) -> Awaitable[None]:
            return self.set(where, **{key or where: typed or ""})

        field = text_field(label, value, hint=hint, limit=limit, lines=lines, on=changed)
        field.props("autocomplete=off")
        self._fields[where] = field

    def _part(self, title: str, where: str = "") -> Any:
        """A part of the form under a heading; problems of ``where`` are said beneath it, if no field says
        them."""
        made = box("part", tag="section", label=title)
        with made, box("partline"):
            text(title, tag="h2")
            if where and where not in self._lines:
                self._lines[where] = text("", "wrong")
                self._lines[where].props["role"] = "status"
        return made

    def _languages(self) -> Mapping[str, str]:
        known = dict(LANGUAGES)
        known.setdefault(self.draft.language, self.draft.language)
        return known

    # ---- what is chosen and typed ----

    async def _choose_category(self, category: str) -> None:
        self._about.set_text(ABOUT_CATEGORY[category])
        await self.set("category", category=category)

    async def _choose_header(self, header: str) -> None:
        await self.set("header.kind", header=header)

    async def _give_example(self, where: str, value: str | None) -> None:
        await self.set(where, examples={**self.draft.examples, where: value or ""})

    def _insert(self) -> None:
        names = self.draft.variables["body"]
        used = [int(name) for name in names if name.isdigit()]
        words = f"{{{{{max(used, default=0) + 1}}}}}" if not self.draft.is_named else "{{name}}"
        self._page.client.run_javascript(f"waypost.insert('f{self._fields['body'].id}', '{words}')")

    def _follow(self) -> None:
        """What is shown agrees with the draft."""
        draft = self.draft
        self._words.set_visibility(not draft.is_authentication)
        self._codes.set_visibility(draft.is_authentication)
        self._header_text.set_visibility(draft.header == "TEXT")
        self._handle.set_visibility(draft.header in MEDIA)
        self._pick.show(draft.header)
        self._examples.show([(part, name) for part, names in draft.variables.items() for name in names])
        self.say()

    def say(self) -> None:
        """What is wrong stands at its place, and what is mended no more."""
        found: dict[str, str] = {}
        for where, sentence in self._problems():
            if self._complains or where in self._touched:
                found.setdefault(where, sentence)
        for where, field in self._fields.items():
            sentence = found.pop(where, "")
            if self._said.get(where, "") != sentence:
                self._said[where] = sentence
                problem(field, sentence)
        for where, line in self._lines.items():
            line.set_text(found.get(where, ""))

    def _problems(self) -> list[tuple[str, str]]:
        """(place, sentence) of what would be submitted."""
        is_code = self.draft.is_authentication
        return [
            (each.where.replace("button 0.", "code.") if is_code else each.where, each.sentence)
            for each in problems(self.written)
        ]
