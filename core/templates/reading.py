"""Meta's descriptions of templates, read without trusting their shape."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.phones.reading import inner, kept, quality_of, shouted, word

Component = dict[str, Any]

_BUTTON_KEYS = {"button_text": "text", "button_url": "url", "button_phone_number": "phone_number"}


@dataclass(frozen=True, slots=True)
class TemplateNode:
    """One template as Meta lists it. ``asked_category``: what it was before Meta gave it another."""

    meta_id: str | None
    name: str
    language: str
    status: str
    category: str
    asked_category: str
    quality: str | None
    rejected_reason: str | None
    parameter_format: str
    components: list[Component]


def read_template(node: Mapping[str, Any]) -> TemplateNode | None:
    """None for one without name or language: no send can mean it."""
    name, language = word(node.get("name")), word(node.get("language"))
    if name is None or language is None:
        return None
    category = shouted(node.get("category")) or ""
    return TemplateNode(
        meta_id=word(node.get("id")),
        name=name,
        language=language,
        status=shouted(node.get("status")) or "UNKNOWN",
        category=category,
        asked_category=shouted(node.get("previous_category")) or category,
        quality=quality_of(node.get("quality_score")),
        rejected_reason=reason_of(node.get("rejected_reason")),
        parameter_format=shouted(node.get("parameter_format")) or "POSITIONAL",
        components=components_of(node.get("components")),
    )


def components_of(value: Any) -> list[Component]:
    found = kept(value)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def reason_of(value: Any) -> str | None:
    """*"INVALID_FORMAT" → INVALID_FORMAT; "NONE" → None.*"""
    found = shouted(value)
    return None if found in ("NONE", "NULL") else found


def status_reason(value: Mapping[str, Any]) -> str | None:
    """Why, as a status webhook says it, wherever it says it."""
    return (
        reason_of(inner(value.get("rejection_info") or {}, "reason"))
        or reason_of(value.get("reason"))
        or reason_of(inner(value.get("other_info") or {}, "title"))
    )


def status_words(value: Mapping[str, Any]) -> str | None:
    """What Meta adds in sentences, to a rejection or a pause."""
    for name, member in (("rejection_info", "recommendation"), ("other_info", "description")):
        given = value.get(name)
        said = word(given.get(member)) if isinstance(given, dict) else None
        if said is not None:
            return said
    return None


def retold(components: Sequence[Component], value: Mapping[str, Any]) -> list[Component]:
    """The components with the words that a components webhook gives. It tells words only: a header's medium
    and the examples stay as they were, until the next sync.

    *[BODY "Hi {{1}}", FOOTER "Bye"] and {message_template_element: "Hello {{1}}"} → [BODY "Hello {{1}}"]*
    """
    known = {str(one.get("type", "")).upper(): one for one in components}
    found = []
    title, footer = word(value.get("message_template_title")), word(value.get("message_template_footer"))
    header = known.pop("HEADER", {})
    if title is not None:
        found.append({**header, "type": "HEADER", "format": "TEXT", "text": title})
    elif str(header.get("format", "TEXT")).upper() != "TEXT":
        found.append(header)
    body, element = known.pop("BODY", {}), value.get("message_template_element")
    text = kept(element) if isinstance(element, str) else body.get("text", "")
    found.append({**body, "type": "BODY", "text": text})
    old_footer = known.pop("FOOTER", {})
    if footer is not None:
        found.append({**old_footer, "type": "FOOTER", "text": footer})
    old_buttons = known.pop("BUTTONS", {})
    buttons = [_button(one) for one in components_of(value.get("message_template_buttons"))]
    if buttons:
        found.append({**old_buttons, "type": "BUTTONS", "buttons": buttons})
    return [*found, *known.values()]


def digest(components: Sequence[Component]) -> str:
    """The same for what reads the same: examples and the order of keys do not count."""
    seen: list[Any] = []
    for one in sorted(components, key=lambda each: str(each.get("type", "")).upper()):
        buttons = [
            [button.get(key) for key in ("type", "text", "url", "phone_number")]
            for button in components_of(one.get("buttons"))
        ]
        seen.append([str(one.get("type", "")).upper(), one.get("format"), one.get("text"), buttons])
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:16]


def _button(told: Component) -> Component:
    button: Component = {"type": shouted(told.get("message_template_button_type") or told.get("button_type"))}
    for key, name in _BUTTON_KEYS.items():
        said = word(told.get(key) or told.get(f"message_template_{key}"))
        if said is not None:
            button[name] = said
    return button
