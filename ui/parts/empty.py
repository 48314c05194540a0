"""What stands where nothing is yet, and says what would fill it."""

from nicegui import ui

from ui.parts.icon import icon
from ui.parts.text import box, text


def empty(title: str, about: str, *, icon_name: str = "inbox") -> ui.element:
    """An action can be put into it, with ``with``."""
    with box("empty") as made:
        with box("art"):
            icon(icon_name)
        text(title, tag="b")
        text(about, tag="p")
    return made
