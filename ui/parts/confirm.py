"""Asks before something is lost, and says what."""

from collections.abc import Iterable

from nicegui import ui

from ui.parts.button import button
from ui.parts.field import text_field
from ui.parts.text import box, text


async def confirm(
    title: str,
    consequence: str,
    *,
    yes: str,
    facts: Iterable[tuple[str, str]] = (),
    is_danger: bool = False,
    typed: str = "",
) -> bool:
    """Whether the person said yes. ``typed`` must be typed first, where nothing can be undone."""
    with _dialog(title, consequence, facts) as dialog:
        with box("dbody"):
            if typed:
                written = text_field(f"Type {typed} to go on")
        with box("dfoot"):
            button("Cancel", lambda: dialog.submit(False))
            go = button(yes, lambda: dialog.submit(True), kind="dangerfill" if is_danger else "pri")
            if typed:
                go.bind_enabled_from(written, "value", lambda value: value == typed)
    answer = await dialog
    if not dialog.is_deleted:  # the page may have been left meanwhile
        dialog.delete()
    return answer is True


async def ask_reason(
    title: str, consequence: str, *, yes: str, label: str = "Reason", is_danger: bool = False
) -> str | None:
    """What the person gave as reason, or None when they thought better of it."""
    with _dialog(title, consequence, ()) as dialog:
        with box("dbody"):
            written = text_field(label)
        with box("dfoot"):
            button("Cancel", lambda: dialog.submit(None))
            go = button(
                yes,
                lambda: dialog.submit((written.value or "").strip()),
                kind="dangerfill" if is_danger else "pri",
            )
            go.set_enabled(False)
            written.on_value_change(lambda event: go.set_enabled(bool((event.value or "").strip())))
    answer = await dialog
    if not dialog.is_deleted:  # the page may have been left meanwhile
        dialog.delete()
    return answer if isinstance(answer, str) and answer else None


class _dialog:
    """A dialog with its head, open; what is put into it stands beneath."""

    def __init__(self, title: str, consequence: str, facts: Iterable[tuple[str, str]]) -> None:
        with ui.context.client.content:
            self.dialog = ui.dialog(value=True).props("transition-show=none transition-hide=none")
        self.dialog.props["aria-label"] = title
        with self.dialog, box("dlg") as self._card:
            with box("dhead"):
                text(title, tag="h2")
                text(consequence, tag="p")
            lines = list(facts)
            if lines:
                with box("sum"), box("facts", tag="dl"):
                    for name, value in lines:
                        text(name, tag="dt")
                        text(value, tag="dd")

    def __enter__(self) -> ui.dialog:
        self._card.__enter__()
        return self.dialog

    def __exit__(self, *_: object) -> None:
        self._card.__exit__()
