"""Icons of the Lucide set. The sprite ``static/icons.svg`` holds those that are used."""

from nicegui import ui

from ui.theme import icon_html


def icon(name: str, classes: str = "") -> ui.html:
    """For the eyes alone: what it means stands beside it, or in the name of its button."""
    return ui.html(icon_html(name, classes), sanitize=False, tag="span").classes("ic")
