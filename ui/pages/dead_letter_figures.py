"""The tiles above the dead letters: four figures, three of them with their last 24 hours as a line."""

from collections.abc import Sequence

from nicegui import ui

from core.dead_letters.figures import LetterFigures
from ui.format import number, relative
from ui.page import PageContext
from ui.parts.stat import Stat, stats
from ui.parts.text import box

_WIDTH, _HEIGHT = 120, 34


class Figures:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        with stats().classes("letterstats"):
            self._open = _Tile("Open letters", "brand")
            self._new = _Tile("New in 24 hours", "red")
            self._passing = _Tile("Safe to redrive", "blue")
            self._fixable = _Tile("Needs a fix first", "amber")

    def show(self, found: LetterFigures) -> None:
        oldest = found.oldest_open_at
        self._open.show(
            number(found.open),
            f"oldest from {relative(oldest, self._page.now())}" if oldest else "nothing waits for a person",
        )
        self._new.show(
            number(found.new), f"{number(found.new_before)} in the 24 hours before", found.new_per_hour
        )
        self._passing.show(number(found.can_pass), "rate limits, timeouts, outages", found.can_pass_per_hour)
        self._fixable.show(number(found.needs_fix), "templates, tokens, accounts", found.needs_fix_per_hour)


class _Tile:
    def __init__(self, label: str, tone: str) -> None:
        with box(f"sparktile tone-{tone}"):
            self._stat = Stat(label, tone=tone)
            self._line = ui.html("", sanitize=False).classes("spark")
        self._values: Sequence[int] = ()

    def show(self, value: str, about: str, per_hour: Sequence[int] = ()) -> None:
        self._stat.show(value, about)
        if per_hour != self._values:
            self._values = per_hour
            self._line.set_content(sparkline(per_hour) if any(per_hour) else "")


def sparkline(values: Sequence[int]) -> str:
    """A line for the eye alone: its figures stand beside it in words.

    >>> 'M0.0 33.0L120.0 3.0' in sparkline([0, 4])
    True
    """
    highest, steps = max(values), len(values) - 1
    points = (
        f"{index * _WIDTH / steps:.1f} {_HEIGHT - 1 - value * (_HEIGHT - 4) / highest:.1f}"
        for index, value in enumerate(values)
    )
    path = "M" + "L".join(points)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="area" d="{path}L{_WIDTH} {_HEIGHT}L0 {_HEIGHT}Z"/>'
        f'<path class="line" d="{path}"/></svg>'
    )
