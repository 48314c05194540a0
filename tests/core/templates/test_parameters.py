"""T4: a send fills exactly the template's variables, each in the form that Meta takes there."""

from typing import Any

import pytest

from core.errors import Impossible
from core.templates.rules import check_parameters, rendered
from tests.core.templates.test_forms import template

Json = dict[str, Any]
BODY = {"type": "BODY", "text": "Hi {{1}}, order {{2}} is here."}
NAMED = {"type": "BODY", "text": "Hi {{first_name}}, order {{order}} is here."}
IMAGE = {"type": "HEADER", "format": "IMAGE"}
PLACE = {"type": "HEADER", "format": "LOCATION"}
LINK = {"type": "URL", "text": "Track", "url": "https://x.example/{{1}}"}
COUPON = {"type": "COPY_CODE", "text": "Copy"}
REPLY = {"type": "QUICK_REPLY", "text": "Yes"}
ITEMS = {"type": "MPM", "text": "View items"}


def text(*words: str, part: str = "body") -> Json:
    return {"type": part, "parameters": [{"type": "text", "text": word} for word in words]}


def one(parameter: Any, part: str = "header") -> Json:
    return {"type": part, "parameters": [parameter]}


def button(parameter: Any, index: Any = "0", kind: str = "url") -> Json:
    return {"type": "button", "sub_type": kind, "index": index, "parameters": [parameter]}


def buttons(*each: Json) -> Json:
    return {"type": "BUTTONS", "buttons": list(each)}


def named(**words: str) -> Json:
    return {
        "type": "body",
        "parameters": [
            {"type": "text", "parameter_name": name, "text": word} for name, word in words.items()
        ],
    }


def refusal(components: list[Json], given: list[Json], *, is_named: bool = False) -> str:
    with pytest.raises(Impossible) as refused:
        check_parameters(template(components, named=is_named), given)
    assert refused.value.code == "template_parameters"
    return refused.value.sentence.removeprefix("Template “winter” (en): ")


@pytest.mark.parametrize(
    ("components", "given"),
    [
        ([BODY], [text("Mara", "7")]),
        ([BODY], [text("Mara"), text("7")]),
        ([BODY], [{"type": "BODY", "parameters": [{"text": "Mara"}, {"type": "TEXT", "text": "7"}]}]),
        ([BODY], [{"type": "body", "parameters": [
            {"type": "currency", "currency": {"fallback_value": "€ 5", "code": "EUR", "amount_1000": 5000}},
            {"type": "date_time", "date_time": {"fallback_value": "3 March"}},
        ]}]),
        ([IMAGE], [one({"type": "image", "image": {"link": "https://x.example/a.png"}})]),
        ([IMAGE], [one({"type": "image", "image": {"id": "123"}})]),
        ([PLACE], [one({"type": "location", "location": {"latitude": "52.5", "longitude": 13}})]),
        ([buttons(LINK)], [button({"type": "text", "text": "a"}, 0)]),
        ([buttons(COUPON)], [button({"type": "coupon_code", "coupon_code": "W30"}, kind="copy_code")]),
        ([buttons(REPLY)], [button({"type": "payload", "payload": "yes"}, kind="quick_reply")]),
        ([buttons(REPLY)], []),
        ([buttons(ITEMS)], [button({"type": "action", "action": {}}, kind="mpm")]),
        ([{"type": "LIMITED_TIME_OFFER"}], [one({"type": "limited_time_offer"}, "limited_time_offer")]),
    ],
)  # fmt: skip
def test_t4_what_meta_takes_passes(components: list[Json], given: list[Json]) -> None:
    check_parameters(template(components), given)


def test_t4_named_variables_come_by_name_in_any_order() -> None:
    check_parameters(template([NAMED], named=True), [named(order="7", first_name="Mara")])
    assert refusal([NAMED], [named(first_name="Mara", name="7")], is_named=True) == (
        "parameter 2 of its body must have as its parameter_name one of those still open: “order”."
    )
    assert refusal([NAMED], [text("Mara", "7")], is_named=True) == (
        "parameter 1 of its body must have as its parameter_name one of those still open: "
        "“first_name”, “order”."
    )
    assert rendered(template([NAMED], named=True), [named(order="7", first_name="Mara")]) == (
        "Hi Mara, order 7 is here."
    )
    check_parameters(
        template([IMAGE], named=True), [one({"type": "image", "image": {"link": "https://x.example/a"}})]
    )


@pytest.mark.parametrize(
    ("components", "given", "sentence"),
    [
        ([BODY], [text("Mara")], "body needs 2 parameters, got 1."),
        ([BODY], [], "body needs 2 parameters, got 0."),
        ([BODY], [text("Mara", " ")], "parameter 2 of its body is empty: Meta takes no empty variable."),
        ([BODY], [{"type": "body", "parameters": ["Mara", "7"]}],
         "parameter 1 of its body must be an object with a type."),
        ([BODY], [{"type": "body", "parameters": [{"type": "text", "text": "Mara"}, {"type": "image"}]}],
         "parameter 2 of its body must be a text, not “image”."),
        ([BODY], [{"type": "body", "parameters": [{"type": "text", "text": 7}, {"text": "7"}]}],
         "parameter 1 of its body must carry text as a string."),
        ([BODY], [{"type": "body", "parameters": [{"type": "currency"}, {"type": "text", "text": "7"}]}],
         "parameter 1 of its body must carry currency with its fallback_value."),
        ([IMAGE], [text("x", part="header")], "parameter 1 of its header must be of type image, not “text”."),
        ([IMAGE], [one({"type": "image"})], "parameter 1 of its header must carry image as an object."),
        ([IMAGE], [one({"type": "image", "image": {}})],
         "parameter 1 of its header must carry image with a link or an id."),
        ([PLACE], [one({"type": "location", "location": {"latitude": "north", "longitude": 1}})],
         "parameter 1 of its header must carry location with latitude and longitude."),
        ([buttons(LINK)], [button({"type": "payload", "payload": "x"})],
         "parameter 1 of its button 0 must be a text, not “payload”."),
        ([buttons(COUPON)], [button({"type": "text", "text": "W30"})],
         "parameter 1 of its button 0 must be of type coupon_code, not “text”."),
        ([buttons(COUPON)], [button({"type": "coupon_code", "coupon_code": ""})],
         "parameter 1 of its button 0 must carry coupon_code, the code to copy."),
        ([BODY], [text("Mara", "7\n8")],
         "parameter 2 of its body holds a line break, a tab or more than four spaces in a row, which Meta "
         "takes in no variable."),
        ([BODY], [text("M" * 1004, "7")],
         "with these values its body has 1025 characters; Meta takes 1024 at most."),
        ([buttons(LINK)], [button({"type": "text", "text": "x"}, kind="quick_reply")],
         "the sub_type of its button 0 must be url, not “quick_reply”."),
        ([BODY], [text("Mara", "7"), text("x", part="header")],
         "it has no variables in its header, but 1 parameter came for it."),
    ],
)  # fmt: skip
def test_t4_the_sentence_says_which_parameter_is_wrong(
    components: list[Json], given: list[Json], sentence: str
) -> None:
    assert refusal(components, given) == sentence
