"""What every runner sends: the same template message to made-up numbers."""

from typing import Any

TEMPLATE = "order_update"
LANGUAGE = "en_US"
FIRST_PHONE = 106_540_352_242_900
TOKEN = "bench-token"


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
