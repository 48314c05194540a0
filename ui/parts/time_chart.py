"""What happened over time: stacked bars for counts, lines for times, with the same figures as a table."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nicegui import ui

from ui.act import handler
from ui.parts.chart import INK, WORDS, axis_of, frame
from ui.parts.text import box, text

Kind = Literal["bars", "lines"]
COLOURS = {
    "brand": "var(--brand)",
    "blue": "var(--mark-blue)",
    "amber": "var(--mark-amber)",
    "red": "var(--mark-red)",
    "grey": "var(--mark-grey)",
}
# Beside their colours lines differ in their strokes, for those who see no difference in colours.
STROKES = ("solid", "dashed", "dotted")


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of each bar is, or a line; ``tone`` is one of ``COLOURS``."""

    name: str
    tone: str


@dataclass(frozen=True, slots=True)
class Point:
    """``title`` stands in the tooltip and the table, ``mark`` under the axis. ``values``: one for each part,
    None where there was nothing to measure."""

    title: str
    mark: str
    values: tuple[float | None, ...]


class _Figures(ui.element, component="time_chart.js"):
    """The table: see time_chart.js."""


class TimeChart:
    """``unit`` is what is counted or measured. ``words`` says a value in the table. ``on_choose(place)`` is
    called with the number of the bar that was clicked."""

    def __init__(
        self,
        label: str,
        parts: Sequence[Part],
        *,
        unit: str,
        kind: Kind = "bars",
        words: Callable[[float], str],
        on_choose: Callable[[int], Any],
    ) -> None:
        self._parts: tuple[Part, ...] = ()
        self._points: tuple[Point, ...] = ()
        self._kind, self._words = kind, words
        choose = handler(on_choose)
        with box("chart", label=label, role="group"):
            self._legend = box("legend")
            self._chart = ui.echart(_options(unit, kind), renderer="svg").classes("bars")
            self._chart.props["aria-hidden"] = "true"
            self._chart.on("componentClick", lambda event: choose(event.args["dataIndex"]), ["dataIndex"])
            self._table = _Figures()
        self._table.props.update(label=label, heads=[], rows=[])
        self._be(parts)

    def show(self, points: Sequence[Point], parts: Sequence[Part] | None = None) -> None:
        """Oldest first. ``parts``: other ones than before."""
        is_other = parts is not None and tuple(parts) != self._parts
        if self._points == tuple(points) and not is_other:
            return
        if parts is not None and is_other:
            self._be(parts)
        self._points = tuple(points)
        options = self._chart.options
        options["xAxis"]["data"] = [point.title for point in points]
        marks = json.dumps([point.mark for point in points])
        options["xAxis"]["axisLabel"][":formatter"] = f"(_, place) => {marks}[place]"
        for place, series in enumerate(options["series"]):
            series["data"] = [point.values[place] for point in points]
        self._chart.update()
        self._table.props["rows"] = [
            [point.title, *("–" if value is None else self._words(value) for value in point.values)]
            for point in reversed(points)
        ]
        self._table.update()

    def _be(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)
        self._legend.clear()
        with self._legend:
            for place, part in enumerate(parts):
                stroke = f" stroke-{STROKES[place % 3]}" if self._kind == "lines" else ""
                with box(f"tone-{part.tone}{stroke}", tag="span"):
                    text(part.name)
        drawn = _line if self._kind == "lines" else _bar
        self._chart.options["series"] = [drawn(part, place) for place, part in enumerate(parts)]
        self._table.props["heads"] = ["From", *(part.name for part in parts)]


def _bar(part: Part, _: int) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": part.name,
        "stack": "all",
        "barMaxWidth": 28,
        "barCategoryGap": "18%",
        "itemStyle": {"color": COLOURS[part.tone]},
        "emphasis": {"disabled": True},
        "data": [],
    }


def _line(part: Part, place: int) -> dict[str, Any]:
    return {
        "type": "line",
        "name": part.name,
        "connectNulls": False,
        "symbol": "circle",
        "symbolSize": 5,
        "itemStyle": {"color": COLOURS[part.tone]},
        "lineStyle": {"color": COLOURS[part.tone], "width": 1.75, "type": STROKES[place % 3]},
        "emphasis": {"disabled": True},
        "data": [],
    }


def _options(unit: str, kind: Kind) -> dict[str, Any]:
    pointer = (
        {"type": "line", "lineStyle": {"color": INK}}
        if kind == "lines"
        else {"type": "shadow", "shadowStyle": {"color": INK, "opacity": 0.12}}
    )
    options = frame(unit, pointer=pointer)
    if kind == "lines":
        options["yAxis"]["minInterval"] = 0
    # The legend has no room for a name under the axis, and the hours speak for themselves.
    options["grid"] |= {"bottom": 8, "right": 18}  # half of the last word under the axis
    axis = {**axis_of(""), "type": "category", "data": [], "axisLabel": {**WORDS, "hideOverlap": True}}
    return {**options, "xAxis": axis, "series": []}
