"""From an empty workspace to a message that arrived: what is done, and what is next."""

import asyncio
from functools import partial

from core.contacts.rules import pretty_number
from core.inbox.trial import PATH as WEBHOOKS
from core.monitoring.first_steps import FirstSteps, first_steps, has_account
from core.ports.sandbox import SandboxAccount
from core.tokens.stand_in import connect_stand_in, find_stand_in
from ui.page import PageContext
from ui.parts.badge import Word, badge
from ui.parts.button import button, link
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.region import Region
from ui.parts.text import box, text

ABOUT = "From an empty workspace to a message that arrived. Leave it and go on whenever you like."
DONE: Word = ("Done", "green")
NEXT: Word = ("Next", "blue")
LATER: Word = ("Later", "grey")
# With these a sandbox on this machine stands in for Meta.
_WITH_SANDBOX = (
    "WAYPOST_GRAPH_URL=http://127.0.0.1:8090",
    "WAYPOST_META_APP_SECRET=any-words",
    "WAYPOST_WEBHOOK_VERIFY_TOKEN=any-words",
)


async def build(page: PageContext) -> None:
    await _Steps(page).build()


async def offer_first_steps(page: PageContext) -> None:
    """On the overview, until an account is connected, to those who can connect one."""
    if page.can("tokens.manage") and not await page.read(has_account):
        with callout("No number is connected yet", tone="blue"):
            link("Go through the first steps", "/first-steps")


class _Steps:
    """Each step is drawn anew only when it has changed."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._stand_in: SandboxAccount | None = None

    async def build(self) -> None:
        page = self._page
        found = await page.read(first_steps)
        if page.can("tokens.manage") and not found.has_account:
            self._stand_in = await asyncio.to_thread(find_stand_in, page.runtime)
        page.live(self._refresh)
        with heading(page, ABOUT):
            pass
        self._end = Region(self._draw_end, "firstend", role="status")
        with card(label="Steps"), box("steps firststeps", tag="ol"):
            self._regions = [
                Region(draw, tag="li")
                for draw in (self._workspace, self._number, self._message, self._webhook)
            ]
        self._show(found)

    async def _refresh(self) -> None:
        self._show(await self._page.read(first_steps))

    def _show(self, found: FirstSteps) -> None:
        done = (True, bool(found.numbers), found.has_sent, found.hears)
        first_open = done.index(False) if False in done else len(done)
        for place, region in enumerate(self._regions):
            region.show(found, DONE if done[place] else NEXT if place == first_open else LATER)
        self._end.show(found.is_done)

    def _workspace(self, found: FirstSteps, word: Word) -> None:
        _title("Owner and workspace", word)
        text(f"{found.workspace_name}, in the time zone {found.timezone}.", tag="p")
        with box("acts"):
            link("Change it", "/settings")
            link("Invite your colleagues", "/team")

    def _number(self, found: FirstSteps, word: Word) -> None:
        _title("Connect a number", word)
        if found.numbers:
            text(", ".join(map(pretty_number, found.numbers)), tag="p")
            with box("acts"):
                link("See your numbers", "/phones")
            return
        if found.has_account:
            text(
                "The account is connected, and has no number yet: add one in Meta's WhatsApp Manager.",
                tag="p",
            )
            return
        if not self._page.can("tokens.manage"):
            text("An owner of the workspace connects it.", tag="p")
            return
        if self._stand_in is not None:
            text("A sandbox stands in for Meta here: nothing leaves this machine.", tag="p")
            with box("acts"):
                button(
                    "Use the sandbox's account",
                    partial(self._use_stand_in, self._stand_in.waba_id),
                    icon="flask-conical",
                    kind="pri",
                )
                link("Connect another account", "/phones/connect")
            return
        text("You need the id of your WhatsApp Business Account and a token of a system user.", tag="p")
        with box("acts"):
            link("Connect your account", "/phones/connect", classes="btnlink pri")
        with box("sameastable", tag="details"):
            text("Try it with a sandbox first", tag="summary")
            text("Stop Waypost, and put these lines into .env:", tag="p")
            text("\n".join(_WITH_SANDBOX), "lines mono", tag="p")
            text("Start Waypost again, and beside it, in the same folder, the sandbox:", tag="p")
            url = f"{self._page.runtime.settings.public_url}{WEBHOOKS}"
            text(f".venv/bin/python main.py sandbox --webhook-url {url}", "lines mono", tag="p")

    async def _use_stand_in(self, waba_id: str) -> None:
        page = self._page
        connect = partial(connect_stand_in, page.runtime, page.identity, waba_id=waba_id)
        if await page.act(connect, done="The sandbox's account is connected") is not None:
            await self._refresh()

    def _message(self, found: FirstSteps, word: Word) -> None:
        _title("Send a test message", word)
        if found.has_sent:
            text("Meta took it. What becomes of it stands with the message.", tag="p")
            with box("acts"):
                link("See the messages", "/messages")
            return
        text("A template that Meta has approved, such as hello_world, to your own phone.", tag="p")
        if found.numbers and self._page.can("messages.send"):
            with box("acts"):
                link("Send one", "/send", classes="btnlink pri")

    def _webhook(self, found: FirstSteps, word: Word) -> None:
        _title("Hear what became of it", word)
        if found.hears:
            text("Webhooks arrive: what is delivered and read is known here.", tag="p")
            with box("acts"):
                link("See the webhooks", "/webhooks")
            return
        text(
            "Meta reports what was delivered and read to an address of yours. The Webhooks page has what to "
            "paste into Meta's form, and a test of the way back.",
            tag="p",
        )
        if self._page.can("webhooks.view"):
            with box("acts"):
                main = found.has_sent and bool(found.numbers)
                link("Set up and test it", "/webhooks", classes="btnlink pri" if main else "link")

    def _draw_end(self, is_done: bool) -> None:
        if is_done:
            with callout("All set: this workspace sends and hears", tone="green"):
                link("To the overview", "/")


def _title(title: str, word: Word) -> None:
    with box("steptitle"):
        text(title, tag="h2")
        badge(word)
