"""Bars by day, stacked, with the same figures as a table for those who cannot see them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from ui.act import handler
from ui.format import number
from ui.parts.figures import Figure, figures
from ui.parts.region import Region
from ui.parts.text import box, text

# Drawn as SVG, so that the colours are those of the theme and change with it.
INK, _LINE, _SURFACE = "var(--ink-3)", "var(--line)", "var(--surface)"
WORDS = {"color": INK, "fontFamily": "Inter, system-ui, sans-serif", "fontSize": 11}
_TONES = {"brand": "var(--brand)", "blue": "var(--mark-blue)", "amber": "var(--mark-amber)"}


@dataclass(frozen=True, slots=True)
class Bar:
    """``title`` stands in the tooltip and the table, its first word under the axis. ``target``: the list that
    makes it up; empty where there is nothing."""

    title: str
    values: tuple[int, ...]
    target: str = ""


class StackedBars:
    """``series``: (what each part of a bar is, its tone). ``unit`` is what is counted, on the axis. A click
    on a bar goes to its list."""

    def __init__(
        self,
        label: str,
        *,
        unit: str,
        over: str,
        series: Sequence[tuple[str, str]],
        on_open: Callable[[str], Any],
    ) -> None:
        self._label, self._over, self._series = label, over, series
        self._bars: tuple[Bar, ...] = ()
        self._open = handler(on_open)
        with box("chart"):
            with box("legend"):
                for name, tone in series:
                    with box(f"tone-{tone}", tag="span"):
                        text(name)
            self._chart = ui.echart(_options(unit, over, series), renderer="svg").classes("bars")
            self._chart.props["aria-hidden"] = "true"
            self._chart.on("componentClick", self._clicked, ["dataIndex"])
            with box("sameastable", tag="details"):
                text("The same figures as a table", tag="summary")
                self._table = Region(self._draw_table)

    def show(self, bars: Sequence[Bar]) -> None:
        if self._bars == tuple(bars):
            return
        self._bars = tuple(bars)
        options = self._chart.options
        options["xAxis"]["data"] = [bar.title for bar in bars]
        for place, series in enumerate(options["series"]):
            series["data"] = [bar.values[place] for bar in bars]
        self._chart.update()
        self._table.show(self._bars)

    async def _clicked(self, event: Any) -> None:
        place = event.args.get("dataIndex")
        if isinstance(place, int) and 0 <= place < len(self._bars) and self._bars[place].target:
            await self._open(self._bars[place].target)

    def _draw_table(self, bars: tuple[Bar, ...]) -> None:
        names = [name for name, _ in self._series]
        figures(
            self._label,
            (self._over, *names, "Together"),
            [
                (
                    Figure(bar.title, target=bar.target),
                    *(number(value) for value in bar.values),
                    number(sum(bar.values)),
                )
                for bar in bars
            ],
        )


def _options(unit: str, over: str, series: Sequence[tuple[str, str]]) -> dict[str, Any]:
    pointer = {"type": "shadow", "shadowStyle": {"color": INK, "opacity": 0.12}}
    return {
        **frame(unit, pointer=pointer),
        "xAxis": {
            "type": "category",
            "data": [],
            **axis_of(over),
            "axisLabel": {**WORDS, ":formatter": "(title) => title.split(' ')[0]"},
        },
        "series": [
            {
                "type": "bar",
                "name": name,
                "stack": "all",
                "barMaxWidth": 28,
                "itemStyle": {"color": _TONES[tone]},
                "emphasis": {"disabled": True},
                "data": [],
            }
            for name, tone in series
        ],
    }


def frame(unit: str, *, pointer: dict[str, Any]) -> dict[str, Any]:
    """What every chart of ours has: its place, its tooltip, and ``unit`` up its side."""
    return {
        "animation": False,
        "grid": {"left": 8, "right": 8, "top": 34, "bottom": 26, "containLabel": True},
        "tooltip": {
            "trigger": "axis",
            "axisPointer": pointer,
            "className": "charttip",
            "backgroundColor": _SURFACE,
            "borderColor": _LINE,
            "textStyle": {**WORDS, "color": "var(--ink)", "fontSize": 12},
        },
        "yAxis": {
            "type": "value",
            "name": unit,
            "nameTextStyle": {**WORDS, "align": "left"},
            "minInterval": 1,
            "axisLabel": WORDS,
            "splitLine": {"lineStyle": {"color": _LINE}},
        },
    }


def axis_of(over: str) -> dict[str, Any]:
    """``over`` along the foot."""
    return {
        "name": over,
        "nameLocation": "middle",
        "nameGap": 26,
        "nameTextStyle": WORDS,
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": {"color": _LINE}},
    }
