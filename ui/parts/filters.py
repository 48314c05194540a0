"""What narrows a list: search, segments, tabs, chips."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from ui.act import handler
from ui.parts.icon import icon
from ui.parts.text import Text, box, text
from ui.theme import icon_html, quasar_icon

Chosen = Callable[[str], Any]


def filter_bar() -> ui.element:
    """A row of filters above a list; on a phone they stand beneath each other."""
    return box("toolbar", label="Filters", role="group")


def search_field(label: str, value: str, on: Chosen, *, placeholder: str = "") -> ui.input:
    """The key / leads here. ``on(text)`` is called a moment after the last key."""
    made = ui.input(placeholder=placeholder or label, value=value)
    made.props(f'outlined dense clearable debounce=300 clear-icon="{quasar_icon("x")}"').classes("fld search")
    made.props["aria-label"] = label
    with made.add_slot("prepend"):
        icon("search")
    run = handler(on)
    made.on_value_change(lambda event: run((event.value or "").strip()))
    return made


def select_field(label: str, options: Mapping[str, str], value: str, on: Chosen) -> ui.select:
    """A choice in the row of filters. The first option is usually ``""``: all."""
    made = ui.select(dict(options), value=value if value in options else next(iter(options)))
    made.props(
        f'outlined dense options-dense dropdown-icon="{quasar_icon("chevron-down")}" '
        "popup-content-class=choices"
    ).classes("fld pick")
    made.props["aria-label"] = label
    run = handler(on)
    made.on_value_change(lambda event: run(event.value or ""))
    return made


def date_field(label: str, value: str, on: Chosen) -> ui.input:
    """A day, ``YYYY-MM-DD``, empty for none. ``label`` stands in front of it."""
    made = ui.input(value=value).props("outlined dense type=date").classes("fld pick day")
    made.props["prefix"] = label
    made.props["aria-label"] = label
    run = handler(on)
    made.on_value_change(lambda event: run((event.value or "").strip()))
    return made


class Segment:
    """One of a few, all in sight; ``tabs`` draws them as tabs with counts."""

    def __init__(
        self, label: str, options: Mapping[str, str], value: str, on: Chosen, *, tabs: bool = False
    ) -> None:
        self._buttons: dict[str, ui.element] = {}
        self._counts: dict[str, Text] = {}
        run = handler(on)
        with box("tabs" if tabs else "seg", label=label, role="group"):
            for key, name in options.items():
                with ui.element("button").props("type=button") as made:
                    text(name)
                    if tabs:
                        self._counts[key] = text("", "n")
                made.on("click", lambda _, key=key: self._choose(key, run))
                self._buttons[key] = made
        self.show(value)

    def show(self, value: str) -> None:
        """Which one is chosen."""
        for key, made in self._buttons.items():
            made.props(f"aria-pressed={'true' if key == value else 'false'}")

    def count(self, **counts: str) -> None:
        """The numbers beside the names; a key without one keeps its own."""
        for key, shown in counts.items():
            self._counts[key].set_text(shown)

    async def _choose(self, key: str, run: Callable[..., Any]) -> None:
        self.show(key)
        await run(key)


class Chips:
    """The filters in force, each with its own way out."""

    def __init__(self, clear: Callable[[], Any]) -> None:
        self._clear = handler(clear)
        self._row = box("chips", label="Filters in force", role="group")
        self._row.set_visibility(False)

    def show(self, chips: Mapping[str, Callable[[], Any]]) -> None:
        """``chips``: what is shown → what takes it away."""
        self._row.clear()
        self._row.set_visibility(bool(chips))
        with self._row:
            for label, remove in chips.items():
                run = handler(remove)
                with ui.element("button").classes("chip").props("type=button") as made:
                    text(label)
                    ui.html(icon_html("x"), sanitize=False, tag="span").classes("ic")
                made.props["aria-label"] = f"{label}, remove filter"
                made.on("click", lambda _, run=run: run())
            if chips:
                text("Clear all", "linkbtn", tag="button").props("type=button").on(
                    "click", lambda _: self._clear()
                )
