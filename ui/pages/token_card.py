"""One token as a card: for what, how it is, what keeps it alive, and what a person may do."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from core.tokens import commands
from core.tokens.queries import TokenView
from ui.format import NOTHING, relative
from ui.page import PageContext
from ui.pages import token_words as words
from ui.pages.token_replace import ask_token
from ui.parts.button import button
from ui.parts.gauge import Gauge
from ui.parts.text import box, text


class TokenCard:
    def __init__(self, page: PageContext, token: TokenView, *, changed: Callable[[], Awaitable[Any]]) -> None:
        self._page = page
        self._token = token
        self._changed = changed
        with box("card lane phone token", tag="li"):
            with box("lanehead"):
                with box("name"):
                    self._name = text("", "title", tag="b")
                    text(token.waba_id, "num")
                self._state = text("", "badge")
            with box("said", tag="dl"):
                self._lines = {name: self._line(name) for name in _facts(page, token)}
            self._gauge = Gauge("Time left", "Days left of 60")
            with box("lanefoot"):
                with box("notes"):
                    self._todo = text("", "note")
                    self._error = text("", "note faint")
                    self._waits = text("", "note")
                with box("acts"):
                    self._buttons()
        self.show(token)

    def show(self, token: TokenView) -> None:
        self._token = token
        now = self._page.now()
        self._name.set_text(token.account or token.waba_id)
        word, tone = words.state(token)
        self._state.set_text(word)
        self._state.classes(replace=f"badge {tone}")
        for name, value in _facts(self._page, token).items():
            self._lines[name].set_text(value)
            self._lines[name].props["title"] = value
        days = round(token.left * 60) if token.left is not None else 60 if token.never_expires else 0
        self._gauge.show(days, 60, words.ends(token, now), tone=words.time_tone(token))
        self._todo.set_text(words.what_to_do(token, now))
        self._error.set_text(token.last_error or "")
        self._error.set_visibility(token.last_error is not None)
        self._waits.set_text(words.waits(token, now))

    def _line(self, name: str) -> Any:
        with _row(name):
            return text("")

    def _buttons(self) -> None:
        name = self._token.account or self._token.waba_id
        if self._page.can("tokens.refresh"):
            made = button("Refresh now", self._refresh, icon="refresh-cw", small=True)
            made.props["aria-label"] = f"Refresh now: {name}"
        if self._page.can("tokens.manage") and self._page.can("phones.manage"):
            made = button("Replace", self._replace, icon="key-round", small=True)
            made.props["aria-label"] = f"Replace the token of {name}"

    async def _refresh(self) -> None:
        token_id = self._token.id
        done = "A new token is being fetched"
        await self._page.write(lambda unit: commands.refresh(unit, token_id), done=done)
        await self._changed()

    async def _replace(self) -> None:
        page, token = self._page, self._token
        given = await ask_token(token.account or token.waba_id)
        if given is None:
            return

        async def put_in() -> None:
            await commands.replace(page.runtime, page.identity, token.id, access_token=given)

        await page.act(put_in, done="The token is replaced")
        await self._changed()


def _facts(page: PageContext, token: TokenView) -> dict[str, str]:
    now = page.now()
    inspected = relative(token.inspected_at, now) if token.inspected_at else NOTHING
    return {
        "Numbers": words.phones(token),
        "Kind": words.kind(token),
        "Scopes": words.scopes(token),
        "Missing scopes": words.short_scopes(token.missing_scopes) or "None",
        "Last inspected": inspected,
        "Last refreshed": relative(token.refreshed_at, now) if token.refreshed_at else NOTHING,
        "Attempts": words.attempts(token),
    }


@contextmanager
def _row(name: str) -> Iterator[None]:
    with box():
        text(name, tag="dt")
        with box(tag="dd"):
            yield
