"""The cause that was chosen: what it means, since when, for whom, and what to do about it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import ui

from core.dead_letters.groups import LetterGroup
from core.phones.queries import PhoneChoice
from ui.format import number, plural
from ui.page import PageContext
from ui.pages.dead_letter_figures import sparkline
from ui.pages.dead_letter_groups import code_word
from ui.parts.badge import ERROR, badge
from ui.parts.button import button
from ui.parts.facts import Value, facts
from ui.parts.text import box, text

NAMED = 3  # so many phones or templates are named, and how many more there are


class Cause:
    """``redrive()`` is awaited for all that match; None for those who may not."""

    def __init__(
        self,
        page: PageContext,
        phones: Mapping[str, PhoneChoice],
        *,
        redrive: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._page = page
        self._phones = phones
        self._redrive = redrive
        self._shown: tuple[LetterGroup | None, bool] = (None, True)
        self._box = box("cause", label="This error", role="region")
        self._box.set_visibility(False)

    def show(self, group: LetterGroup | None, *, is_open: bool) -> None:
        """``is_open``: they are open letters, so that they can be sent again."""
        if (group, is_open) == self._shown:
            return
        self._shown = (group, is_open)
        self._box.clear()
        self._box.set_visibility(group is not None)
        if group is not None:
            with self._box:
                self._draw(group, is_open=is_open)

    def _draw(self, group: LetterGroup, *, is_open: bool) -> None:
        with box("causehead"):
            with box("tt"):
                text(f"{group.title} ({code_word(group.error_code)})", tag="h2")
                badge(ERROR[group.klass])
            if any(group.per_hour):
                line = ui.html(sparkline(group.per_hour), sanitize=False)
                line.classes(f"trend tone-{ERROR[group.klass][1]}")
            if self._redrive is not None and is_open:
                button(
                    f"Redrive {plural(group.count, 'letter')}",
                    self._redrive,
                    icon="rotate-cw",
                    small=True,
                )
        text(group.meaning, tag="p")
        text(group.advice, "advice", tag="p")
        lines: list[tuple[str, Value]] = [
            ("First", group.first_seen),
            ("Last", group.last_seen),
            ("In 24 hours", number(sum(group.per_hour))),
            (_many(group.phones, "Phone"), self._named({self._phone(p): n for p, n in group.phones.items()})),
            (
                _many(group.templates, "Template"),
                self._named({template or "Texts": n for template, n in group.templates.items()}),
            ),
        ]
        facts(self._page, lines)

    def _phone(self, phone_number_id: str) -> str:
        phone = self._phones.get(phone_number_id)
        return phone.verified_name if phone else phone_number_id

    @staticmethod
    def _named(counts: Mapping[str, int]) -> str:
        names = [f"{name} ({number(count)})" for name, count in list(counts.items())[:NAMED]]
        more = len(counts) - len(names)
        return ", ".join([*names, f"{number(more)} more"] if more else names)


def _many(counts: Mapping[Any, int], one: str) -> str:
    return one if len(counts) == 1 else f"{one}s"
