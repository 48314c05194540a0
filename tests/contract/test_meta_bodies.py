"""Every body that we send is one that Meta's own OpenAPI file takes."""

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.messaging.requests import SendRequest, check_payload, meta_body, template_payload, text_payload
from core.messaging.send import send
from core.runtime import Runtime
from tests.conftest import NOW, PHONE_ID, Place
from tests.contract.repaired import Contract
from tests.webhooks import hear

# Examples that no mending of the file makes valid, each for a reason of its own.
NOT_VALID = {
    "Send Multi-Product Message": "holds a placeholder where one of four words must stand",
    "Send Order Details Message": "an interactive type that the file knows no schema for",
    "Send Order Status Message": "an interactive type that the file knows no schema for",
    "Send Reply to List Message": "leaves out its type, and is no text",
    "Send Sample Issue Resolution Template": "its words Yes and No stand unquoted: YAML's true and false",
    "Send typing indicator and read receipt": "is no send; it only shares the address",
}


@pytest.fixture(scope="session")
def contract() -> Contract:
    path = os.environ.get("WAYPOST_META_OPENAPI")
    if not path:
        pytest.skip("WAYPOST_META_OPENAPI does not name Meta's OpenAPI file")
    return Contract(Path(path))


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)
numbers = st.from_regex(r"\+4915[0-9]{9}", fullmatch=True)
links = st.just({"link": "https://shop.example.com/a.jpg"}) | st.just({"id": "1013859600285441"})
text_values = st.fixed_dictionaries({"type": st.just("text"), "text": words})
named_values = st.fixed_dictionaries(
    {"type": st.just("text"), "parameter_name": st.from_regex("[a-z_]{1,12}", fullmatch=True), "text": words}
)
money = st.fixed_dictionaries(
    {"fallback_value": words, "code": st.just("EUR"), "amount_1000": st.integers(0, 2**31 - 1)}
)
values = (
    text_values
    | named_values
    | st.fixed_dictionaries({"type": st.just("currency"), "currency": money})
    | st.fixed_dictionaries(
        {"type": st.just("date_time"), "date_time": st.fixed_dictionaries({"fallback_value": words})}
    )
)
media = st.sampled_from(["image", "video", "document"]).flatmap(
    lambda kind: st.fixed_dictionaries({"type": st.just(kind), kind: links})
)
headers = st.fixed_dictionaries(
    {"type": st.just("header"), "parameters": st.lists(text_values | media, min_size=1, max_size=1)}
)
bodies = st.fixed_dictionaries({"type": st.just("body"), "parameters": st.lists(values, max_size=5)})
indexes = st.integers(0, 9).map(str) | st.integers(0, 9)
buttons = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("button"),
            "sub_type": st.just("url"),
            "index": indexes,
            "parameters": text_values.map(lambda value: [value]),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("button"),
            "sub_type": st.just("quick_reply"),
            "index": indexes,
            "parameters": words.map(lambda word: [{"type": "payload", "payload": word}]),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("button"),
            "sub_type": st.just("copy_code"),
            "index": indexes,
            "parameters": words.map(lambda word: [{"type": "coupon_code", "coupon_code": word}]),
        }
    ),
)
components = st.builds(
    lambda header, body, rest: [*header, *body, *rest],
    st.lists(headers, max_size=1),
    st.lists(bodies, max_size=1),
    st.lists(buttons, max_size=3),
)
templates = st.builds(
    template_payload,
    numbers,
    name=st.from_regex("[a-z0-9_]{1,40}", fullmatch=True),
    language=st.sampled_from(["en", "en_US", "de", "pt_BR", "zh_Hant_HK", "fil"]),
    components=components,
)
texts = st.builds(text_payload, numbers, text=words)


@given(payload=templates | texts)
@settings(max_examples=300, deadline=None)
def test_every_body_that_can_be_asked_for_is_one_of_metas(
    contract: Contract, payload: dict[str, Any]
) -> None:
    body = meta_body(check_payload(payload), message_id="msg_0sgevmcn8g0c5e9rhare3ywc58")
    assert contract.errors(body) == []


def test_the_files_own_examples_are_valid(contract: Contract) -> None:
    wrong = {name: errors for name, body in contract.examples.items() if (errors := contract.errors(body))}
    assert set(wrong) == set(NOT_VALID), wrong
    assert len(contract.examples) == 50


@pytest.mark.parametrize(
    "change",
    [
        {"to": None},
        {"to": 4915112345678},
        {"nonsense": 1},
        {"type": "text"},
        {"template": {"name": "x", "language": "en_US"}},
        {"template": {"name": "x", "language": {"code": "en"}, "components": {}}},
        {"template": {"name": "x", "language": {"code": "en"}, "components": [{"type": "footer"}]}},
        {"biz_opaque_callback_data": "x" * 513},
    ],
)
def test_the_mended_file_still_refuses_what_is_wrong(contract: Contract, change: dict[str, Any]) -> None:
    payload = template_payload("+4915112345678", name="x", language="en_US")
    body = meta_body(payload, message_id="msg_1") | change
    assert contract.errors({name: value for name, value in body.items() if value is not None})


def test_what_the_sandbox_receives_is_valid_too(
    contract: Contract, runtime: Runtime, place: Place, sandbox_url: str
) -> None:
    with httpx.Client(base_url=sandbox_url, trust_env=False) as sandbox:
        sandbox.post("/sandbox/reset").raise_for_status()
        _let_a_customer_write(runtime)
        asyncio.run(_send(runtime, place))
        received = sandbox.get("/sandbox/received").json()["received"]
    assert [entry["outcome"] for entry in received] == ["accepted"] * 3
    assert {entry["body"]["type"] for entry in received} == {"template", "text"}
    for entry in received:
        assert contract.errors(entry["body"]) == []
        assert entry["body"]["biz_opaque_callback_data"].startswith("msg_")


def _let_a_customer_write(runtime: Runtime) -> None:
    at = str(int(NOW.timestamp()))
    message = {"id": "wamid.in", "from": "4915112345678", "timestamp": at, "text": {"body": "Hi"}}
    value = {"metadata": {"phone_number_id": PHONE_ID}, "messages": [message]}
    hear(runtime, {"entry": [{"changes": [{"field": "messages", "value": value}]}]})


async def _send(runtime: Runtime, place: Place) -> None:
    values = [{"type": "text", "text": "Mara"}, {"type": "text", "text": "NW-1"}]
    filled = [{"type": "body", "parameters": values}]
    to = "+4915112345678"
    try:
        for payload in (
            template_payload(to, name="order_update", language="en_US", components=filled),
            template_payload(to, name="feedback_request", language="en"),
            text_payload(to, text="Guten Tag 👋\nIhr Paket kommt."),
        ):
            await send(runtime, place.owner, SendRequest(payload, phone_number_id=PHONE_ID))
    finally:
        await runtime.graph.close()
