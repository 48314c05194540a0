"""Something that is shown once: to be read, and to be copied."""

from nicegui import ui

from ui.parts.copy import copy_button
from ui.parts.text import box, text


def secret(label: str, value: str) -> ui.element:
    """``value`` may have several lines."""
    with box("secret", label=label, role="group") as made:
        text(value, "mono", tag="pre")
        copy_button(value)
    return made
