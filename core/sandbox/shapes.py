"""What Meta accepts as the body of a /messages request, and in which words it refuses the rest."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.sandbox.errors import Json, MetaError, bad_parameter
from core.sandbox.world import Template

FindTemplate = Callable[[str, str], Template | None]
"""(name, language) → the template of this WABA, if there is one."""

TOP_KEYS = frozenset(
    {
        "messaging_product",
        "recipient_type",
        "to",
        "recipient",
        "type",
        "context",
        "biz_opaque_callback_data",
        "recipient_identity_key_hash",
    }
)
MEDIA = ("image", "video", "audio", "document", "sticker")
TYPES = ("text", "template", *MEDIA, "location", "contacts", "interactive", "reaction")
PARAMETER_KEYS = frozenset(
    {
        "type",
        "parameter_name",
        "text",
        "currency",
        "date_time",
        "image",
        "video",
        "document",
        "location",
        "payload",
        "coupon_code",
        "action",
    }
)
VARIABLE = re.compile(r"\{\{(\w+)\}\}")
FORBIDDEN_IN_TEXT = re.compile(r"[\n\t]| {5,}")
LONGEST_TEXT = 4096
LONGEST_FILLED_BODY = 1024
LONGEST_CALLBACK = 512


@dataclass(frozen=True, slots=True)
class Send:
    """One message that Meta would accept.

    `to` is the recipient as written, `recipient` its digits (or, if `scoped`, the business-scoped id);
    `category` is the word that the pricing object uses.
    """

    to: str
    recipient: str
    scoped: bool
    type: str
    template: str | None
    category: str
    callback: str | None


def read_product(body: object) -> Json:
    """The body as an object of the right messaging_product; anything else is refused with code 100."""
    product = body.get("messaging_product") if isinstance(body, dict) else None
    if not isinstance(body, dict) or product is None:
        raise bad_parameter("The parameter messaging_product is required.")
    if product != "whatsapp":
        raise bad_parameter(f'Param messaging_product must be one of {{WHATSAPP}} - got "{product}".')
    return body


def require_receipt(body: Json) -> None:
    """A read receipt is well formed: it names the message that was read."""
    if not _text(body.get("message_id")):
        raise bad_parameter("The parameter message_id is required.")


def read_send(body: Json, *, find_template: FindTemplate) -> Send:
    """The message in `body`, once every field is as Meta wants it; the first fault is raised as MetaError."""
    kind = body.get("type", "text")
    if kind not in TYPES:
        choices = ", ".join(name.upper() for name in TYPES)
        raise bad_parameter(f'Param type must be one of {{{choices}}} - got "{kind}".')
    _only(body, TOP_KEYS | {kind}, where="message")
    if body.get("recipient_type", "individual") not in ("individual", "group"):
        raise bad_parameter("Param recipient_type must be one of {INDIVIDUAL, GROUP}.")
    to, recipient, scoped = _recipient(body)
    callback = body.get("biz_opaque_callback_data")
    if callback is not None and (not isinstance(callback, str) or len(callback) > LONGEST_CALLBACK):
        raise bad_parameter(
            f"Param biz_opaque_callback_data must be a string of at most {LONGEST_CALLBACK} characters."
        )
    if "context" in body and not _text(_object(body, "context").get("message_id")):
        raise bad_parameter("The parameter context['message_id'] is required.")
    template = None
    if kind == "template":
        template = _check_template(_object(body, "template"), find_template=find_template)
    else:
        _check_content(body, kind=kind)
    return Send(
        to=to,
        recipient=recipient,
        scoped=scoped,
        type=kind,
        callback=callback,
        template=template.name if template else None,
        category=template.category.lower() if template else "service",
    )


def _recipient(body: Json) -> tuple[str, str, bool]:
    to, scoped_id = body.get("to"), body.get("recipient")
    if to is None and _text(scoped_id):
        if not re.fullmatch(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}", str(scoped_id)):
            raise MetaError(131009, details="Param recipient is not a valid business-scoped user id.")
        return str(scoped_id), str(scoped_id), True
    if to is None or to == "":
        raise bad_parameter("The parameter to is required.")
    if not isinstance(to, str):
        raise bad_parameter("Param to must be a string.")
    digits = re.sub(r"[+\s().-]", "", to)
    if not re.fullmatch(r"[0-9]{5,20}", digits):
        raise MetaError(131009, details="Recipient phone number is not a valid WhatsApp phone number.")
    return to, digits, False


def _check_content(body: Json, *, kind: str) -> None:
    if kind == "contacts":
        if not isinstance(body.get("contacts"), list) or not body["contacts"]:
            raise bad_parameter("The parameter contacts is required.")
        return
    content = _object(body, kind)
    if kind == "text":
        _only(content, frozenset({"body", "preview_url"}), where="text")
        text = _need(content, "body", inside="text")
        if len(text) > LONGEST_TEXT:
            raise bad_parameter(f"Param text['body'] must be at most {LONGEST_TEXT} characters long.")
        if not isinstance(content.get("preview_url", False), bool):
            raise bad_parameter("Param text['preview_url'] must be a boolean.")
    elif kind in MEDIA:
        if not (_text(content.get("id")) or _text(content.get("link"))):
            raise MetaError(
                131008, details=f"One of the parameters {kind}['id'] and {kind}['link'] is required."
            )
    elif kind == "location":
        for name in ("latitude", "longitude"):
            if content.get(name) is None:
                raise bad_parameter(f"The parameter location['{name}'] is required.")
    elif kind == "interactive":
        _need(content, "type", inside="interactive")
        _object(content, "action", inside="interactive")
    elif kind == "reaction":
        _need(content, "message_id", inside="reaction")


def _check_template(content: Json, *, find_template: FindTemplate) -> Template:
    _only(content, frozenset({"name", "language", "components", "namespace"}), where="template")
    name = _need(content, "name", inside="template")
    language = _need(_object(content, "language", inside="template"), "code", inside="template['language']")
    template = find_template(name, language)
    if template is None or template.status not in ("APPROVED", "FLAGGED", "REINSTATED", "PAUSED", "DISABLED"):
        raise MetaError(132001, details=f"template name ({name}) does not exist in {language}")
    if template.status == "PAUSED":
        raise MetaError(132015)
    if template.status == "DISABLED":
        raise MetaError(132016)
    given = content.get("components") or []
    if not isinstance(given, list) or not all(isinstance(part, dict) for part in given):
        raise bad_parameter("Param template['components'] must be an array.")
    _check_parts(given)
    _check_variables(template, given, kind="header")
    _check_variables(template, given, kind="body")
    _check_buttons(template, given)
    return template


def _check_parts(given: list[Json]) -> None:
    for position, part in enumerate(given):
        where = f"template['components'][{position}]"
        _only(part, frozenset({"type", "sub_type", "index", "parameters"}), where=where)
        if str(part.get("type", "")).lower() not in ("header", "body", "button"):
            raise bad_parameter(f"Param {where}['type'] must be one of {{HEADER, BODY, BUTTON}}.")
        parameters = part.get("parameters", [])
        if not isinstance(parameters, list) or not all(isinstance(value, dict) for value in parameters):
            raise bad_parameter(f"Param {where}['parameters'] must be an array.")
        for number, value in enumerate(parameters):
            _only(value, PARAMETER_KEYS, where=f"{where}['parameters'][{number}]")
            _check_parameter(value, where=f"{where}['parameters'][{number}]")


def _check_parameter(value: Json, *, where: str) -> None:
    kind = value.get("type")
    if not _text(kind):
        raise bad_parameter(f"The parameter {where}['type'] is required.")
    if kind == "text":
        text = value.get("text")
        if not _text(text):
            raise MetaError(131008, details="Parameter of type text is missing text value")
        if FORBIDDEN_IN_TEXT.search(str(text)):
            raise MetaError(
                132018,
                details="Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
            )
    elif kind not in value:
        raise MetaError(131008, details=f"Parameter of type {kind} is missing {kind} value")


def _check_variables(template: Template, given: list[Json], *, kind: str) -> None:
    """Header and body take exactly their variables; *body: number of localizable_params (1) does not match
    the expected number of params (2)* is Meta's own wording."""
    part = template.part(kind.upper())
    wanted = list(dict.fromkeys(VARIABLE.findall(str(part.get("text", "")))))
    values = [
        value for one in given if str(one["type"]).lower() == kind for value in one.get("parameters", [])
    ]
    media = str(part.get("format", "TEXT")).lower()
    if media != "text":
        if [value["type"] for value in values] != [media]:
            raise MetaError(
                132012,
                details=f"{kind}: Format mismatch, expected {media.upper()}, received "
                f"{values[0]['type'].upper() if values else 'UNKNOWN'}",
            )
        return
    if len(values) != len(wanted):
        raise MetaError(
            132000,
            details=f"{kind}: number of localizable_params ({len(values)}) does not match the "
            f"expected number of params ({len(wanted)})",
        )
    for value in values:
        if value["type"] not in ("text", "currency", "date_time"):
            raise MetaError(
                132012, details=f"{kind}: Format mismatch, expected TEXT, received {value['type'].upper()}"
            )
    if template.parameter_format == "NAMED":
        names = {value.get("parameter_name") for value in values}
        if names != set(wanted):
            raise bad_parameter(
                "Invalid parameter", details=f"{kind}: Parameter name is missing or does not match"
            )
    filled = len(VARIABLE.sub("", str(part.get("text", "")))) + sum(
        len(value.get("text", "")) for value in values
    )
    if kind == "body" and filled > LONGEST_FILLED_BODY:
        raise MetaError(
            132005, details=f"body: text of {filled} characters exceeds {LONGEST_FILLED_BODY} characters"
        )


def _check_buttons(template: Template, given: list[Json]) -> None:
    buttons: list[Json] = template.part("BUTTONS").get("buttons", [])
    filled: dict[int, Json] = {}
    for part in given:
        if str(part["type"]).lower() != "button":
            continue
        index = str(part.get("index", ""))
        if not index.isdigit() or int(index) >= len(buttons):
            raise MetaError(132000, details=f"buttons: template has no button at index {index or 'none'}")
        kind = str(buttons[int(index)].get("type", "")).lower()
        if str(part.get("sub_type", "")).lower() != kind:
            raise MetaError(132012, details=f"buttons: Button at index {index} is of type {kind.title()}")
        filled[int(index)] = part
    for number, button in enumerate(buttons):
        needs = VARIABLE.search(str(button.get("url", ""))) or button.get("type") == "COPY_CODE"
        values = filled.get(number, {}).get("parameters", [])
        if needs and len(values) != 1:
            kind = str(button["type"]).title()
            raise MetaError(
                131008, details=f"buttons: Button at index {number} of type {kind} requires a parameter"
            )
        if not needs and values and button.get("type") == "URL":
            raise MetaError(
                132000, details=f"buttons: Button at index {number} of type Url takes no parameter"
            )


def _only(content: Json, allowed: frozenset[str], *, where: str) -> None:
    for key in content:
        if key not in allowed:
            raise bad_parameter(f'Unexpected key "{key}" on param "{where}".')


def _object(content: Json, name: str, *, inside: str = "") -> Json:
    value = content.get(name)
    if not isinstance(value, dict):
        path = f"{inside}['{name}']" if inside else name
        raise bad_parameter(f"The parameter {path} is required.")
    return value


def _need(content: Json, name: str, *, inside: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise bad_parameter(f"The parameter {inside}['{name}'] is required.")
    return value


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""
