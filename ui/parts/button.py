"""Buttons. While what they started is under way they are disabled, so nothing is done twice."""

from collections.abc import Callable
from typing import Any, Literal

from nicegui import ui

from ui.act import handler
from ui.parts.icon import icon
from ui.parts.text import Text
from ui.theme import quasar_icon

Kind = Literal["", "pri", "danger", "ghost", "dangerfill"]


def button(
    label: str,
    on: Callable[..., Any] | None = None,
    *,
    icon: str = "",
    kind: Kind = "",
    small: bool = False,
) -> ui.button:
    """``kind``: ``pri`` for the one main thing, ``danger`` for what loses something, ``ghost`` for the
    least."""
    made = ui.button(label, icon=quasar_icon(icon) if icon else None, color=None)
    made.props("unelevated no-caps :ripple=false")
    made.classes(f"btn {kind} {'tiny' if small else ''}")
    if on is not None:
        made.on_click(_once(made, on))
    return made


def link_button(label: str, on: Callable[..., Any]) -> Text:
    """A button that looks like a link, within a line of text."""
    made = Text(label, "linkbtn", tag="button").props("type=button")
    made.on("click", handler(lambda _: on()))
    return made


def icon_button(name: str, label: str, on: Callable[..., Any] | None = None) -> ui.element:
    """``label`` is its accessible name, and its tooltip."""
    with ui.element("button").classes("iconbtn").props("type=button") as made:
        icon(name)
    made.props["aria-label"] = made.props["title"] = label
    if on is not None:
        made.on("click", _once(made, on))
    return made


def link(label: str, target: str, *, classes: str = "link") -> ui.element:
    """A link to a path of ours. ``target`` never comes from people."""
    made = Text(label, classes, tag="a")
    made.props["href"] = target
    return made


def _once(made: ui.element, on: Callable[..., Any]) -> Callable[..., Any]:
    run = handler(on)
    busy = False

    async def clicked() -> None:
        nonlocal busy
        if busy:
            return
        busy = True
        made.props(add="disable" if isinstance(made, ui.button) else "disabled aria-busy=true")
        try:
            await run()
        finally:
            busy = False
            if made.is_deleted:
                pass
            elif not isinstance(made, ui.button):
                made.props(remove="disabled aria-busy")
            elif made.enabled:  # what it started may have disabled it
                made.props(remove="disable")

    return clicked
