"""A small table of figures, all of it in sight: for sums, not for lists."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nicegui import ui

from ui.parts.button import link
from ui.parts.text import box, text


@dataclass(frozen=True, slots=True)
class Figure:
    """One cell. With ``target``, a path of ours, it is a link to what makes it up. ``sub``: small beneath."""

    shown: str
    target: str = ""
    sub: str = ""
    tone: str = ""


Line = Sequence[Figure | str]


def figures(
    label: str, heads: Sequence[str], lines: Iterable[Line], *, total: Line = (), words: int = 1
) -> ui.element:
    """The first ``words`` columns hold words, the others figures; the first cell of a line names it."""
    with box("figures", label=label, role="group") as made, box(tag="table"):
        text(label, "sr-only", tag="caption")
        with box(tag="thead"), box(tag="tr"):
            for number, head in enumerate(heads):
                text(head, "" if number < words else "right", tag="th").props("scope=col")
        with box(tag="tbody"):
            for line in lines:
                _row(line, words)
        if total:
            with box(tag="tfoot"):
                _row(total, words)
    made.props["tabindex"] = "0"
    return made


def _row(line: Line, words: int) -> None:
    with box(tag="tr"):
        for number, cell in enumerate(line):
            figure = Figure(cell) if isinstance(cell, str) else cell
            with box("" if number < words else "right num", tag="td" if number else "th") as made:
                if not number:
                    made.props("scope=row")
                if figure.target:
                    link(figure.shown, figure.target)
                elif figure.shown:
                    text(figure.shown, f"ink-{figure.tone}" if figure.tone else "")
                if figure.sub:
                    text(figure.sub, "sub", tag="div")
