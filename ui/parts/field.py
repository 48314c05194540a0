"""Fields of forms: a label that stays, the field, a hint or what is wrong with it."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from ui.act import handler
from ui.parts.text import box, text
from ui.theme import quasar_icon

Changed = Callable[[Any], Any]


def text_field(
    label: str,
    value: str = "",
    *,
    hint: str = "",
    placeholder: str = "",
    lines: int = 1,
    kind: str = "text",
    on: Changed | None = None,
) -> ui.input | ui.textarea:
    """``on(value)`` is called while typing, a moment after the last key. ``lines`` above 1: a text area."""
    with box("field"):
        name = text(label, tag="label")
        if lines > 1:
            made: ui.input | ui.textarea = ui.textarea(value=value, placeholder=placeholder)
            made.props(f"rows={lines} autogrow")
        else:
            made = ui.input(value=value, placeholder=placeholder).props(f"type={kind}")
        _finish(made, name, hint)
    if on is not None:
        made.props("debounce=250")
        made.on_value_change(_changed(on))
    return made


def choice_field(
    label: str,
    options: Mapping[Any, str],
    value: Any = None,
    *,
    hint: str = "",
    search: bool = False,
    on: Changed | None = None,
) -> ui.select:
    """``options``: value → what is shown. ``search``: typing narrows them."""
    with box("field"):
        name = text(label, tag="label")
        made = ui.select(dict(options), value=value, with_input=search)
        made.props(f'options-dense dropdown-icon="{quasar_icon("chevron-down")}" popup-content-class=choices')
        made.props["aria-label"] = label
        _finish(made, name, hint)
    if on is not None:
        made.on_value_change(_changed(on))
    return made


def problem(field: ui.element, sentence: str) -> None:
    """What is wrong with the field stands beneath it; an empty sentence takes it away."""
    field.props(f"error={'true' if sentence else 'false'}")
    field.props["error"] = bool(sentence)
    field.props["error-message"] = sentence or None


def _finish(made: Any, name: Any, hint: str) -> None:
    made.props("outlined dense").classes("fld")
    made.props["for"] = f"f{made.id}"
    name.props["for"] = f"f{made.id}"
    if hint:
        made.props["hint"] = hint


def _changed(on: Changed) -> Callable[..., Any]:
    run = handler(on)
    return lambda event: run(event.value)
