"""Meta's rules for a template before it is submitted, one by one and against a naive reader."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Malformed
from core.templates.draft_rules import OTP_TYPES, problems
from core.templates.drafts import Draft, DraftButton, components_of, read_draft

GOOD = Draft(
    name="order_update",
    language="en_US",
    category="UTILITY",
    body="Hello {{1}}, your order {{2}} is on its way.",
    examples={"body.1": "Mara", "body.2": "NW-1"},
)
CODE = Draft(
    name="sign_in",
    category="AUTHENTICATION",
    buttons=(DraftButton("OTP", "Copy code", "COPY_CODE"),),
    warns=True,
    minutes=10,
)
REPLY = DraftButton("QUICK_REPLY", "Yes")
SHOP = DraftButton("URL", "Shop", "https://shop.example.com/")
TAP = {"package_name": "com.example.shop", "signature_hash": "K8a%2FAINcGX7"}


def replies(count: int) -> tuple[DraftButton, ...]:
    return tuple(DraftButton("QUICK_REPLY", f"Answer {number}") for number in range(count))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": "a" * 512},
        {"language": "zh_Hant_HK"},
        {"header": "TEXT", "header_text": "H" * 60},
        {"header": "IMAGE", "handle": "4::aW1hZ2U"},
        {"header": "LOCATION"},
        {"footer": "f" * 60},
        {"body": "b" * 1024},
        {"body": "One {{first_name}} two three", "examples": {"body.first_name": "Mara"}},
        {"buttons": replies(10)},
        {"buttons": (REPLY, replace(SHOP, text="A"), replace(SHOP, text="B"))},
        {"buttons": (SHOP, REPLY)},
        {"buttons": (replace(SHOP, value="https://a.example/{{1}}", example="x"),)},
        {"buttons": (DraftButton("PHONE_NUMBER", "Call", "+1 (646) 704-3595"),)},
        {"buttons": (DraftButton("COPY_CODE", value="A" * 15),)},
        {"buttons": (DraftButton("FLOW", "Go", more={"flow_json": "{}"}),)},
        {"buttons": (DraftButton("CATALOG", "View catalogue"),)},
    ],
)
def test_what_meta_takes_has_no_problem(change: dict[str, Any]) -> None:
    assert problems(replace(GOOD, **change)) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ""}, "name"),
        ({"name": "Order-Update"}, "name"),
        ({"name": "a" * 513}, "name"),
        ({"language": "english"}, "language"),
        ({"category": "SPAM"}, "category"),
        ({"header": "GIF"}, "header"),
        ({"header": "TEXT"}, "header"),
        ({"header": "TEXT", "header_text": "H" * 61}, "header"),
        ({"header": "TEXT", "header_text": "Big *sale*"}, "header"),
        ({"header": "TEXT", "header_text": "Sale 🎉"}, "header"),
        ({"header": "TEXT", "header_text": "A {{1}} B {{2}}"}, "header"),
        ({"header": "TEXT", "header_text": "Order {{1}}"}, "header.1"),
        ({"header": "IMAGE"}, "handle"),
        ({"header": "IMAGE", "handle": "https://a.example/x.jpg"}, "handle"),
        ({"body": " "}, "body"),
        ({"body": "b" * 1025}, "body"),
        ({"body": "{{1}} is here today"}, "body"),
        ({"body": "Here is your {{1}}"}, "body"),
        ({"body": "Hi {{1}} {{2}}."}, "body"),
        ({"body": "Hello {{2}}, your order {{1}} is on its way."}, "body"),
        ({"body": "Hello {{1}}, your order {{3}} is on its way."}, "body"),
        ({"body": "Hello {{1}}, your order {{name}} is on its way."}, "body"),
        ({"body": "Hello {{First}}, your order is on its way."}, "body"),
        ({"body": "Hello {{1}}, your order {{2} is on its way."}, "body"),
        ({"examples": {"body.1": "Mara"}}, "body.2"),
        ({"footer": "f" * 61}, "footer"),
        ({"footer": "By {{1}}"}, "footer"),
        ({"minutes": 5}, "minutes"),
        ({"buttons": replies(11)}, "buttons"),
        ({"buttons": (SHOP, replace(SHOP, text="B"), replace(SHOP, text="C"))}, "buttons"),
        ({"buttons": (REPLY, SHOP, DraftButton("QUICK_REPLY", "No"))}, "buttons"),
        ({"buttons": (DraftButton("CATALOG", "View"), REPLY)}, "buttons"),
        ({"buttons": (DraftButton("OTP", "Copy", "COPY_CODE"),)}, "buttons"),
        ({"buttons": (REPLY, DraftButton("QUICK_REPLY", "yes "))}, "button 1.text"),
        ({"buttons": (DraftButton("QUICK_REPLY"),)}, "button 0.text"),
        ({"buttons": (DraftButton("QUICK_REPLY", "x" * 26),)}, "button 0.text"),
        ({"buttons": (DraftButton("QUICK_REPLY", "Hi {{1}}"),)}, "button 0.text"),
        ({"buttons": (replace(SHOP, value="shop.example.com"),)}, "button 0.value"),
        ({"buttons": (replace(SHOP, value="https://[x"),)}, "button 0.value"),
        ({"buttons": (replace(SHOP, value="https://wa.me/491511"),)}, "button 0.value"),
        ({"buttons": (replace(SHOP, value="https://a.example/" + "x" * 2000),)}, "button 0.value"),
        ({"buttons": (replace(SHOP, value="https://a.example/{{1}}/b", example="x"),)}, "button 0.value"),
        ({"buttons": (replace(SHOP, value="https://a.example/{{1}}"),)}, "button 0.example"),
        ({"buttons": (DraftButton("PHONE_NUMBER", "Call", "call me"),)}, "button 0.value"),
        ({"buttons": (DraftButton("PHONE_NUMBER", "Call", "1" * 21),)}, "button 0.value"),
        ({"buttons": (DraftButton("COPY_CODE", value="A" * 16),)}, "button 0.value"),
        ({"buttons": (DraftButton("FLOW", "Go"),)}, "button 0.value"),
    ],
)
def test_what_meta_refuses_is_said_at_its_field(change: dict[str, Any], where: str) -> None:
    found = problems(replace(GOOD, **change))
    assert where in {each.where for each in found}
    assert all(each.sentence.endswith(".") for each in found)


def test_a_template_for_codes_has_no_words_of_its_own() -> None:
    assert problems(CODE) == []
    assert problems(replace(CODE, minutes=None)) == []
    assert problems(replace(CODE, buttons=(DraftButton("OTP", "", "ONE_TAP", more=TAP),))) == []
    wrong = replace(CODE, header="IMAGE", body="Hi", footer="Bye", minutes=91, buttons=(REPLY,))
    assert [each.where for each in problems(wrong)] == ["header", "body", "footer", "minutes", "buttons"]
    no_app = replace(CODE, buttons=(DraftButton("OTP", "", "ZERO_TAP", more={"package_name": "shop"}),))
    assert [each.where for each in problems(no_app)] == ["button 0.package_name", "button 0.signature_hash"]


def scan(text: str) -> tuple[list[str], bool, bool]:
    """The names of the variables as they are met, and whether the text begins and ends with one; character by
    character."""
    names: list[str] = []
    begins = ends = False
    at = 0
    while at < len(text):
        if text[at] == "{" and text[at : at + 2] == "{{":
            end = text.find("}}", at)
            inside = text[at + 2 : end].strip() if end > 0 else ""
            if inside and all(c.isascii() and (c.isalnum() or c == "_") for c in inside):
                begins = begins or at == 0
                names.append(inside)
                at = end + 2
                ends = at == len(text)
                continue
        ends = False
        at += 1
    return names, begins, ends


pieces = st.lists(
    st.sampled_from(["Hello", "order", "{{1}}", "{{2}}", "{{3}}", "is", "on its way."]), max_size=9
)


@given(parts=pieces)
@settings(max_examples=200, deadline=None)
def test_the_body_is_judged_as_a_reader_of_single_characters_would(parts: list[str]) -> None:
    text = " ".join(parts)
    names, begins, ends = scan(text)
    in_order = list(dict.fromkeys(names)) == [str(n + 1) for n in range(len(set(names)))]
    words = sum(len(part.split()) for part in parts)
    is_fine = bool(text) and not begins and not ends and in_order and words >= 2 * len(names) + 1
    examples = {f"body.{name}": "x" for name in names}
    assert (problems(replace(GOOD, body=text, examples=examples)) == []) == is_fine


words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)
buttons = st.one_of(
    st.builds(DraftButton, st.just("QUICK_REPLY"), words),
    st.builds(DraftButton, st.just("URL"), words, st.just("https://a.example/{{1}}"), words),
    st.builds(DraftButton, st.just("PHONE_NUMBER"), words, st.just("16467043595")),
    st.builds(DraftButton, st.just("COPY_CODE"), st.just(""), words),
    st.builds(DraftButton, st.just("FLOW"), words, words, more=st.fixed_dictionaries({"flow_action": words})),
)
headers = st.one_of(
    st.just({}),
    words.map(lambda word: {"header": "TEXT", "header_text": word}),
    words.map(lambda word: {"header": "VIDEO", "handle": word}),
    st.just({"header": "LOCATION"}),
)
drafts = st.builds(
    lambda header, name, footer, made: Draft(
        name="x",
        body=f"Hi {{{{{name}}}}}, welcome back here.",
        examples={f"body.{name}": "Mara"},
        footer=footer,
        buttons=tuple(made),
        **header,
    ),
    headers,
    st.sampled_from(["1", "first_name"]),
    st.just("") | words,
    st.lists(buttons, max_size=4),
)
codes = st.builds(
    lambda warns, minutes, kind: replace(
        CODE, warns=warns, minutes=minutes, buttons=(DraftButton("OTP", "Copy", kind),)
    ),
    st.booleans(),
    st.none() | st.integers(1, 90),
    st.sampled_from(OTP_TYPES),
)


@given(draft=drafts | codes)
@settings(max_examples=200, deadline=None)
def test_a_draft_comes_back_from_its_components_as_it_was(draft: Draft) -> None:
    back = read_draft(
        name=draft.name,
        language=draft.language,
        category=draft.category,
        components=components_of(draft),
    )
    assert back == draft


def test_a_template_for_codes_that_meta_lists_is_read_as_it_was_written() -> None:
    url = "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}"
    listed: list[dict[str, Any]] = [
        {
            "type": "BODY",
            "text": "*{{1}}* is your verification code. For your security, do not share this code.",
            "add_security_recommendation": True,
            "example": {"body_text": [["123456"]]},
        },
        {"type": "FOOTER", "text": "This code expires in 10 minutes.", "code_expiration_minutes": 10},
        {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Copy code", "url": url, "example": [url]}]},
    ]
    back = read_draft(
        name="sign_in", language="en_US", category="AUTHENTICATION", components=listed, is_ours=True
    )
    assert back == CODE


@pytest.mark.parametrize(
    ("component", "field"),
    [
        ("BODY", "components.0"),
        ({}, "components.0"),
        ({"type": 1}, "components.0"),
        ({"type": "BODY", "text": 1}, "body.text"),
        ({"type": "BODY", "text": "x", "colour": "red"}, "components.0.colour"),
        ({"type": "BODY", "text": "{{1}}", "example": []}, None),
        ({"type": "BODY", "text": "{{1}}", "example": "x"}, "body.example"),
        ({"type": "BODY", "text": "{{1}}", "example": {"body_text": "x"}}, "body.example"),
        ({"type": "BODY", "text": "{{a}}", "example": {"body_text_named_params": ["x"]}}, "body.example"),
        ({"type": "HEADER", "format": []}, "header.format"),
        (
            {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": "4::x"}},
            "header.example.header_handle",
        ),
        ({"type": "FOOTER", "code_expiration_minutes": "5"}, "footer.code_expiration_minutes"),
        ({"type": "BUTTONS", "buttons": {}}, "buttons"),
        ({"type": "BUTTONS", "buttons": [1]}, "buttons.0"),
        ({"type": "BUTTONS", "buttons": [{"type": "URL", "url": 1}]}, "buttons.0.url"),
        ({"type": "BUTTONS", "buttons": [{"type": "URL", "example": [1]}]}, "buttons.0.example"),
    ],
)
def test_what_has_not_the_form_of_a_component_is_named(component: Any, field: str | None) -> None:
    def read() -> Draft:
        return read_draft(name="x", language="en", category="UTILITY", components=[component])

    if field is None:
        assert read().examples == {}
        return
    with pytest.raises(Malformed) as refused:
        read()
    assert refused.value.facts["fields"][0]["field"] == field


def test_a_second_body_is_refused() -> None:
    body = {"type": "BODY", "text": "Hi"}
    with pytest.raises(Malformed, match="second BODY"):
        read_draft(name="x", language="en", category="UTILITY", components=[body, body])
