"""The sandbox that stands in for Meta in the demo: what it got, and the misfortunes it deals out."""

from functools import partial

from core.errors import Unavailable
from core.monitoring import sandbox
from core.monitoring.sandbox import SandboxView
from core.ports.sandbox import SandboxState
from ui.act import ask
from ui.format import number, plural
from ui.page import PageContext
from ui.pages.sandbox_customer import CustomerForm
from ui.pages.sandbox_faults import FaultForm, FaultList
from ui.pages.sandbox_meta import MetaForm
from ui.pages.sandbox_requests import Requests
from ui.parts.button import button
from ui.parts.card import card, card_title, heading
from ui.parts.icon import icon
from ui.parts.stat import Stat, stats
from ui.parts.text import box, text

ABOUT = "Stands in for Meta on this machine: takes what is sent, reports by webhook, and fails as told here."


async def build(page: PageContext) -> None:
    made = _Sandbox(page)
    await made.build()
    page.live(made.refresh)


class _Sandbox:
    """Until it answers for the first time there is only its failed state; then the rest is drawn, once."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._is_drawn = False

    async def build(self) -> None:
        with heading(self._page, ABOUT):
            pass
        self._draw_failure()
        self._content = box("stack sandbox")
        await self._look_again()

    async def refresh(self) -> None:
        """No row of ours says that it changed, so it is looked at as often as any live page: once for all
        that look at it, and only while one does."""
        page = self._page
        key = ("sandbox", page.actor.workspace_id, page.actor.permissions)
        try:
            view = await page.pulse.shared(key, partial(sandbox.look, page.runtime, page.identity))
        except Unavailable:
            self._fail()
            return
        await self._show(view)

    async def _look_again(self) -> None:
        try:
            view = await ask(partial(sandbox.look, self._page.runtime, self._page.identity))
        except Unavailable:
            self._fail()
            return
        await self._show(view)

    def _fail(self) -> None:
        self._failure.set_visibility(True)
        self._content.set_visibility(False)

    async def _show(self, view: SandboxView) -> None:
        self._failure.set_visibility(False)
        self._content.set_visibility(True)
        if not self._is_drawn:
            self._is_drawn = True
            with self._content:
                self._draw(view.state)
            self._show_state(view.state)
            await self._requests.start(view)
            return
        self._show_state(view.state)
        await self._requests.show(view)

    def _draw_failure(self) -> None:
        with box("card fault", role="alert") as self._failure:
            with box("art"):
                icon("cloud-off")
            text("The sandbox does not answer", tag="h2")
            text("It runs while Waypost is started with --demo. No message is lost.", tag="p")
            button("Look again", self._look_again, icon="refresh-cw")
        self._failure.set_visibility(False)

    def _draw(self, state: SandboxState) -> None:
        with stats():
            self._received = Stat("Received", tone="blue")
            self._accepted = Stat("Accepted", tone="green")
            self._refused = Stat("Refused", tone="red")
            self._resets = Stat("Cut off", tone="amber")
            self._webhooks = Stat("Webhooks sent", tone="blue")
        with box("twothirds"):
            with box("stack"):
                with card("", label="Faults"):
                    card_title("Faults", aside="The first that fits strikes")
                    self._faults = FaultList(self._page, changed=self._look_again)
                with card("", label="Magic numbers"):
                    card_title("Magic numbers", aside="Any recipient that ends so")
                    _draw_magic(state)
            with box("stack"):
                with card("", label="New fault"):
                    card_title("New fault")
                    FaultForm(self._page, state.phones, changed=self._look_again)
                with card("", label="A customer writes"):
                    card_title("A customer writes")
                    CustomerForm(self._page, state, changed=self._look_again)
                with card("", label="Meta changes its mind"):
                    card_title("Meta changes its mind")
                    MetaForm(self._page, state, changed=self._look_again)
        self._requests = Requests(self._page)

    def _show_state(self, state: SandboxState) -> None:
        self._received.show(number(state.received), "sends since it started")
        self._accepted.show(number(state.accepted), "Meta has them")
        self._refused.show(number(state.refused), "with an error of Meta's")
        self._resets.show(number(state.resets), "no answer, connection cut")
        failed = plural(state.webhooks_failed, "failed try", "failed tries")
        pending = f"{number(state.webhooks_pending)} pending, {failed}"
        self._webhooks.show(
            number(state.webhooks_sent), pending if state.webhook_url else "no address is subscribed"
        )
        self._faults.show(state)


def _draw_magic(state: SandboxState) -> None:
    with box("fates", tag="dl"):
        for fault in state.magic:
            with box():
                text(f"…{fault.to}", "mono", tag="dt")
                text(fault.title, tag="dd")
