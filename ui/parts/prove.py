"""Asks a person to prove again who they are, before something dangerous."""

from core.errors import DomainError
from core.team.own_password import confirm
from ui.act import ask
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.confirm import Dialog
from ui.parts.field import problem, text_field
from ui.parts.text import box


async def prove(page: PageContext) -> bool:
    """Whether they gave their password or a code, so that what was refused for want of it can be tried
    again."""
    with Dialog(
        "Is it you?",
        "This changes who may do what, what is kept secret, or what is billed. Give your password, or a code "
        "of your authenticator; it counts for ten minutes.",
    ) as dialog:
        with box("dbody"):
            proof = text_field("Password or code", kind="password")
            proof.props("autofocus autocomplete=current-password")

            async def go_on() -> None:
                written = proof.value or ""
                try:
                    await ask(lambda: confirm(page.runtime, page.identity, proof=written))
                except DomainError as refusal:
                    problem(proof, refusal.sentence)
                    return
                dialog.close(True)

            proof.on("keydown.enter", go_on)
        with box("dfoot"):
            button("Cancel", lambda: dialog.close(False))
            button("Go on", go_on, kind="pri")
    return await dialog.answer() is True
