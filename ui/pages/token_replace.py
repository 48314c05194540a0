"""Asks for a new token. It leaves the field with the dialog, and nothing ever shows it."""

from ui.parts.button import button
from ui.parts.confirm import Dialog
from ui.parts.field import problem, text_field
from ui.parts.text import box


async def ask_token(account: str) -> str | None:
    """What was put in; None when the person thought better of it."""
    with Dialog(
        f"Replace the token of {account}?",
        "It is checked with Meta before anything changes. Messages that wait for it then go, in order.",
    ) as dialog:
        with box("dbody"):
            token = text_field("Access token", kind="password", hint="Kept sealed; it is never shown again")
            token.props("autofocus autocomplete=new-password spellcheck=false")

            def go_on() -> None:
                written = str(token.value or "").strip()
                problem(token, "" if written else "Paste the token that Meta shows.")
                if written:
                    token.set_value("")
                    dialog.close(written)

        with box("dfoot"):
            button("Cancel", lambda: dialog.close(None))
            button("Check and replace", go_on, kind="pri")
    answer = await dialog.answer()
    return answer if isinstance(answer, str) else None
