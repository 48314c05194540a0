"""One figure with its name, and what to make of it."""

from nicegui import ui

from ui.parts.text import Text, box, text


class Stat:
    """``show`` brings it up to date; only what changed is sent. With ``target`` the whole tile is a link."""

    def __init__(self, label: str, *, tone: str = "grey", target: str = "") -> None:
        with box(f"card stat tone-{tone}", tag="a" if target else "div") as tile:
            text(label, "lbl")
            self._value: Text = text("–", "val")
            self._about: Text = text("", "sub")
        if target:
            tile.props["href"] = target

    def show(self, value: str, about: str = "") -> None:
        self._value.set_text(value)
        self._about.set_text(about)


def stats(label: str = "Key figures") -> ui.element:
    """The row that holds them; on a phone it is scrolled sideways."""
    row = box("stats", label=label, role="group")
    row.props["tabindex"] = "0"
    return row
