"""Changing one's own password."""

from core.errors import DomainError
from core.team.own_password import change_password
from core.team.passwords import MIN_LENGTH
from ui.act import ask
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.card import card
from ui.parts.field import problem, text_field
from ui.parts.text import box, text
from ui.parts.toast import toast


class PasswordCard:
    def __init__(self, page: PageContext) -> None:
        self._page = page

    def draw(self) -> None:
        with card("padded", label="Password"):
            text("Password", tag="h2")
            self._present = text_field("Present password", kind="password")
            self._present.props("autocomplete=current-password")
            self._new = text_field(
                "New password",
                kind="password",
                hint=f"At least {MIN_LENGTH} characters. Every other browser of yours is signed out.",
            )
            self._new.props("autocomplete=new-password")
            with box("rowline"):
                button("Change the password", self._change)

    async def _change(self) -> None:
        page, present, new = self._page, self._present.value or "", self._new.value or ""
        problem(self._present, "")
        problem(self._new, "")
        try:
            await ask(lambda: change_password(page.runtime, page.identity, present=present, new=new))
        except DomainError as refusal:
            at_fault = self._new if refusal.code.startswith("password_") else self._present
            problem(at_fault, refusal.sentence)
            return
        self._present.value = self._new.value = ""
        toast("The new password counts from now on", "good")
