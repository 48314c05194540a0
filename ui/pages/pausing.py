"""Asks for a pause: why, and until when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ui.parts.button import button
from ui.parts.confirm import Dialog
from ui.parts.field import choice_field, text_field
from ui.parts.text import box

# Minutes → what is shown.
ENDS = {
    0: "When someone resumes it",
    15: "In 15 minutes",
    60: "In an hour",
    240: "In 4 hours",
    1440: "In a day",
}


@dataclass(frozen=True, slots=True)
class Pause:
    """``minutes``: how long; 0 is until someone resumes it. ``subject``: what, where there was a choice."""

    reason: str
    minutes: int
    subject: str = ""


async def ask_pause(
    title: str,
    consequence: str,
    *,
    yes: str,
    facts: Iterable[tuple[str, str]] = (),
    subjects: Mapping[str, str] | None = None,
    called: str = "",
    is_danger: bool = False,
) -> Pause | None:
    """What the person asked for, or None when they thought better of it. ``subjects``: id → what is shown;
    ``called``: what they are."""
    with Dialog(title, consequence, facts) as dialog:
        with box("dbody"):
            subject = choice_field(called, subjects, next(iter(subjects)), search=True) if subjects else None
            reason = text_field("Reason")
            ends = choice_field("Ends", ENDS, 0)
        with box("dfoot"):
            button("Cancel", lambda: dialog.close(None))
            go = button(
                yes,
                lambda: dialog.close(
                    Pause((reason.value or "").strip(), ends.value or 0, subject.value if subject else "")
                ),
                kind="dangerfill" if is_danger else "pri",
            )
            go.set_enabled(False)

            def look() -> None:
                is_chosen = subject is None or subject.value is not None
                go.set_enabled(is_chosen and bool((reason.value or "").strip()))

            for field in (subject, reason):
                if field is not None:
                    field.on_value_change(look)
    answer = await dialog.answer()
    return answer if isinstance(answer, Pause) else None
