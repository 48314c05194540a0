"""A sentence that comes and goes at the edge of the page."""

from typing import Literal

from nicegui import ui

from ui.theme import quasar_icon

_ICONS = {"good": "circle-check", "bad": "circle-alert", "plain": "info"}


def toast(sentence: str, tone: Literal["good", "bad", "plain"] = "plain") -> None:
    """Read aloud at once (role alert). A refusal stays longer than a success."""
    ui.notify(
        sentence,
        position="bottom-right",
        classes=f"toast toast-{tone}",
        icon=quasar_icon(_ICONS[tone]),
        timeout=9000 if tone == "bad" else 4500,
        progress=False,
        attrs={"role": "alert"},
    )
