"""Names and values beside each other."""

from collections.abc import Iterable
from datetime import datetime

from nicegui import ui

from ui.format import NOTHING
from ui.page import PageContext
from ui.parts.text import box, text
from ui.parts.when import when

Value = str | int | datetime | None


def facts(page: PageContext, lines: Iterable[tuple[str, Value]], *, mono: Iterable[str] = ()) -> ui.element:
    """``mono`` names the lines whose value is an id. Moments are shown relative, exact on hover."""
    ids = set(mono)
    with box("facts", tag="dl") as made:
        for name, value in lines:
            text(name, tag="dt")
            with box("mono" if name in ids else "", tag="dd"):
                if isinstance(value, datetime):
                    when(page, value)
                else:
                    text(NOTHING if value is None or value == "" else str(value))
    return made


def lines(shown: Iterable[tuple[str, str]]) -> ui.element:
    """The same for words alone."""
    with box("facts", tag="dl") as made:
        for name, value in shown:
            text(name, tag="dt")
            text(value, tag="dd")
    return made
