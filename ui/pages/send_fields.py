"""The fields that only a send has: phones as cards, templates, their variables, the sandbox's numbers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from core.demo import MagicNumber
from core.phones.queries import PhoneChoice
from core.templates.forms import TemplateField
from core.templates.queries import TemplateChoice
from ui.act import handler
from ui.parts.badge import Tone, badge
from ui.parts.field import choice_field, text_field
from ui.parts.icon import icon
from ui.parts.text import box, text

CARDS_MAX = 4
CLOSE_LIST = "(e) => { e.target.closest('details').open = false; emit(0) }"
STATUS_TONES: dict[str, Tone] = {"APPROVED": "green", "REJECTED": "red", "PAUSED": "amber", "DISABLED": "red"}

Chosen = Callable[[str], Awaitable[None]]


def phone_field(phones: Sequence[PhoneChoice], chosen: str, on: Chosen) -> None:
    """A card for each phone; many are a list instead."""
    if len(phones) > CARDS_MAX:
        names = {phone.phone_number_id: f"{phone.verified_name} · {phone.display_number}" for phone in phones}
        choice_field("From", names, chosen, search=True, on=on)
        return
    with box("field senders", tag="fieldset"):
        text("From", tag="legend")
        with box("phonecards"):
            for phone in phones:
                _phone_card(phone, on, is_chosen=phone.phone_number_id == chosen)


def _phone_card(phone: PhoneChoice, on: Chosen, *, is_chosen: bool) -> None:
    phone_id = phone.phone_number_id
    with box("choice", tag="label"):
        radio = ui.element("input").props("type=radio name=phone")
        radio.props["value"] = phone_id
        radio.props["checked"] = is_chosen
        radio.on("change", handler(lambda _: on(phone_id)))
        with box("words", tag="span"):
            text(phone.verified_name, tag="b")
            text(phone.display_number, "num")


def template_names(templates: Mapping[str, TemplateChoice]) -> dict[str, str]:
    """*order_update · en_US*, with the status where it cannot be sent."""
    return {
        key: " · ".join([each.name, each.language, *([] if each.can_send else [_status_of(each)])])
        for key, each in templates.items()
    }


def _status_of(template: TemplateChoice) -> str:
    return template.status.lower().replace("_", " ")


def template_badges(template: TemplateChoice) -> None:
    with box("badges"):
        badge((template.category.capitalize(), "grey"))
        badge((template.language, "grey"))
        badge((_status_of(template).capitalize(), STATUS_TONES.get(template.status, "grey")))


def variable_fields(
    wanted: Sequence[TemplateField], values: Mapping[str, str], on: Callable[[str, str], Awaitable[None]]
) -> dict[str, Any]:
    """key → its field. ``on(key, value)`` is called while typing."""
    with box("variables"):
        return {
            field.key: text_field(
                label_of(field),
                values.get(field.key, ""),
                placeholder=f"Such as {field.example}" if field.example else "",
                on=partial(on, field.key),
            )
            for field in wanted
        }


def label_of(field: TemplateField) -> str:
    """*Variable 1*, *first_name*, *Header image (https address)*, *Code of button “Copy code”*."""
    name = f"Variable {field.name}" if field.name.isdigit() else field.name
    if field.kind == "media":
        return (
            f"Header {field.name} ({'latitude, longitude' if field.name == 'location' else 'https address'})"
        )
    if field.kind == "coupon":
        return f"Code of button “{field.about}”"
    if field.part == "header":
        return f"Header: {name[0].lower()}{name[1:]}"
    if field.part == "body":
        return name
    return f"Button “{field.about}”: end of its address"


def magic_field(numbers: Sequence[MagicNumber], on: Chosen) -> None:
    """For the demo: recipients with a fixed fate, to be taken with a click."""
    if not numbers:
        return
    with box("magic", tag="details"):
        with box("", tag="summary"):
            icon("chevron-right")
            text("Numbers with a fixed fate in the sandbox")
        with box("", tag="ul"):
            for each in numbers:
                with box("", tag="li"), ui.element("button").props("type=button") as made:
                    text(each.number, "num")
                    text(each.fate, "fate")
                made.on("click", handler(partial(_take, on, each.number)), js_handler=CLOSE_LIST)


async def _take(on: Chosen, number: str, _: Any) -> None:
    await on(number)
