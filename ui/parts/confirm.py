"""Asks before something is lost, and says what."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nicegui import ui

from ui.parts.button import button
from ui.parts.field import choice_field, text_field
from ui.parts.text import box, text


async def confirm(
    title: str,
    consequence: str,
    *,
    yes: str,
    facts: Iterable[tuple[str, str]] = (),
    is_danger: bool = False,
    typed: str = "",
    body: Callable[[], None] | None = None,
) -> bool:
    """Whether the person said yes. ``typed`` must be typed first, where nothing can be undone. ``body`` draws
    more of what it comes to."""
    with Dialog(title, consequence, facts) as dialog:
        with box("dbody scrolls" if body else "dbody"):
            if body is not None:
                body()
            if typed:
                written = text_field(f"Type {typed} to go on")
        with box("dfoot"):
            button("Cancel", lambda: dialog.close(False))
            go = button(yes, lambda: dialog.close(True), kind="dangerfill" if is_danger else "pri")
            if typed:
                go.bind_enabled_from(written, "value", lambda value: value == typed)
    return await dialog.answer() is True


async def ask_reason(
    title: str,
    consequence: str,
    *,
    yes: str,
    label: str = "Reason",
    facts: Iterable[tuple[str, str]] = (),
    is_danger: bool = False,
    typed: str = "",
) -> str | None:
    """What the person gave as reason, or None when they thought better of it. ``typed`` must be typed too,
    where nothing can be undone."""
    with Dialog(title, consequence, facts) as dialog:
        with box("dbody"):
            written = text_field(label)
            word = text_field(f"Type {typed} to go on") if typed else None
        with box("dfoot"):
            button("Cancel", lambda: dialog.close(None))
            go = button(
                yes,
                lambda: dialog.close((written.value or "").strip()),
                kind="dangerfill" if is_danger else "pri",
            )
            go.set_enabled(False)

            def look() -> None:
                is_sure = word is None or word.value == typed
                go.set_enabled(is_sure and bool((written.value or "").strip()))

            for field in (written, word):
                if field is not None:
                    field.on_value_change(look)
    answer = await dialog.answer()
    return answer if isinstance(answer, str) and answer else None


async def ask_choice(
    title: str,
    consequence: str,
    *,
    label: str,
    options: Mapping[str, str],
    yes: str,
    value: str | None = None,
) -> str | None:
    """Which of the options (value → what is shown) the person chose; None when they thought better of it.
    ``value``: the one that is chosen at first, if it is one of them."""
    with Dialog(title, consequence) as dialog:
        with box("dbody"):
            chosen = choice_field(label, options, value if value in options else next(iter(options)))
        with box("dfoot"):
            button("Cancel", lambda: dialog.close(None))
            button(yes, lambda: dialog.close(chosen.value), kind="pri")
    answer = await dialog.answer()
    return answer if isinstance(answer, str) else None


class Dialog:
    """A dialog with its head, open; what is put into it, with ``with``, stands beneath. ``answer()`` waits
    for what ``close`` is given; None when it was left in another way."""

    def __init__(
        self, title: str, consequence: str, facts: Iterable[tuple[str, str]] = (), *, wide: bool = False
    ) -> None:
        with ui.context.client.content:
            self._dialog = ui.dialog(value=True).props("transition-show=none transition-hide=none")
        self._dialog.props["aria-label"] = title
        with self._dialog, box("dlg wide" if wide else "dlg") as self._card:
            with box("dhead"):
                text(title, tag="h2")
                text(consequence, tag="p")
            lines = list(facts)
            if lines:
                with box("sum"), box("facts", tag="dl"):
                    for name, value in lines:
                        text(name, tag="dt")
                        text(value, tag="dd")

    def close(self, answer: Any) -> None:
        self._dialog.submit(answer)

    async def answer(self) -> Any:
        answer = await self._dialog
        if not self._dialog.is_deleted:  # the page may have been left meanwhile
            self._dialog.delete()
        return answer

    def __enter__(self) -> "Dialog":
        self._card.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._card.__exit__()
