from datetime import UTC, datetime
from typing import Any

from core.templates.forms import Rendered, TemplateField, blanks, components_of, fields, rendered
from core.templates.rules import check_parameters
from data.sending import Template

WINTER: list[dict[str, Any]] = [
    {
        "type": "HEADER",
        "format": "TEXT",
        "text": "Winter sale: {{1}} off",
        "example": {"header_text": ["30 %"]},
    },
    {
        "type": "BODY",
        "text": "Hi {{1}}, it ends {{2}}.",
        "example": {"body_text": [["Mara", "on Sunday"]]},
    },
    {"type": "FOOTER", "text": "Reply STOP to hear no more from us"},
    {
        "type": "BUTTONS",
        "buttons": [
            {"type": "QUICK_REPLY", "text": "No, thanks"},
            {
                "type": "URL",
                "text": "See the offers",
                "url": "https://shop.example.com/w/{{1}}",
                "example": ["https://shop.example.com/w/mara"],
            },
            {"type": "COPY_CODE", "text": "Copy code", "example": "WINTER30"},
        ],
    },
]


def template(components: list[dict[str, Any]], *, named: bool = False) -> Template:
    return Template(
        id="tpl",
        workspace_id="wsp",
        waba_id="1",
        name="winter",
        language="en",
        category="MARKETING",
        status="APPROVED",
        parameter_format="NAMED" if named else "POSITIONAL",
        components=components,
        synced_at=datetime(2026, 11, 23, tzinfo=UTC),
    )


def test_every_variable_is_a_field_with_metas_example() -> None:
    assert [(f.key, f.kind, f.about, f.example) for f in fields(template(WINTER))] == [
        ("header.1", "text", "", "30 %"),
        ("body.1", "text", "", "Mara"),
        ("body.2", "text", "", "on Sunday"),
        ("button 1.1", "text", "See the offers", "mara"),
        ("button 2.code", "coupon", "Copy code", "WINTER30"),
    ]


def test_a_filled_form_is_what_meta_takes_and_what_our_own_check_takes() -> None:
    winter = template(WINTER)
    values = {
        "header.1": "30 %",
        "body.1": "Mara",
        "body.2": " on Sunday ",
        "button 1.1": "mara",
        "button 2.code": "W30",
    }
    components = components_of(fields(winter), values, named=False)
    assert components == [
        {"type": "header", "parameters": [{"type": "text", "text": "30 %"}]},
        {
            "type": "body",
            "parameters": [{"type": "text", "text": "Mara"}, {"type": "text", "text": "on Sunday"}],
        },
        {
            "type": "button",
            "sub_type": "url",
            "index": "1",
            "parameters": [{"type": "text", "text": "mara"}],
        },
        {
            "type": "button",
            "sub_type": "copy_code",
            "index": "2",
            "parameters": [{"type": "coupon_code", "coupon_code": "W30"}],
        },
    ]
    check_parameters(winter, components)


def test_named_variables_go_to_meta_by_name() -> None:
    body = {
        "type": "BODY",
        "text": "Hello {{first_name}}",
        "example": {"body_text_named_params": [{"param_name": "first_name", "example": "Mara"}]},
    }
    (field,) = fields(template([body], named=True))
    assert (field.key, field.example) == ("body.first_name", "Mara")
    assert components_of([field], {field.key: "Elif"}, named=True) == [
        {
            "type": "body",
            "parameters": [{"type": "text", "parameter_name": "first_name", "text": "Elif"}],
        }
    ]


def test_a_media_header_takes_an_address_and_a_place_its_two_numbers() -> None:
    for kind, value, parameter in (
        ("image", "https://x.example/a.png", {"image": {"link": "https://x.example/a.png"}}),
        ("location", "52.5, 13.4", {"location": {"latitude": "52.5", "longitude": "13.4"}}),
    ):
        (field,) = fields(template([{"type": "HEADER", "format": kind.upper()}]))
        assert field.kind == "media"
        assert components_of([field], {field.key: value}, named=False) == [
            {"type": "header", "parameters": [{"type": kind, **parameter}]}
        ]


def test_what_is_not_filled_in_is_named_and_stays_visible() -> None:
    wanted = fields(template(WINTER))
    assert blanks(wanted, {"body.1": "Mara", "body.2": "  "}) == [
        "header.1", "body.2", "button 1.1", "button 2.code"
    ]  # fmt: skip
    assert rendered(WINTER, {"body.1": "Mara", "body.2": "  "}) == Rendered(
        media="",
        header="Winter sale: {{1}} off",
        body="Hi Mara, it ends {{2}}.",
        footer="Reply STOP to hear no more from us",
        buttons=("No, thanks", "See the offers", "Copy code"),
        kinds=("QUICK_REPLY", "URL", "COPY_CODE"),
    )


def test_a_template_without_variables_has_no_fields() -> None:
    plain = template([{"type": "BODY", "text": "Hello"}])
    assert fields(plain) == []
    assert components_of([], {}, named=False) == []
    assert rendered([], {}) == Rendered("", "", "", "", ())


def test_a_value_is_never_taken_for_a_variable_of_another_part() -> None:
    one = TemplateField("body.1", "body", "1", "text", "", "")
    assert rendered(WINTER, {one.key: "{{2}}"}).body == "Hi {{2}}, it ends {{2}}."
