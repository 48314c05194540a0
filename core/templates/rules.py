"""Whether a template may be sent, and whether a send fills all of its variables (T4)."""

import re
from typing import Any

from core.errors import Impossible
from data.sending import Template

SENDABLE = frozenset({"APPROVED", "FLAGGED", "REINSTATED"})
VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
MEDIA_HEADERS = frozenset({"IMAGE", "VIDEO", "DOCUMENT", "LOCATION"})


def check_sendable(template: Template) -> None:
    """Refuses with ``template_not_sendable`` a template that Meta would refuse."""
    if template.status not in SENDABLE:
        raise Impossible(
            f"Template “{template.name}” ({template.language}) is {template.status.lower()} at Meta and "
            "cannot be sent. Choose another template, or wait until Meta approves it.",
            code="template_not_sendable",
            templateStatus=template.status,
        )


def check_parameters(template: Template, components: list[dict[str, Any]]) -> None:
    """Refuses with ``template_parameters`` a send that does not fill exactly the template's variables.

    *Body “Hi {{1}}, your order {{2}} is here” with one body parameter → refused: body needs 2, got 1.*
    """
    given = _given(components)
    for part, needed in variables(template).items():
        count = len(given.pop(part, []))
        if count != len(needed):
            raise _wrong(template, f"{part} needs {_count(len(needed))}, got {count}")
    for part, parameters in given.items():
        if parameters and not _optional(template, part):
            raise _wrong(
                template, f"it has no variables in its {part}, but {_count(len(parameters))} came for it"
            )


def variables(template: Template) -> dict[str, list[str]]:
    """part → the names of its variables, in order. Parts are header, body and ``button 0``, ``button 1`` …;
    a media header has one, called by its kind. Parts without variables are left out."""
    found: dict[str, list[str]] = {}
    for component in template.components:
        kind = str(component.get("type", "")).upper()
        if kind == "BUTTONS":
            for index, button in enumerate(component.get("buttons") or []):
                names = VARIABLE.findall(str(button.get("url", "")))
                if names or str(button.get("type", "")).upper() == "COPY_CODE":
                    found[f"button {index}"] = names or ["code"]
        elif kind == "HEADER" and str(component.get("format", "TEXT")).upper() in MEDIA_HEADERS:
            found["header"] = [str(component["format"]).lower()]
        elif kind in ("HEADER", "BODY"):
            names = list(dict.fromkeys(VARIABLE.findall(str(component.get("text", "")))))
            if names:
                found[kind.lower()] = names
    return found


def rendered(template: Template, components: list[dict[str, Any]]) -> str:
    """The body as its reader sees it, with the variables filled in."""
    text = next(
        (str(c.get("text", "")) for c in template.components if str(c.get("type", "")).upper() == "BODY"), ""
    )
    names = variables(template).get("body", [])
    values = [str(parameter.get("text", "…")) for parameter in _given(components).get("body", [])]
    filled = dict(zip(names, values, strict=False))
    return VARIABLE.sub(lambda match: filled.get(match[1], match[0]), text)


def _given(components: list[dict[str, Any]]) -> dict[str, list[Any]]:
    parts: dict[str, list[Any]] = {}
    for component in components:
        kind = str(component.get("type", "")).lower()
        part = f"button {component.get('index', 0)}" if kind == "button" else kind
        parameters = component.get("parameters") or []
        parts.setdefault(part, []).extend(parameters if isinstance(parameters, list) else [parameters])
    return parts


def _optional(template: Template, part: str) -> bool:
    """Quick-reply payloads may be given, and need not be."""
    if not part.startswith("button "):
        return False
    buttons = [b for c in template.components for b in (c.get("buttons") or [])]
    index = part.removeprefix("button ")
    known = index.isdigit() and int(index) < len(buttons)
    return known and str(buttons[int(index)].get("type", "")).upper() in ("QUICK_REPLY", "FLOW", "CATALOG")


def _wrong(template: Template, what: str) -> Impossible:
    return Impossible(
        f"Template “{template.name}” ({template.language}): {what}.", code="template_parameters"
    )


def _count(number: int) -> str:
    return f"{number} parameter{'' if number == 1 else 's'}"
