"""Whether a template may be sent, and whether a send fills all of its variables (T4)."""

import re
from typing import Any

from core.errors import Impossible
from core.templates.parameters import parameters_problem
from data.sending import Template

SENDABLE = frozenset({"APPROVED", "FLAGGED", "REINSTATED"})
PAUSED = "PAUSED"
# Passes by itself, as when an edit is under review: new sends are refused, what is stored already waits.
PARKED = frozenset({PAUSED, "PENDING"})
REJECTED = "REJECTED"
# Our copy stays, for its history; a send finds it no more.
DELETED = "DELETED"
VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
BODY_MAX = 1024  # filled in (132005)
# Buttons for which something may come, and need not.
PAYLOAD_BUTTONS = frozenset({"QUICK_REPLY", "FLOW", "CATALOG", "MPM"})
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
    """Refuses with ``template_parameters`` a send that does not fill exactly the template's variables, each
    in the form that Meta takes there.

    *Body “Hi {{1}}, your order {{2}} is here” with one body parameter → refused: body needs 2 parameters, got
    1. With an image as its second one → refused: parameter 2 of its body must be a text, not “image”.*
    """
    given = _given(components)
    for part, needed in variables(template).items():
        parameters = given.pop(part, [])
        if len(parameters) != len(needed):
            raise _wrong(template, f"{part} needs {_count(len(needed))}, got {len(parameters)}")
        problem = parameters_problem(template, part, needed, parameters)
        if problem:
            raise _wrong(template, problem)
    _check_length(template, components)
    _check_buttons(template, components)
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
    filled = {
        str(parameter.get("parameter_name") or name): str(parameter.get("text", "…"))
        for name, parameter in zip(names, _given(components).get("body", []), strict=False)
    }
    return VARIABLE.sub(lambda match: filled.get(match[1], match[0]), text)


def _check_length(template: Template, components: list[dict[str, Any]]) -> None:
    length = len(rendered(template, components))
    if length > BODY_MAX:
        raise _wrong(
            template, f"with these values its body has {length} characters; Meta takes {BODY_MAX} at most"
        )


def _check_buttons(template: Template, components: list[dict[str, Any]]) -> None:
    """What comes for a button says what kind of button it is, and says it rightly."""
    buttons = _buttons(template)
    for component in components:
        index = str(component.get("index", 0))
        if str(component.get("type", "")).lower() != "button" or not index.isdigit():
            continue
        said = str(component.get("sub_type", "")).lower()
        is_there = int(index) < len(buttons)
        wanted = str(buttons[int(index)].get("type", "")).lower() if is_there else said
        if said != wanted:
            raise _wrong(template, f"the sub_type of its button {index} must be {wanted}, not “{said[:40]}”")


def _buttons(template: Template) -> list[dict[str, Any]]:
    return [button for component in template.components for button in (component.get("buttons") or [])]


def _given(components: list[dict[str, Any]]) -> dict[str, list[Any]]:
    parts: dict[str, list[Any]] = {}
    for component in components:
        kind = str(component.get("type", "")).lower()
        part = f"button {component.get('index', 0)}" if kind == "button" else kind
        parameters = component.get("parameters") or []
        parts.setdefault(part, []).extend(parameters if isinstance(parameters, list) else [parameters])
    return parts


def _optional(template: Template, part: str) -> bool:
    """Quick-reply payloads may be given, and need not be; so may parts that have no variables to count."""
    if not part.startswith("button "):
        return part not in ("header", "body") and any(
            str(component.get("type", "")).lower() == part for component in template.components
        )
    buttons = _buttons(template)
    index = part.removeprefix("button ")
    known = index.isdigit() and int(index) < len(buttons)
    return known and str(buttons[int(index)].get("type", "")).upper() in PAYLOAD_BUTTONS


def _wrong(template: Template, what: str) -> Impossible:
    return Impossible(
        f"Template “{template.name}” ({template.language}): {what}.", code="template_parameters"
    )


def _count(number: int) -> str:
    return f"{number} parameter{'' if number == 1 else 's'}"
