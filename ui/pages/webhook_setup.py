"""What must be pasted into Meta's form, and a trial of the way back."""

from functools import partial

from core.inbox.trial import Setup, Trial, reveal_verify_token, try_out
from ui.format import number
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.card import card, card_title
from ui.parts.copy import copy_button
from ui.parts.text import Text, box, text

HIDDEN = "••••••••••••••••"
WHERE = "Meta’s app dashboard: WhatsApp, Configuration"
NO_SECRET = (
    "Every webhook is refused",
    "No app secret is set, so no signature can be checked.",
    "Set WAYPOST_META_APP_SECRET to the one in Meta’s app dashboard, and start Waypost again.",
)


class SetupCard:
    """The verify token is shown to those who manage settings, once they ask; that is in the audit log."""

    def __init__(self, page: PageContext, setup: Setup) -> None:
        self._page = page
        with card(label="Set up at Meta"):
            card_title("Set up at Meta", aside=WHERE)
            with box("setup"):
                if not setup.has_app_secret:
                    happened = NO_SECRET
                    callout(happened[0], happened[1], advice=happened[2])
                self._line("Callback URL", setup.callback_url)
                self._draw_token(setup)
                if setup.can_try:
                    self._draw_trial()

    def _line(self, name: str, value: str) -> None:
        with box("pasteline"):
            text(name, "name")
            text(value, "value mono")
            copy_button(value, label=f"Copy {name.lower()}")

    def _draw_token(self, setup: Setup) -> None:
        with box("pasteline") as self._token_line:
            text("Verify token", "name")
            if not setup.has_verify_token:
                text("Not set. Set WAYPOST_WEBHOOK_VERIFY_TOKEN to words of your own.", "value unset")
            elif not setup.can_reveal:
                text("Shown to those who may change settings.", "value unset")
            else:
                text(HIDDEN, "value mono").props["aria-label"] = "hidden"
                button("Show", self._reveal, icon="eye", kind="ghost", small=True)

    async def _reveal(self) -> None:
        token = await self._page.write(reveal_verify_token)
        if token is not None:
            self._token_line.clear()
            with self._token_line:
                text("Verify token", "name")
                text(token, "value mono")
                copy_button(token, label="Copy verify token")

    def _draw_trial(self) -> None:
        with box("trial"):
            button("Test it", self._try, icon="play")
            self._result: Text = text("Plays Meta’s handshake and a signed sample through the address above.")
            self._result.props["role"] = "status"

    async def _try(self) -> None:
        self._result.set_text("Trying…")
        done = await self._page.act(partial(try_out, self._page.runtime, self._page.identity))
        if isinstance(done, Trial):
            self._result.classes(replace="ok")
            self._result.set_text(
                f"It works: handshake in {_ms(done.handshake_s)}, signed sample stored in "
                f"{_ms(done.delivery_s)}. The sample is the newest delivery below."
            )
        else:
            self._result.classes(replace="")
            self._result.set_text("It did not work.")


def _ms(seconds: float) -> str:
    return f"{number(max(1, round(seconds * 1000)))} ms"
