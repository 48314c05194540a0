"""What a send would be, before anyone sends it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col

from core.errors import DomainError
from core.messaging.checks import check_contact, check_template, open_until
from core.messaging.requests import check_payload, meta_body
from core.phones.queries import sender
from core.templates.rules import rendered
from core.unit import Unit
from data.messages import Contact

# Stands where the message's own id will be.
FUTURE_ID = "msg_…"


@dataclass(frozen=True, slots=True)
class Preview:
    """``body`` is what goes to Meta, ``text`` what its reader sees. ``window_ends_at``: until when the
    customer may be sent text, if they may. ``refusal``: why the send would be refused now."""

    body: dict[str, Any]
    text: str = ""
    contact_name: str | None = None
    window_ends_at: datetime | None = None
    refusal: str | None = None


def preview(unit: Unit, payload: dict[str, Any], *, phone_number_id: str | None) -> Preview:
    """Checked as the send would be, and nothing stored."""
    unit.require("messages.send")
    body = meta_body(payload, message_id=FUTURE_ID)
    contact: Contact | None = None
    ends: datetime | None = None
    try:
        checked = check_payload(payload)
        body = meta_body(checked, message_id=FUTURE_ID)
        phone = sender(unit, phone_number_id)
        contact = _contact(unit, checked["to"])
        ends = open_until(unit, phone, contact)
        template = check_template(unit, phone, checked)
        check_contact(unit, phone, contact, template)
    except DomainError as error:
        return Preview(body, contact_name=contact.name if contact else None, refusal=error.sentence)
    components = checked.get("template", {}).get("components") or []
    return Preview(
        body,
        text=rendered(template, components) if template else str(checked["text"]),
        contact_name=contact.name if contact else None,
        window_ends_at=ends if ends is not None and ends > unit.now else None,
    )


def _contact(unit: Unit, to: str) -> Contact | None:
    return unit.session.exec(unit.scoped(Contact).where(col(Contact.wa_id) == to.removeprefix("+"))).first()
