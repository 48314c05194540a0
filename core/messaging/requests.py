"""A send as our API words it, checked, and as Meta wants it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.contacts.rules import parse_number
from core.errors import Impossible
from core.settings import Settings
from data.enums import MessageKind

TEXT_MAX = 4096


@dataclass(frozen=True, slots=True)
class SendRequest:
    """What someone asks for. ``payload`` is ``{to, template: {name, language, components?}}`` or
    ``{to, text}``; ``queued`` answers at once and leaves the send to a worker.
    ``idempotency`` is the key and the hash of the body that came with it."""

    payload: dict[str, Any]
    phone_number_id: str | None = None
    queued: bool = False
    ttl_s: float | None = None
    idempotency: tuple[str, str] | None = None

    @property
    def kind(self) -> MessageKind:
        return MessageKind.TEMPLATE if "template" in self.payload else MessageKind.TEXT


def template_payload(
    to: str, *, name: str, language: str, components: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    template: dict[str, Any] = {"name": name, "language": language}
    if components:
        template["components"] = components
    return {"to": to, "template": template}


def text_payload(to: str, *, text: str) -> dict[str, Any]:
    return {"to": to, "text": text}


def check_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload with its recipient as E.164. Refuses what Meta would: a wrong number, no text, too much."""
    checked = dict(payload, to=parse_number(str(payload.get("to", ""))))
    if "text" in payload:
        text = payload["text"]
        if not text.strip():
            raise Impossible("The text is empty.", code="text_empty")
        if len(text) > TEXT_MAX:
            raise Impossible(
                f"The text has {len(text):,} characters; Meta takes at most {TEXT_MAX:,}.",
                code="text_too_long",
            )
    return checked


def expiry(request: SendRequest, *, now: datetime, settings: Settings) -> datetime:
    """From when on the send is worthless (Q8)."""
    return now + timedelta(seconds=request.ttl_s or settings.waypost_message_max_age)


def meta_body(payload: dict[str, Any], *, message_id: str) -> dict[str, Any]:
    """The body of the call to Meta. It carries our id in ``biz_opaque_callback_data``, which every status of
    the message echoes: the one way to learn what became of a send that was never answered (Q6)."""
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": payload["to"],
    }
    if "template" in payload:
        template = dict(payload["template"])
        template["language"] = {"code": template["language"]}
        body |= {"type": "template", "template": template}
    else:
        body |= {"type": "text", "text": {"preview_url": False, "body": payload["text"]}}
    body["biz_opaque_callback_data"] = message_id
    return body
