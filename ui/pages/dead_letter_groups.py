"""The causes of dead letters, each a filter."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from nicegui import ui

from core.dead_letters.groups import LetterGroup
from ui.act import handler
from ui.format import number, plural, short_number
from ui.parts.badge import ERROR
from ui.parts.card import card
from ui.parts.text import box, text


class _List(ui.element, component="dead_letter_groups.js"):
    """What the browser draws: see dead_letter_groups.js."""


class Groups:
    """``on(fingerprint)`` is called with the cause that was chosen, ``""`` for all of them."""

    def __init__(self, on: Callable[[str], Any]) -> None:
        self._order: list[str] = []
        choose = handler(on)
        with card("groups", label="Errors"):
            with box("cardhead"):
                text("Errors", tag="h2")
                self._kinds = text("", "aside")
            self._list = _List()
        self._list.props["groups"] = []
        self._list.props["chosen"] = ""
        self._list.on("choose", lambda event: choose(event.args))

    def show(self, found: list[LetterGroup], chosen: str, *, in_place: bool = False) -> None:
        """``in_place``: those that are shown keep their places, so that nothing moves under the pointer."""
        if in_place:
            places = {fingerprint: place for place, fingerprint in enumerate(self._order)}
            found = sorted(found, key=lambda group: places.get(group.fingerprint, len(places)))
        self._order = [group.fingerprint for group in found]
        self._kinds.set_text(plural(len(found), "kind"))
        groups = _as_json(found)
        if groups != self._list.props["groups"] or chosen != self._list.props["chosen"]:
            self._list.props["groups"], self._list.props["chosen"] = groups, chosen
            self._list.update()


def code_word(error_code: str) -> str:
    """As people know it: Meta's codes are numbers, ours are words."""
    return error_code.removeprefix("meta_")


def _as_json(found: list[LetterGroup]) -> list[dict[str, Any]]:
    total = sum(group.count for group in found)
    most = max((group.count for group in found), default=1)
    alike = Counter((group.error_code, group.template_name) for group in found)
    everything = {
        "key": "",
        "title": "All errors",
        "about": "",
        "detail": "",
        "count": number(total),
        "share": 100 if total else 0,
        "tone": "brand",
    }
    return [
        everything,
        *(
            {
                "key": group.fingerprint,
                "title": group.title,
                "about": _about(group, has_twin=alike[group.error_code, group.template_name] > 1),
                "detail": group.detail,
                "count": short_number(group.count),
                "share": max(1.5, round(group.count * 100 / most, 1)),
                "tone": ERROR[group.klass][1],
                "klass": ERROR[group.klass][0],
                "hours": group.per_hour,
                "today": number(sum(group.per_hour)),
                "last": group.last_seen.isoformat(),
            }
            for group in found
        ),
    ]


def _about(group: LetterGroup, *, has_twin: bool) -> str:
    """What tells it from other groups of that title: the detail too, where the template does not."""
    known = f"{code_word(group.error_code)} · {group.template_name or 'Text'}"
    return f"{known} · {group.detail}" if has_twin else known
