"""A template as a form: its variables as fields, a filled form as Meta's components, what its reader sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.templates import rules
from data.sending import Template

Component = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TemplateField:
    """One variable. ``key`` is unique in its template. ``part`` is header, body or ``button 0`` …; ``name``
    the variable's own, or the kind of a media header; ``about`` the button's words; ``example`` Meta's."""

    key: str
    part: str
    name: str
    kind: Literal["text", "media", "coupon"]
    about: str
    example: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A template as it stands on its reader's phone. A variable that is not filled stays as ``{{1}}``;
    ``media`` is the kind of a header that is no text; ``kinds`` are Meta's types of the buttons."""

    media: str
    header: str
    body: str
    footer: str
    buttons: tuple[str, ...]
    kinds: tuple[str, ...] = ()


def fields(template: Template) -> list[TemplateField]:
    """In the order in which they are read."""
    return [
        TemplateField(
            key=f"{part}.{name}",
            part=part,
            name=name,
            kind=_kind(template, part),
            about=str(_button(template, part).get("text", "")),
            example=_example(template, part, index, name),
        )
        for part, names in rules.variables(template).items()
        for index, name in enumerate(names)
    ]


def blanks(wanted: Sequence[TemplateField], values: Mapping[str, str]) -> list[str]:
    """The keys of the fields that are still to be filled in: Meta takes no empty variable."""
    return [field.key for field in wanted if not values.get(field.key, "").strip()]


def components_of(
    wanted: Sequence[TemplateField], values: Mapping[str, str], *, named: bool
) -> list[Component]:
    """Meta's ``components`` for those fields. ``values``: key → what was typed; ``named``: whether the
    template's variables have names of their own.

    *{"body.1": "Mara"} → [{"type": "body", "parameters": [{"type": "text", "text": "Mara"}]}]*
    """
    found: dict[str, Component] = {}
    for field in wanted:
        component = found.setdefault(field.part, _component(field))
        value = values.get(field.key, "").strip()
        component["parameters"].append(_parameter(field, value, named=named))
    return list(found.values())


def rendered(components: Sequence[Component], values: Mapping[str, str]) -> Rendered:
    """What the reader of a send with those values sees. ``values``: key → what was typed."""
    by_kind = {str(component.get("type", "")).upper(): component for component in components}
    header = by_kind.get("HEADER", {})
    kind = str(header.get("format", "TEXT")).upper()
    return Rendered(
        media="" if kind == "TEXT" else kind.lower(),
        header=_filled(header, "header", values),
        body=_filled(by_kind.get("BODY", {}), "body", values),
        footer=str(by_kind.get("FOOTER", {}).get("text", "")),
        buttons=tuple(str(button.get("text") or _words_of(button)) for button in _buttons(components)),
        kinds=tuple(str(button.get("type", "")).upper() for button in _buttons(components)),
    )


def _words_of(button: Component) -> str:
    """Meta's own words on a button that has none."""
    return "Copy offer code" if str(button.get("type", "")).upper() == "COPY_CODE" else ""


def _filled(component: Component, part: str, values: Mapping[str, str]) -> str:
    def value(name: str) -> str:
        return values.get(f"{part}.{name}", "").strip()

    return rules.VARIABLE.sub(lambda match: value(match[1]) or match[0], str(component.get("text", "")))


def _component(field: TemplateField) -> Component:
    if field.part in ("header", "body"):
        return {"type": field.part, "parameters": []}
    return {
        "type": "button",
        "sub_type": "copy_code" if field.kind == "coupon" else "url",
        "index": field.part.removeprefix("button "),
        "parameters": [],
    }


def _parameter(field: TemplateField, value: str, *, named: bool) -> Component:
    if field.name == "location" and field.kind == "media":
        latitude, _, longitude = value.partition(",")
        return {
            "type": "location",
            "location": {"latitude": latitude.strip(), "longitude": longitude.strip()},
        }
    if field.kind == "media":
        return {"type": field.name, field.name: {"link": value}}
    if field.kind == "coupon":
        return {"type": "coupon_code", "coupon_code": value}
    if named and field.part in ("header", "body"):
        return {"type": "text", "parameter_name": field.name, "text": value}
    return {"type": "text", "text": value}


def _kind(template: Template, part: str) -> Literal["text", "media", "coupon"]:
    if str(_button(template, part).get("type", "")).upper() == "COPY_CODE":
        return "coupon"
    header = next((c for c in template.components if str(c.get("type", "")).upper() == "HEADER"), {})
    is_media = part == "header" and str(header.get("format", "TEXT")).upper() in rules.MEDIA_HEADERS
    return "media" if is_media else "text"


def _example(template: Template, part: str, index: int, name: str) -> str:
    """Meta's example of a variable; empty where it has none."""
    if part.startswith("button "):
        return _example_of_button(_button(template, part))
    component = next((c for c in template.components if str(c.get("type", "")).lower() == part), {})
    examples = component.get("example") or {}
    for given in examples.get(f"{part}_text_named_params") or []:
        if given.get("param_name") == name:
            return str(given.get("example", ""))
    positional = examples.get(f"{part}_text") or []
    if positional and isinstance(positional[0], list):
        positional = positional[0]
    return str(positional[index]) if index < len(positional) else ""


def _example_of_button(button: Component) -> str:
    """The end of the address: all of it that a send gives."""
    given = button.get("example") or [""]
    example = str(given[0] if isinstance(given, list) else given)
    return example.removeprefix(str(button.get("url", "")).partition("{{")[0])


def _button(template: Template, part: str) -> Component:
    if not part.startswith("button "):
        return {}
    return _buttons(template.components)[int(part.removeprefix("button "))]


def _buttons(components: Sequence[Component]) -> list[Component]:
    return [button for component in components for button in component.get("buttons") or []]
