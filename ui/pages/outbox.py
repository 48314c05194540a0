"""The demo's mail: what would have left this machine, newest first, with links that lead back here."""

import re
from functools import partial

from core.mail.outbox import look
from core.ports.mail import Kept
from ui.act import ask
from ui.page import PageContext
from ui.parts.button import link
from ui.parts.card import heading
from ui.parts.empty import empty
from ui.parts.region import Region
from ui.parts.text import box, text
from ui.parts.when import when

ABOUT = "No mail leaves this machine in the demo: each is a file in var/outbox, and is shown here."
_LINK = re.compile(r"https?://[^\s<>\"']+")


async def build(page: PageContext) -> None:
    await _Letters(page).build()


class _Letters:
    def __init__(self, page: PageContext) -> None:
        self._page = page

    async def build(self) -> None:
        self._page.live(self._refresh)
        with heading(self._page, ABOUT):
            pass
        self._region = Region(self._draw, "mails")
        await self._refresh()

    async def _refresh(self) -> None:
        self._region.show(await ask(partial(look, self._page.runtime, self._page.identity)))

    def _draw(self, letters: list[Kept] | None) -> None:
        if letters is None:
            empty(
                "Mail goes to a server",
                "WAYPOST_SMTP_URL names one, so nothing is kept here.",
                icon_name="send",
            )
        elif not letters:
            with box("card"):
                empty(
                    "No mail yet",
                    "Invite someone to the team, and the invitation appears here.",
                    icon_name="mail",
                )
        else:
            for letter in letters:
                self._draw_letter(letter)

    def _draw_letter(self, letter: Kept) -> None:
        with box("card mailcard", tag="article"):
            with box("line"):
                text(letter.subject, tag="h2")
                if letter.at is not None:
                    when(self._page, letter.at)
            text(f"To {letter.to}", "to", tag="p")
            with box("text"):
                self._draw_text(letter.text)

    def _draw_text(self, words: str) -> None:
        """As text; only an address of this console becomes a link."""
        home = f"{self._page.runtime.settings.public_url}/"
        end = 0
        for found in _LINK.finditer(words):
            if found[0].startswith(home):
                text(words[end : found.start()])
                link(found[0], found[0])
                end = found.end()
        text(words[end:])
