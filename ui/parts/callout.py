"""What happened, what it means, what to do: one box."""

from nicegui import ui

from ui.parts.badge import Tone
from ui.parts.icon import icon
from ui.parts.text import box, text

_ICONS: dict[Tone, str] = {
    "grey": "info",
    "red": "circle-alert",
    "amber": "triangle-alert",
    "blue": "info",
    "green": "circle-check",
}


def callout(
    title: str,
    happened: str = "",
    *,
    advice: str = "",
    tone: Tone = "red",
) -> ui.element:
    """More can be put into its text, with ``with``."""
    with box(f"callout {tone}"):
        icon(_ICONS[tone])
        with box("words") as words:
            text(title, tag="b")
            if happened:
                text(happened, "happened", tag="p")
            if advice:
                text(advice, "advice", tag="p")
    return words
