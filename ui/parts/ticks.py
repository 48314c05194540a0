"""Boxes to tick, natively: each with its own label."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from nicegui import ui

from ui.act import handler
from ui.parts.text import box, text


class Tick:
    """One box; ``value`` is whether it is ticked. ``on()`` is called when that changes."""

    def __init__(
        self, label: str, value: bool = False, *, hint: str = "", on: Callable[[], Any] | None = None
    ) -> None:
        self.value = value
        with box("tick", tag="label"):
            made = ui.element("input").props("type=checkbox")
            made.props["checked"] = value
            made.on("change", self._take, js_handler="(event) => emit(event.target.checked)")
            if on is not None:
                changed = handler(on)
                made.on("change", lambda _: changed(), args=[])
            with box("words", tag="span"):
                text(label)
                if hint:
                    text(hint, "hint")

    def _take(self, event: Any) -> None:
        self.value = event.args is True


class Ticks:
    """Several under one name; ``options``: value → what is shown."""

    def __init__(self, label: str, options: Mapping[Any, str], chosen: Collection[Any] = ()) -> None:
        with box("field ticks", tag="fieldset"):
            text(label, tag="legend")
            with box("tickrow"):
                self._ticks = {value: Tick(name, value in chosen) for value, name in options.items()}

    @property
    def chosen(self) -> list[Any]:
        return [value for value, tick in self._ticks.items() if tick.value]
