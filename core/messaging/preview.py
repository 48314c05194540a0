"""What a send would be, before anyone sends it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from core.contacts.queries import contact_of
from core.contacts.rules import parse_number, pretty_number
from core.errors import DomainError
from core.messaging.checks import check_contact, check_template, open_until
from core.messaging.requests import check_payload, meta_body
from core.phones.queries import sender
from core.templates.rules import rendered
from core.unit import Unit
from data.messages import Contact
from data.sending import Phone

# Stands where the message's own id will be.
FUTURE_ID = "msg_…"


@dataclass(frozen=True, slots=True)
class Preview:
    """``body`` is what goes to Meta, ``text`` what its reader sees. ``to_pretty``: the recipient as people
    write it, None while it is no number. ``window_ends_at``: when the customer's service window closes or
    closed, None when they never wrote to that phone. ``refusal``: why the send would be refused now."""

    body: dict[str, Any]
    text: str = ""
    to_pretty: str | None = None
    contact_name: str | None = None
    window_ends_at: datetime | None = None
    window_is_open: bool = False
    refusal: str | None = None
    refusal_code: str | None = None


def preview(unit: Unit, payload: dict[str, Any], *, phone_number_id: str | None) -> Preview:
    """Checked as the send would be, and nothing stored. What can be told of a refused one is told too."""
    unit.require("messages.send")
    known = Preview(meta_body(payload, message_id=FUTURE_ID))
    try:
        phone = sender(unit, phone_number_id)
        known = _with_recipient(unit, known, phone, payload)
        checked = check_payload(payload)
        known = replace(known, body=meta_body(checked, message_id=FUTURE_ID))
        template = check_template(unit, checked, waba_id=phone.waba_id)
        components = checked.get("template", {}).get("components") or []
        known = replace(known, text=rendered(template, components) if template else str(checked["text"]))
        check_contact(unit, phone, _contact(unit, checked["to"]), template)
    except DomainError as error:
        return replace(known, refusal=error.sentence, refusal_code=error.code)
    return known


def _with_recipient(unit: Unit, known: Preview, phone: Phone, payload: dict[str, Any]) -> Preview:
    to = parse_number(str(payload.get("to", "")))
    contact = _contact(unit, to)
    ends = open_until(unit, phone, contact)
    return replace(
        known,
        to_pretty=pretty_number(to),
        contact_name=contact.name if contact else None,
        window_ends_at=ends,
        window_is_open=ends is not None and ends > unit.now,
    )


def _contact(unit: Unit, to: str) -> Contact | None:
    return contact_of(unit, wa_id=to.removeprefix("+"))
