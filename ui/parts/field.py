"""Fields of forms: a label that stays, the field, a hint or what is wrong with it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from ui.act import handler
from ui.parts.text import Text, box, text
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
    limit: int = 0,
    on: Changed | None = None,
) -> ui.input | ui.textarea:
    """``on(value)`` is called while typing, a moment after the last key. ``lines`` above 1: a text area.
    ``limit``: of characters, which are counted beside the label; more can be typed."""
    with box("field counts" if limit else "field"):
        name = text(label, tag="label")
        counter = text("", "count") if limit else None
        if lines > 1:
            made: ui.input | ui.textarea = ui.textarea(value=value, placeholder=placeholder)
            made.props(f"rows={lines} autogrow")
        else:
            made = ui.input(value=value, placeholder=placeholder).props(f"type={kind}")
        _finish(made, name, hint)
    if counter is not None:
        _count(made, counter, limit)
    if on is not None or limit:
        made.props("debounce=250")
    if on is not None:
        made.on_value_change(_changed(on))
    return made


def _count(field: ui.input | ui.textarea, counter: Text, limit: int) -> None:
    def show() -> None:
        length = len(field.value or "")
        counter.set_text(f"{length} / {limit}")
        counter.classes(add="over" if length > limit else "", remove="" if length > limit else "over")

    field.on_value_change(show)
    show()


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


def many_field(
    label: str, options: Mapping[str, str], chosen: Sequence[str], *, none: str, hint: str = ""
) -> ui.select:
    """Any number of the options. ``none`` is what choosing none means."""
    with box("field"):
        name = text(label, tag="label")
        made = ui.select(dict(options), value=list(chosen), multiple=True, with_input=True)
        made.props(
            f'options-dense use-chips dropdown-icon="{quasar_icon("chevron-down")}" '
            f'clear-icon="{quasar_icon("x")}" popup-content-class=choices'
        )
        made.props["aria-label"] = label

        def say(_: object = None) -> None:
            made.props["placeholder"] = None if made.value else none

        made.on_value_change(say)
        say()
        _finish(made, name, hint)
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
