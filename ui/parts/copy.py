"""A button that copies."""

from nicegui import ui

from ui.parts.icon import icon
from ui.parts.text import text


def copy_button(value: str, *, label: str = "Copy", words: str = "Copy") -> ui.element:
    """``value`` goes to the clipboard; ``label`` is its accessible name, ``words`` what is seen."""
    with ui.element("button").classes("plainbtn").props("type=button") as made:
        icon("copy")
        text(words)
    made.props["data-copy"] = value
    made.props["aria-label"] = label
    return made
