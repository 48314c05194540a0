"""What every runner sends: the same template message to made-up numbers, and what Meta says of them."""

import json
import time
from typing import Any

TEMPLATE = "order_update"
POISONED = "poisoned_update"
LANGUAGE = "en_US"
FIRST_PHONE = 106_540_352_242_900
TOKEN = "bench-token"
WABA_ID = "100200300400500"


def phone_id(number: int) -> str:
    return str(FIRST_PHONE + number)


def recipient(number: int) -> str:
    return f"+4915{100_000_000 + number}"


def components(number: int) -> list[dict[str, Any]]:
    texts = ("Mara", f"NW-{number}")
    return [{"type": "body", "parameters": [{"type": "text", "text": text} for text in texts]}]


def payload(number: int) -> dict[str, Any]:
    """As our API takes it and our database keeps it."""
    return {
        "to": recipient(number),
        "template": {"name": TEMPLATE, "language": LANGUAGE, "components": components(number)},
    }


def meta_body(number: int) -> dict[str, Any]:
    """As Meta wants it."""
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": recipient(number),
        "type": "template",
        "template": {
            "name": TEMPLATE,
            "language": {"code": LANGUAGE},
            "components": components(number),
        },
        "biz_opaque_callback_data": f"msg_{number:026d}",
    }


def webhook(
    numbers: list[int], *, status: str, phone: str, wamid: str = "wamid.{}", ours: str = "msg_{:026d}"
) -> bytes:
    """A webhook of Meta's with that status of each of those messages, as it is signed; ``wamid`` and ``ours``
    are what Meta and we call them."""
    at = str(int(time.time()))
    statuses = [
        {
            "id": wamid.format(number),
            "status": status,
            "timestamp": at,
            "recipient_id": recipient(number).removeprefix("+"),
            "biz_opaque_callback_data": ours.format(number),
            "conversation": {"id": f"{number:032x}", "origin": {"type": "utility"}},
            "pricing": {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"},
        }
        for number in numbers
    ]
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "4930555710", "phone_number_id": phone},
        "statuses": statuses,
    }
    entry = {"id": WABA_ID, "changes": [{"field": "messages", "value": value}]}
    whole = {"object": "whatsapp_business_account", "entry": [entry]}
    return json.dumps(whole, separators=(",", ":")).encode()
