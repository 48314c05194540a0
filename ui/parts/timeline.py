"""What happened in order: attempts, statuses, actions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from nicegui import ui

from ui.page import PageContext
from ui.parts.badge import Tone
from ui.parts.copy import copy_button
from ui.parts.text import box, text


@dataclass(frozen=True, slots=True)
class Happening:
    """``details``: further lines. ``is_last_word``: drawn filled, as where it stands now. ``to_copy``: what
    something is called and its text, which a button copies."""

    title: str
    at: datetime | None
    details: tuple[str, ...] = ()
    tone: Tone = "grey"
    is_last_word: bool = False
    to_copy: tuple[str, str] | None = None


def timeline(page: PageContext, happenings: Iterable[Happening]) -> ui.element:
    with box("timeline", tag="ol") as made:
        for each in happenings:
            with box(f"tone-{each.tone}{' end' if each.is_last_word else ''}", tag="li"):
                with box("r"):
                    text(each.title, tag="b")
                    if each.at is not None:
                        shown = text(page.times.clock(each.at), "num", tag="time")
                        shown.props["datetime"] = each.at.isoformat()
                        shown.props["title"] = page.times.exact(each.at)
                for line in each.details:
                    text(line, "m", tag="p")
                if each.to_copy is not None:
                    name, value = each.to_copy
                    with box("m tocopy", tag="p"):
                        text(f"{name} {value}")
                        copy_button(value, label=f"Copy {name}")
    return made
