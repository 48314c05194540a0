"""The form of one parameter of a send, as Meta takes it where the parameter stands (T4)."""

import re
from collections.abc import Sequence
from typing import Any

from data.sending import Template

MEDIA = frozenset({"image", "video", "document"})
# Meta writes an amount or a date out itself; its parameter carries what to write where it cannot.
# (132018)
_FORBIDDEN = re.compile(r"[\n\t]| {5,}")
_WRITTEN = {"currency": "fallback_value", "date_time": "fallback_value"}


def parameters_problem(
    template: Template, part: str, names: Sequence[str], parameters: Sequence[Any]
) -> str | None:
    """What is wrong with the first parameter that Meta would not take, as it goes on after the template's
    name; None when all are right. ``names``: the variables of that part, in order."""
    is_named = part in ("header", "body") and template.parameter_format.upper() == "NAMED"
    media = names[0] if part == "header" and names[0] in (MEDIA | {"location"}) else ""
    missing = set(names) if is_named and not media else set()
    for number, parameter in enumerate(parameters, 1):
        where = f"parameter {number} of its {part}"
        if not isinstance(parameter, dict):
            return f"{where} must be an object with a type"
        kind = str(parameter.get("type", "text")).lower()
        if media:
            problem = _media_problem(media, kind, parameter)
        elif names == ["code"] and part.startswith("button "):
            problem = _code_problem(kind, parameter)
        else:
            problem = _text_problem(kind, parameter)
        if problem:
            return f"{where} {problem}"
        if is_named and not media:
            name = parameter.get("parameter_name")
            if name not in missing:
                wanted = ", ".join(f"“{each}”" for each in names if each in missing)
                return f"{where} must have as its parameter_name one of those still open: {wanted}"
            missing.discard(name)
    return None


def _text_problem(kind: str, parameter: dict[str, Any]) -> str | None:
    if kind in _WRITTEN:
        written = parameter.get(kind)
        if isinstance(written, dict) and _is_text(written.get(_WRITTEN[kind])):
            return None
        return f"must carry {kind} with its fallback_value"
    if kind != "text":
        return f"must be a text, not “{kind[:40]}”"
    if not isinstance(parameter.get("text"), str):
        return "must carry text as a string"
    if not _is_text(parameter["text"]):
        return "is empty: Meta takes no empty variable"
    if _FORBIDDEN.search(parameter["text"]):
        return "holds a line break, a tab or more than four spaces in a row, which Meta takes in no variable"
    return None


def _media_problem(medium: str, kind: str, parameter: dict[str, Any]) -> str | None:
    if kind != medium:
        return f"must be of type {medium}, not “{kind[:40]}”"
    value = parameter.get(medium)
    if not isinstance(value, dict):
        return f"must carry {medium} as an object"
    if medium == "location":
        given = all(_is_number(value.get(name)) for name in ("latitude", "longitude"))
        return None if given else "must carry location with latitude and longitude"
    given = _is_text(value.get("link")) or _is_text(value.get("id"))
    return None if given else f"must carry {medium} with a link or an id"


def _code_problem(kind: str, parameter: dict[str, Any]) -> str | None:
    code = parameter.get("coupon_code")
    if kind != "coupon_code":
        return f"must be of type coupon_code, not “{kind[:40]}”"
    return None if _is_text(code) else "must carry coupon_code, the code to copy"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and float(value) == float(value)
    except (TypeError, ValueError):
        return False
