"""A figure over the hours up to now, as steps, against limits; with the same figures as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from ui.parts.chart import INK, WORDS, axis_of, frame
from ui.parts.figures import figures
from ui.parts.region import Region
from ui.parts.text import box, text


@dataclass(frozen=True, slots=True)
class Step:
    """``hours_ago`` is 0 now; from then on the value holds. ``cells`` are its line in the table, ``tip`` what
    stands beside the pointer."""

    hours_ago: float
    value: float
    tip: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """A line across. ``tone``: amber or red."""

    name: str
    value: float
    tone: str


class StepLine:
    """``unit`` is what is measured, from 0 to ``top``; ``heads`` name the columns of the table."""

    def __init__(
        self,
        label: str,
        *,
        unit: str,
        top: float,
        hours: int,
        limits: Sequence[Limit],
        heads: Sequence[str],
    ) -> None:
        self._label, self._heads = label, heads
        self._steps: tuple[Step, ...] = ()
        with box("chart"):
            with box("legend"):
                for name, tone in ((label, "brand"), *((each.name, each.tone) for each in limits)):
                    with box(f"tone-{tone}", tag="span"):
                        text(name)
            self._chart = ui.echart(_options(unit, top, hours, limits), renderer="svg").classes("bars")
            self._chart.props["aria-hidden"] = "true"
            with box("sameastable", tag="details"):
                text("The same figures as a table", tag="summary")
                self._table = Region(self._draw_table)

    def show(self, steps: Sequence[Step]) -> None:
        """Oldest first, the last one now."""
        if self._steps == tuple(steps):
            return
        self._steps = tuple(steps)
        self._chart.options["series"][0]["data"] = [[-each.hours_ago, each.value, each.tip] for each in steps]
        self._chart.update()
        self._table.show(self._steps)

    def _draw_table(self, steps: tuple[Step, ...]) -> None:
        figures(self._label, self._heads, [each.cells for each in reversed(steps)])


def _options(unit: str, top: float, hours: int, limits: Sequence[Limit]) -> dict[str, Any]:
    found = frame(unit, pointer={"type": "line", "lineStyle": {"color": INK}})
    found["tooltip"][":formatter"] = "(all) => all[0].data[2]"
    found["grid"]["right"] = 18  # half of the last word under the axis
    found["yAxis"] |= {"min": 0, "max": top, "axisLine": {"show": False, "onZero": False}}
    found["yAxis"]["axisTick"] = {"show": False}
    found["xAxis"] = {
        "type": "value",
        "min": -hours,
        "max": 0,
        "interval": hours / 4,
        **axis_of("hours ago"),
        "axisLabel": {**WORDS, ":formatter": "(hour) => hour ? -hour : 'now'"},
        "splitLine": {"show": False},
    }
    found["series"] = [
        {
            "type": "line",
            "step": "end",
            "showSymbol": False,
            "emphasis": {"disabled": True},  # it would make a lighter colour, and knows none of ours
            "lineStyle": {"color": "var(--brand)", "width": 2},
            "areaStyle": {"color": "var(--brand)", "opacity": 0.1},
            "itemStyle": {"color": "var(--brand)"},
            "data": [],
            "markLine": {
                "symbol": "none",
                "silent": True,
                "emphasis": {"disabled": True},
                "label": {"show": False},
                "data": [
                    {
                        "yAxis": each.value,
                        "lineStyle": {"color": f"var(--mark-{each.tone})", "type": "dashed", "width": 1.5},
                    }
                    for each in limits
                ],
            },
        }
    ]
    return found
