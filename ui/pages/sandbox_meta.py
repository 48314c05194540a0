"""The form by which the sandbox's Meta changes its mind about a number, an account or a template."""

from collections.abc import Awaitable, Callable
from functools import partial

from core.monitoring import sandbox
from core.ports.sandbox import SandboxState
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.field import choice_field
from ui.parts.text import box

# (aspect, Meta's word) → what it means.
NUMBER = {
    ("quality", "GREEN"): "Quality is high",
    ("quality", "YELLOW"): "Quality is medium",
    ("quality", "RED"): "Quality is low",
    ("messagingLimit", "TIER_250"): "Messaging limit is 250 people a day",
    ("messagingLimit", "TIER_2K"): "Messaging limit is 2,000 people a day",
    ("messagingLimit", "TIER_10K"): "Messaging limit is 10,000 people a day",
    ("messagingLimit", "TIER_UNLIMITED"): "No messaging limit",
    ("newNameStatus", "APPROVED"): "A new display name is approved",
    ("newNameStatus", "DECLINED"): "A new display name is declined",
    ("throughput", "HIGH"): "Throughput level is high",
    ("throughput", "STANDARD"): "Throughput level is standard",
}
ACCOUNT = {
    ("restriction", "DISABLE"): "The account is disabled",
    ("restriction", "RESTRICTED_BIZ_INITIATED_MESSAGING"): "No conversation may be opened",
    ("restriction", "NONE"): "Nothing is restricted",
    ("verification", "verified"): "The business is verified",
    ("verification", "pending_need_more_info"): "Verification needs more information",
    ("verification", "rejected"): "Verification is rejected",
    ("review", "APPROVED"): "The account passed its review",
    ("review", "REJECTED"): "The account did not pass its review",
}

TEMPLATE = {
    ("status", "APPROVED"): "The template is approved",
    ("status", "REJECTED"): "The template is rejected",
    ("status", "PAUSED"): "The template is paused",
    ("status", "DISABLED"): "The template is disabled",
    ("quality", "GREEN"): "Its quality is high",
    ("quality", "YELLOW"): "Its quality is medium",
    ("quality", "RED"): "Its quality is low",
    ("category", "MARKETING"): "Its category is marketing",
    ("category", "UTILITY"): "Its category is utility",
}


class MetaForm:
    def __init__(
        self, page: PageContext, state: SandboxState, *, changed: Callable[[], Awaitable[None]]
    ) -> None:
        self._page = page
        self._changed = changed
        self._phones = {each.phone_number_id for each in state.phones}
        self._templates = {f"{each.waba_id}/{each.name}/{each.language}": each for each in state.templates}
        about = {each.phone_number_id: each.verified_name for each in state.phones} | {
            each.waba_id: f"Account {each.name}" for each in state.accounts
        }
        about |= {key: f"Template {each.name}, {each.language}" for key, each in self._templates.items()}
        with box("form"):
            self._about = choice_field("About", about, next(iter(about), None), on=self._offer)
            self._says = choice_field("It says", NUMBER, next(iter(NUMBER)))
        with box("formfoot"):
            button("Change", self._change, icon="pencil", kind="pri")

    def _offer(self, about: str) -> None:
        options = TEMPLATE if about in self._templates else NUMBER if about in self._phones else ACCOUNT
        if self._says.options != options:
            self._says.set_options(dict(options), value=next(iter(options)))

    async def _change(self) -> None:
        page, about = self._page, str(self._about.value)
        aspect, word = self._says.value
        says = (NUMBER | ACCOUNT | TEMPLATE)[aspect, word]
        work = partial(self._work(about), aspect=aspect, word=word)
        if await page.act(work, done=f"{says}. Its webhook arrives in a moment."):
            await self._changed()

    def _work(self, about: str) -> Callable[..., None]:
        runtime, identity = self._page.runtime, self._page.identity
        if about in self._templates:
            return partial(sandbox.change_template, runtime, identity, self._templates[about])
        change = sandbox.change_phone if about in self._phones else sandbox.change_account
        return partial(change, runtime, identity, about)
