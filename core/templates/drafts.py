"""A template as a person writes it, and the same as Meta's components; from one to the other and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from core.errors import Malformed
from core.templates.rules import VARIABLE

Component = dict[str, Any]

AUTHENTICATION = "AUTHENTICATION"
MEDIA = ("IMAGE", "VIDEO", "DOCUMENT")
HEADERS = ("TEXT", *MEDIA, "LOCATION")
# Where the one value of a button stands, by its kind.
VALUE_KEYS: Mapping[str, str] = {
    "URL": "url",
    "PHONE_NUMBER": "phone_number",
    "COPY_CODE": "example",
    "FLOW": "flow_id",
    "OTP": "otp_type",
}
_KEYS = {
    "HEADER": {"type", "format", "text", "example"},
    "BODY": {"type", "text", "example", "add_security_recommendation"},
    "FOOTER": {"type", "text", "code_expiration_minutes"},
    "BUTTONS": {"type", "buttons"},
}


@dataclass(frozen=True, slots=True)
class DraftButton:
    """``kind``: Meta's type. ``value``: the address of a URL, the number to call, the code to copy (as an
    example), the flow's id, the kind of an OTP button. ``example``: of the variable in a URL. ``more``: what
    else Meta's button has, as it is."""

    kind: str
    text: str = ""
    value: str = ""
    example: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """``header``: Meta's format, empty for none; ``handle``: Meta's name of its uploaded example file.
    ``examples``: ``header.1``, ``body.first_name`` → the value that shows Meta what will stand there.
    ``warns`` and ``minutes`` are of codes to sign in with: whether it is said not to share them, and after
    how many minutes they end. ``others``: components that the form leaves alone."""

    name: str = ""
    language: str = "en_US"
    category: str = "UTILITY"
    header: str = ""
    header_text: str = ""
    handle: str = ""
    body: str = ""
    footer: str = ""
    buttons: tuple[DraftButton, ...] = ()
    examples: Mapping[str, str] = field(default_factory=dict)
    warns: bool = False
    minutes: int | None = None
    others: tuple[Component, ...] = ()

    @property
    def is_authentication(self) -> bool:
        return self.category == AUTHENTICATION

    @property
    def variables(self) -> dict[str, list[str]]:
        """header and body → the names of their variables, in order of first appearance."""
        header = self.header_text if self.header == "TEXT" else ""
        return {"header": names_in(header), "body": [] if self.is_authentication else names_in(self.body)}

    @property
    def is_named(self) -> bool:
        """Whether its variables have names of their own instead of numbers."""
        return any(not name.isdigit() for names in self.variables.values() for name in names)


def names_in(text: str) -> list[str]:
    return list(dict.fromkeys(VARIABLE.findall(text)))


def read_draft(
    *, name: str, language: str, category: str, components: Sequence[Any], is_ours: bool = False
) -> Draft:
    """The draft that says what those components of Meta's say. Malformed names the first place that has not
    the form of a component. ``is_ours``: they come from Meta by a sync, and what we do not know is left out.

    *[{"type": "BODY", "text": "Hi {{1}}!", "example": {"body_text": [["Mara"]]}}] → body "Hi {{1}}!",
    examples {"body.1": "Mara"}*
    """
    parts: dict[str, Component] = {}
    others: list[Component] = []
    for index, component in enumerate(components):
        where = f"components.{index}"
        kind = _text(component, "type", where=where).upper() if isinstance(component, dict) else ""
        if not kind:
            raise Malformed.field(where, "must be an object with a type")
        if kind not in _KEYS:
            others.append(component)
            continue
        if kind in parts:
            raise Malformed.field(where, f"is a second {kind}; a template has one")
        for key in component if not is_ours else ():
            if key not in _KEYS[kind]:
                raise Malformed.field(f"{where}.{key}", "is not known here")
        parts[kind] = component
    header, body, footer = (parts.get(kind, {}) for kind in ("HEADER", "BODY", "FOOTER"))
    form = (_text(header, "format", where="header.format") or "TEXT").upper() if header else ""
    draft = Draft(
        name=name,
        language=language,
        category=category.upper(),
        header=form,
        header_text=_text(header, "text", where="header.text"),
        handle=_handle(header) if form in MEDIA else "",
        body=_text(body, "text", where="body.text"),
        footer=_text(footer, "text", where="footer.text"),
        buttons=tuple(_read_buttons(parts.get("BUTTONS", {}), is_ours=is_ours)),
        examples={**_read_examples(header, "header"), **_read_examples(body, "body")},
        warns=body.get("add_security_recommendation") is True,
        minutes=_minutes(footer),
        others=tuple(others),
    )
    return _as_written(draft) if is_ours and draft.is_authentication else draft


def components_of(draft: Draft) -> list[Component]:
    """Meta's components of the draft, as it takes them in a creation or an edit."""
    found = [_header(draft), _body(draft), _footer(draft)]
    if draft.buttons:
        found.append({"type": "BUTTONS", "buttons": [_button(each) for each in draft.buttons]})
    return [*filter(None, found), *draft.others]


def as_written(category: str, components: list[Component]) -> list[Component]:
    """Meta lists a template for codes in words of its own: the components as they are written instead. All
    others are as they are."""
    if category != AUTHENTICATION:
        return components
    try:
        draft = read_draft(name="", language="", category=category, components=components, is_ours=True)
    except Malformed:
        return components
    return components_of(draft)


def shown_components(draft: Draft) -> list[Component]:
    """The components with the words that Meta itself gives to messages with codes: for looking at."""
    if not draft.is_authentication:
        return components_of(draft)
    warning = " For your security, do not share this code." if draft.warns else ""
    shown: list[Component] = [{"type": "BODY", "text": f"*{{{{1}}}}* is your verification code.{warning}"}]
    if draft.minutes is not None:
        shown.append({"type": "FOOTER", "text": f"This code expires in {draft.minutes} minutes."})
    labels = [{"type": each.kind, "text": each.text or "Copy code"} for each in draft.buttons]
    return [*shown, {"type": "BUTTONS", "buttons": labels}]


def _text(component: Any, key: str, *, where: str) -> str:
    value = component.get(key, "")
    if not isinstance(value, str):
        raise Malformed.field(where, "must be text")
    return value


def _handle(header: Component) -> str:
    given = _example(header, "header").get("header_handle")
    if not given:
        return ""
    if not isinstance(given, list) or not isinstance(given[0], str):
        raise Malformed.field("header.example.header_handle", "must be a list with one handle")
    return given[0]


def _minutes(footer: Component) -> int | None:
    given = footer.get("code_expiration_minutes")
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int):
        raise Malformed.field("footer.code_expiration_minutes", "must be a whole number")
    return given


def _example(component: Component, part: str) -> Component:
    given = component.get("example") or {}
    if not isinstance(given, dict):
        raise Malformed.field(f"{part}.example", "must be an object")
    return given


def _read_examples(component: Component, part: str) -> dict[str, str]:
    """``header.1`` → its example. Meta lists them in order, those of a body once more in a list."""
    given = _example(component, part)
    names = names_in(str(component.get("text", "")))
    by_name = given.get(f"{part}_text_named_params")
    if by_name is not None:
        if not isinstance(by_name, list) or not all(isinstance(each, dict) for each in by_name):
            raise Malformed.field(f"{part}.example", "must list objects with param_name and example")
        values = {str(each.get("param_name", "")): str(each.get("example", "")) for each in by_name}
        return {f"{part}.{name}": value for name, value in values.items() if name in names}
    in_order = given.get(f"{part}_text") or []
    if isinstance(in_order, list) and in_order and isinstance(in_order[0], list):
        in_order = in_order[0]
    if not isinstance(in_order, list) or not all(isinstance(each, str) for each in in_order):
        raise Malformed.field(f"{part}.example", "must list a text for each variable")
    return {f"{part}.{name}": value for name, value in zip(names, in_order, strict=False)}


def _read_buttons(component: Component, *, is_ours: bool) -> list[DraftButton]:
    given = component.get("buttons", [])
    if not isinstance(given, list):
        raise Malformed.field("buttons", "must be a list")
    return [_read_button(button, f"buttons.{index}", is_ours) for index, button in enumerate(given)]


def _read_button(button: Any, where: str, is_ours: bool) -> DraftButton:
    kind = _text(button, "type", where=f"{where}.type").upper() if isinstance(button, dict) else ""
    if not kind:
        raise Malformed.field(where, "must be an object with a type")
    value = button.get(VALUE_KEYS.get(kind, ""), "")
    if kind == "COPY_CODE" and isinstance(value, list):  # so it comes back from Meta
        value = value[0] if value else ""
    if not isinstance(value, str):
        raise Malformed.field(f"{where}.{VALUE_KEYS[kind]}", "must be text")
    example = button.get("example", "") if kind == "URL" else ""
    if isinstance(example, list):
        example = example[0] if example else ""
    if not isinstance(example, str):
        raise Malformed.field(f"{where}.example", "must be a list with one text")
    own = {"type", "text", VALUE_KEYS.get(kind, ""), *(["example"] if kind == "URL" else [])}
    more = {key: each for key, each in button.items() if key not in own}
    return DraftButton(
        kind,
        text="" if kind == "COPY_CODE" and is_ours else _text(button, "text", where=f"{where}.text"),
        value=value,
        example=example,
        more={} if kind == "COPY_CODE" and is_ours else more,
    )


def _as_written(draft: Draft) -> Draft:
    """A template for codes, as it was written: Meta lists it with its own words, and its button as a URL."""
    buttons = [
        DraftButton("OTP", text=each.text, value=_otp_type(each.value)) if each.kind == "URL" else each
        for each in draft.buttons
    ]
    return Draft(
        name=draft.name,
        language=draft.language,
        category=draft.category,
        buttons=tuple(buttons),
        warns=draft.warns,
        minutes=draft.minutes,
    )


def _otp_type(url: str) -> str:
    return parse_qs(urlsplit(url).query).get("otp_type", ["COPY_CODE"])[0]


def _header(draft: Draft) -> Component | None:
    if not draft.header:
        return None
    header: Component = {"type": "HEADER", "format": draft.header}
    if draft.header == "TEXT":
        header["text"] = draft.header_text
        header |= _examples(draft, "header")
    elif draft.header in MEDIA:
        header["example"] = {"header_handle": [draft.handle]}
    return header


def _body(draft: Draft) -> Component:
    if draft.is_authentication:
        return {"type": "BODY", **({"add_security_recommendation": True} if draft.warns else {})}
    return {"type": "BODY", "text": draft.body, **_examples(draft, "body")}


def _footer(draft: Draft) -> Component | None:
    if draft.is_authentication:
        minutes = draft.minutes
        return {"type": "FOOTER", "code_expiration_minutes": minutes} if minutes is not None else None
    return {"type": "FOOTER", "text": draft.footer} if draft.footer else None


def _examples(draft: Draft, part: str) -> Component:
    names = draft.variables[part]
    values = [draft.examples.get(f"{part}.{name}", "") for name in names]
    if not names:
        return {}
    if draft.is_named:
        params = [{"param_name": name, "example": value} for name, value in zip(names, values, strict=True)]
        return {"example": {f"{part}_text_named_params": params}}
    return {"example": {f"{part}_text": [values] if part == "body" else values}}


def _button(button: DraftButton) -> Component:
    found: Component = {"type": button.kind, **button.more}
    if button.text:
        found["text"] = button.text
    key = VALUE_KEYS.get(button.kind)
    if key is not None and button.value:
        found[key] = button.value
    if button.kind == "URL" and button.example:
        found["example"] = [button.example]
    return found
