"""How far the files are that were asked for here."""

from ui.format import number, plural
from ui.page import PageContext
from ui.parts.card import card
from ui.parts.gauge import Gauge
from ui.parts.text import box, text
from ui.running_exports import EXPORTS


class Exports:
    """``refresh()`` brings it up to date; nothing stands there while nothing is under way."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._gauges: list[Gauge] = []
        self._box = card("works", label="Exports")
        self._box.set_visibility(False)

    def refresh(self) -> None:
        running = EXPORTS.of(self._page.actor.id)
        if len(running) != len(self._gauges):
            self._draw(len(running))
        for gauge, each in zip(self._gauges, running, strict=True):
            gauge.show(
                each.done, max(1, each.total), f"{number(each.done)} of {plural(each.total, 'dead letter')}"
            )

    def _draw(self, count: int) -> None:
        self._box.clear()
        self._gauges = []
        with self._box:
            for _ in range(count):
                with box("workline"):
                    text("Export", tag="b")
                    self._gauges.append(Gauge("Downloaded", "Progress of the export"))
        self._box.set_visibility(count > 0)
