"""Everything one running sandbox knows, and the acts that touch more than one part of it."""

import asyncio
import base64
import random
import secrets
import time

from core.sandbox.config import SandboxConfig
from core.sandbox.errors import Json, MetaError
from core.sandbox.faults import Script
from core.sandbox.journal import Journal, Received
from core.sandbox.seed import seeded
from core.sandbox.statuses import failure, journey, status_of
from core.sandbox.tokens import Tokens
from core.sandbox.webhooks import Outbox, Update
from core.sandbox.world import Phone, Template


class Sandbox:
    """One Meta: its world, its tokens, what it received, the faults in force, the webhooks under way."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.outbox = Outbox(config.app_secret, config.retry_waits_s, config.webhook_url, self._is_subscribed)
        self.verdicts: list[asyncio.TimerHandle] = []
        self.reset()

    def reset(self) -> None:
        """Everything is as after a start; webhooks under way are forgotten, the webhook's address stays."""
        seed = self.config.seed if self.config.seed is not None else secrets.randbits(32)
        self.rng = random.Random(seed)
        self.world = seeded(phones=self.config.phones)
        self.tokens = Tokens()
        self.journal = Journal()
        self.script = Script(seed=seed, demo=self.config.demo)
        self.outbox.clear()
        for verdict in self.verdicts:
            verdict.cancel()
        self.verdicts.clear()

    def accept(self, received: Received) -> None:
        """Gives the message its wamid; from now on Meta has it, whatever becomes of the answer."""
        assert received.send is not None
        received.wamid = new_wamid(received.send.recipient)

    def plan_journey(self, received: Received) -> None:
        """Sends sent, delivered and perhaps read in their time, unless the sandbox is told to send none."""
        if self.config.statuses:
            planned = journey(
                received,
                delays_s=self.config.status_delays_s,
                read_share=self.config.read_share,
                rng=self.rng,
            )
            self._tell_statuses(received, [(one.delay_s, one.status) for one in planned])

    def plan_failure(self, received: Received, error: MetaError) -> None:
        """Sends `failed` after the delay of sent."""
        planned = failure(received, error, delay_s=self.config.status_delays_s[0])
        self._tell_statuses(received, [(one.delay_s, one.status) for one in planned])

    def push_status(self, received: Received, name: str, *, at: float, errors: list[Json] | None) -> Json:
        """Sends this status at once; returns it."""
        status = status_of(received, name, at=at, errors=errors)
        self._tell_statuses(received, [(0.0, status)])
        return status

    def tell_inbound(self, phone: Phone, *, sender: str, name: str, message: Json) -> None:
        """A contact writes to this phone."""
        contact = {"profile": {"name": name}, "wa_id": sender}
        self.outbox.plan([(0.0, Update(phone.waba_id, "messages", message, phone=phone, contact=contact))])

    def tell_change(self, waba_id: str, *, field: str, value: Json) -> None:
        """One change of any field, as Meta sends for accounts, numbers and templates."""
        self.outbox.plan([(0.0, Update(waba_id, "change", value, field=field))])

    def judge_later(self, template: Template) -> None:
        """Meta's verdict follows: REJECTED for a name with `reject`, none with `pending`, else APPROVED."""
        if "pending" in template.name:
            return
        status, reason = ("REJECTED", "INVALID_FORMAT") if "reject" in template.name else ("APPROVED", "NONE")
        loop = asyncio.get_running_loop()
        self.verdicts.append(
            loop.call_later(
                self.config.verdict_delay_s, lambda: self.set_template_status(template, status, reason)
            )
        )

    def set_template_status(self, template: Template, status: str, reason: str = "NONE") -> None:
        """The template has this status from now on, and the console is told."""
        template.status = status
        template.rejected_reason = reason
        value: Json = {
            "event": status,
            "message_template_id": int(template.id),
            "message_template_name": template.name,
            "message_template_language": template.language,
            "message_template_category": template.category,
            "reason": reason,
        }
        if status == "REJECTED":
            value["rejection_info"] = {
                "reason": reason,
                "recommendation": "Correct the template and submit it again.",
            }
        if status in ("PAUSED", "DISABLED"):
            title = "FIRST_PAUSE" if status == "PAUSED" else "DISABLED"
            value["other_info"] = {
                "title": title,
                "description": "Too many recipients gave negative feedback.",
            }
        self.tell_change(template.waba_id, field="message_template_status_update", value=value)

    def _tell_statuses(self, received: Received, statuses: list[tuple[float, Json]]) -> None:
        phone = self.world.phone(received.phone_number_id)
        self.outbox.plan(
            [
                (delay_s, Update(phone.waba_id, "statuses", status, phone=phone))
                for delay_s, status in statuses
            ]
        )

    def _is_subscribed(self, waba_id: str) -> bool:
        waba = self.world.wabas.get(waba_id)
        return waba is not None and waba.subscribed


def new_wamid(contact: str) -> str:
    """An id as Meta's look, never the same twice."""
    return (
        "wamid."
        + base64.b64encode(b"\x1d\x07" + contact.encode() + b"\x15\x02" + secrets.token_bytes(12)).decode()
    )


def inbound_text(*, sender: str, text: str, at: float | None = None) -> Json:
    """An item of `messages[]` with text; `at` in unix seconds, now if left out."""
    return {
        "from": sender,
        "id": new_wamid(sender),
        "timestamp": str(int(time.time() if at is None else at)),
        "type": "text",
        "text": {"body": text},
    }
