"""The messages of one contact as a conversation reads: what each said, oldest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlmodel import col, select

from core.messaging.queries import HIDDEN_TEXT, MessageRow, rows_of
from core.templates.rules import rendered
from core.unit import Unit
from data.enums import Direction
from data.messages import Message
from data.sending import Phone, Template

# Meta's types of what a customer writes that is no text.
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "image": "Photo",
        "video": "Video",
        "audio": "Voice or audio",
        "document": "Document",
        "sticker": "Sticker",
        "location": "Location",
        "contacts": "Contact card",
        "button": "Button",
        "interactive": "Choice",
        "reaction": "Reaction",
        "order": "Order",
        "system": "Notice of WhatsApp",
        "edit": "Edit",
        "revoke": "Deletion",
    }
)
UNSUPPORTED = "A kind of message that WhatsApp does not pass on"
THREAD_PAGE = 50
# What a live page asks for again at most: what it shows, and what came since.
AGAIN_MAX = 500


@dataclass(frozen=True, slots=True)
class Bubble:
    """``at``: for what the customer wrote its time at Meta, for what was sent the time it was asked for.
    ``label``: the template's name or the kind of what is no text; ``said`` its words, hidden from those who
    may not see text."""

    row: MessageRow
    at: datetime
    label: str
    said: str


@dataclass(frozen=True, slots=True)
class Thread:
    """Oldest first. ``older_cursor`` is what to ask for older ones with; None at the beginning."""

    bubbles: list[Bubble]
    older_cursor: str | None


def thread(
    unit: Unit,
    contact_id: str,
    *,
    before: str | None = None,
    first: str | None = None,
    limit: int = THREAD_PAGE,
) -> Thread:
    """The newest messages with the contact, or the newest of those ``before`` a message; with ``first``, all
    from that message on."""
    unit.require("messages.view")
    unit.require("contacts.view")
    statement = unit.scoped(Message).where(col(Message.contact_id) == contact_id)
    if before is not None:
        statement = statement.where(col(Message.id) < before)
    if first is not None:
        statement, limit = statement.where(col(Message.id) >= first), AGAIN_MAX
    newest = unit.session.exec(statement.order_by(col(Message.id).desc()).limit(limit + 1)).all()
    messages = list(reversed(newest[:limit]))
    is_begun = len(newest) > limit or (first is not None and _has_older(unit, contact_id, first))
    return Thread(_bubbles(unit, messages), messages[0].id if messages and is_begun else None)


def _has_older(unit: Unit, contact_id: str, first: str) -> bool:
    older = select(Message.id).where(col(Message.contact_id) == contact_id, col(Message.id) < first).limit(1)
    return unit.session.exec(older).first() is not None


def _bubbles(unit: Unit, messages: list[Message]) -> list[Bubble]:
    templates = _templates(unit, {message.template_name for message in messages if message.template_name})
    reveals = unit.actor.can("contacts.reveal")
    return [
        _bubble(message, row, templates, reveals=reveals)
        for message, row in zip(messages, rows_of(unit, messages), strict=True)
    ]


def _templates(unit: Unit, names: set[str]) -> dict[tuple[str, str, str], Template]:
    """(phone, name, language) → the template as we know it now."""
    if not names:
        return {}
    found = unit.session.exec(
        select(Phone.id, Template)
        .join(Template, col(Template.waba_id) == col(Phone.waba_id))
        .where(col(Phone.workspace_id) == unit.workspace_id, col(Template.name).in_(names))
    )
    return {(phone_id, template.name, template.language): template for phone_id, template in found}


def _bubble(
    message: Message,
    row: MessageRow,
    templates: Mapping[tuple[str, str, str], Template],
    *,
    reveals: bool,
) -> Bubble:
    is_inbound = message.direction is Direction.INBOUND
    at = message.sent_at if is_inbound and message.sent_at else message.created_at
    template = templates.get(
        (message.phone_number_id, message.template_name or "", message.template_language or "")
    )
    if message.template_name is None:
        label, words = said(message.payload)
    elif template is None:
        label, words = message.template_name, row.preview
    else:
        components = message.payload.get("template", {}).get("components") or []
        label, words = message.template_name, rendered(template, components)
    return Bubble(row, at, label, words if reveals else HIDDEN_TEXT)


def said(payload: Mapping[str, Any]) -> tuple[str, str]:
    """(kind, words) of a message that is no template; the kind of a text is empty.

    *{"type": "image", "image": {"caption": "My parcel"}} → ("Photo", "My parcel")*
    """
    text = payload.get("text")
    if isinstance(text, str):
        return "", text
    kind = str(payload.get("type", ""))
    part = payload.get(kind)
    words = _words(part) if isinstance(part, dict) else ""
    if kind == "reaction" and not words:
        words = "Taken back"
    return KINDS.get(kind, UNSUPPORTED), words


def _words(part: Mapping[str, Any]) -> str:
    """What of it a person reads: a caption, a file's name, the words of a button, a reaction's emoji."""
    for reply in ("button_reply", "list_reply"):
        if isinstance(part.get(reply), dict):
            part = part[reply]
    known = (part.get(name) for name in ("caption", "filename", "body", "text", "title", "emoji"))
    place = [part.get(name) for name in ("name", "address")]
    found = [value for value in known if isinstance(value, str) and value]
    return "\n".join(found[:1] or [value for value in place if isinstance(value, str) and value])
