"""The statuses that one accepted message will have: which, when, and with what pricing."""

import hashlib
import random
from dataclasses import dataclass

from core.sandbox.errors import Json, MetaError
from core.sandbox.journal import Received

DAY_S = 86_400
ORDER = ("sent", "delivered", "read")


@dataclass(frozen=True, slots=True)
class Planned:
    """One status, `delay_s` after acceptance."""

    delay_s: float
    status: Json


def journey(
    received: Received, *, delays_s: tuple[float, float, float], read_share: float, rng: random.Random
) -> list[Planned]:
    """Sent, delivered and, for `read_share` of the messages, read, in that order.

    Each delay is its mean times 0.5 to 1.5, never before the one in front. Sent and delivered carry pricing.
    """
    length = 3 if rng.random() < read_share else 2
    planned: list[Planned] = []
    delay_s = 0.0
    for name, mean_s in zip(ORDER[:length], delays_s, strict=False):
        delay_s = max(delay_s, mean_s * rng.uniform(0.5, 1.5))
        planned.append(Planned(delay_s, status_of(received, name, at=received.arrived_at + delay_s)))
    return planned


def failure(received: Received, error: MetaError, *, delay_s: float) -> list[Planned]:
    """Only `failed`, with Meta's error: accepted by HTTP, never sent."""
    status = status_of(received, "failed", at=received.arrived_at + delay_s, errors=[error.webhook()])
    return [Planned(delay_s, status)]


def status_of(received: Received, name: str, *, at: float, errors: list[Json] | None = None) -> Json:
    """One item of `statuses[]`; `at` in unix seconds."""
    assert received.send is not None
    assert received.wamid is not None
    send = received.send
    status: Json = {"id": received.wamid, "status": name, "timestamp": str(int(at))}
    status["recipient_user_id" if send.scoped else "recipient_id"] = send.recipient
    if send.callback is not None:
        status["biz_opaque_callback_data"] = send.callback
    if name in ("sent", "delivered"):
        if _major(received.version) < 24:
            status["conversation"] = _conversation(received, name, at=at)
        status["pricing"] = {
            "billable": True,
            "pricing_model": "PMP",
            "type": "regular",
            "category": send.category,
        }
    if errors is not None:
        status["errors"] = errors
    return status


def _conversation(received: Received, name: str, *, at: float) -> Json:
    """Up to v23: an id for each message of its own; the expiry stands on sent only."""
    assert received.send is not None
    conversation: Json = {
        "id": hashlib.md5(str(received.wamid).encode(), usedforsecurity=False).hexdigest(),
        "origin": {"type": received.send.category},
    }
    if name == "sent":
        conversation["expiration_timestamp"] = str(int(at) + DAY_S)
    return conversation


def _major(version: str) -> int:
    digits = version.removeprefix("v").partition(".")[0]
    return int(digits) if digits.isdigit() else 0
