"""The tokens that accounts send with: how each is, until when, and what keeps it alive."""

from core.tokens.queries import TokenPage, list_tokens
from core.tokens.refresh import missing_words
from core.unit import Unit
from ui.page import PageContext
from ui.pages.token_card import TokenCard
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.card import heading
from ui.parts.empty import empty
from ui.parts.text import box

ABOUT = "What each account sends with: it is looked at every few hours and exchanged before it expires."
AT_MOST = 200


async def build(page: PageContext) -> None:
    found = await page.read(_read)
    tokens = _Tokens(page)
    page.live(tokens.refresh)
    with heading(page, ABOUT):
        pass
    tokens.draw(found)


def _read(unit: Unit) -> TokenPage:
    return list_tokens(unit, limit=AT_MOST)


class _Tokens:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._cards: dict[str, TokenCard] = {}

    def draw(self, found: TokenPage) -> None:
        if found.missing_settings and found.items:
            callout(
                "Tokens are not renewed by themselves",
                missing_words(found.missing_settings),
                advice="Set them as Meta's app dashboard shows them, and start Waypost again.",
                tone="amber",
            )
        self._grid = box("lanes phones", tag="ul", label="Tokens")
        self._nothing = box()
        self._show(found)

    async def refresh(self) -> None:
        page = self._page
        key = ("tokens", page.actor.workspace_id, page.actor.permissions)
        self._show(await page.pulse.shared(key, self._read_shared))

    def _read_shared(self) -> TokenPage:
        with self._page.runtime.unit(self._page.identity) as unit:
            return _read(unit)

    async def _look_again(self) -> None:
        self._show(await self._page.read(_read))

    def _show(self, found: TokenPage) -> None:
        if [token.id for token in found.items] != list(self._cards) or not found.items:
            self._draw_cards(found)
        for token in found.items:
            self._cards[token.id].show(token)

    def _draw_cards(self, found: TokenPage) -> None:
        self._grid.clear()
        self._nothing.clear()
        with self._grid:
            self._cards = {
                token.id: TokenCard(self._page, token, changed=self._look_again) for token in found.items
            }
        self._grid.set_visibility(bool(found.items))
        if found.items:
            return
        about = "Connect a WhatsApp Business Account; the token it sends with appears here."
        with self._nothing, box("card"), empty("No token yet", about, icon_name="key-round"):
            if self._page.can("phones.manage") and self._page.can("tokens.manage"):
                button("Connect numbers", lambda: self._page.leave("/phones/connect"), kind="pri")
