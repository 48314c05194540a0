import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.inbox.reading import named, read
from core.inbox.updates import Change, InboundMessage, Preference
from core.messaging.reports import StatusReport
from tests.core.desk import envelope, inbound, status

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
WABA = "100200300400500"
PHONE = "106540352242922"


def change(field: str, value: Any, *, waba: str = WABA, time: Any = None) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": waba, "changes": [{"field": field, "value": value}]}
    if time is not None:
        entry["time"] = time
    return {"object": "whatsapp_business_account", "entry": [entry]}


def test_statuses_and_messages_are_read_with_their_phone_and_their_place() -> None:
    reading = read(
        envelope(
            statuses=[status("failed", wamid="wamid.a", at=AT, message_id="msg_1", code=131026)],
            messages=[inbound("Hi", wamid="wamid.b", at=AT)],
        )
    )
    first, second = reading.updates
    assert reading.unreadable == []
    assert {one.phone_number_id for one in reading.updates} == {PHONE}
    assert [one.path for one in reading.updates] == [
        "entry[0].changes[0].value.statuses[0]",
        "entry[0].changes[0].value.messages[0]",
    ]
    assert first.content == StatusReport("wamid.a", "failed", AT, "msg_1", 131026, "It failed")
    message = second.content
    assert isinstance(message, InboundMessage)
    assert (message.wamid, message.wa_id, message.text) == ("wamid.b", "4915112300001", "Hi")
    assert (message.name, message.meta_type, message.at) == ("Mara", "text", AT)


def test_a_status_keeps_what_meta_says_about_its_price() -> None:
    priced = status("sent", wamid="wamid.a", at=AT) | {
        "pricing": {"billable": True, "pricing_model": "PMP", "category": "a_word_to_come"},
        "conversation": {"id": "c1", "origin": {"type": "service"}},
    }
    (update,) = read(envelope(statuses=[priced])).updates
    assert isinstance(update.content, StatusReport)
    assert json.loads(update.content.pricing or "") == priced["pricing"]
    assert json.loads(update.content.conversation or "") == priced["conversation"]


def test_a_message_that_is_not_text_keeps_its_payload() -> None:
    picture: dict[str, Any] = {"from": "+4915112300001", "id": "wamid.p", "timestamp": "1763888400"}
    picture |= {"type": "image", "image": {"id": "1"}}
    (update,) = read(envelope(messages=[picture])).updates
    assert isinstance(update.content, InboundMessage)
    assert (update.content.text, update.content.meta_type) == (None, "image")
    assert update.content.raw["image"] == {"id": "1"}


def test_b5_a_sender_may_have_no_number() -> None:
    message = inbound(wamid="wamid.a", at=AT) | {"from_user_id": "DE.1a2b"}
    del message["from"]
    told = envelope(messages=[message])
    told["entry"][0]["changes"][0]["value"]["contacts"] = [
        {"profile": {"name": "Elif"}, "user_id": "DE.1a2b"}
    ]
    (update,) = read(told).updates
    assert isinstance(update.content, InboundMessage)
    assert (update.content.wa_id, update.content.user_id) == (None, "DE.1a2b")
    assert update.content.name == "Elif"


@pytest.mark.parametrize("key", ["wa_id", "new_wa_id"])
def test_a_system_message_says_the_new_number(key: str) -> None:
    message = {"from": "4915112300001", "id": "wamid.s", "timestamp": "1763888400", "type": "system"}
    message["system"] = {"body": "changed", "type": "user_changed_number", key: "4915112300002"}  # type: ignore[assignment]
    (update,) = read(envelope(messages=[message])).updates
    assert isinstance(update.content, InboundMessage)
    assert update.content.new_wa_id == "4915112300002"


def test_errors_of_a_phone_are_a_change() -> None:
    told = envelope()
    told["entry"][0]["changes"][0]["value"]["errors"] = [{"code": 130429, "title": "Rate limit hit"}]
    (update,) = read(told).updates
    assert isinstance(update.content, Change)
    assert update.content.value == {"errors": [{"code": 130429, "title": "Rate limit hit"}]}
    assert update.phone_number_id == PHONE


def test_a_preference_is_read_for_each_customer() -> None:
    items = [
        {
            "wa_id": "4915112300001",
            "category": "marketing_messages",
            "value": "stop",
            "timestamp": 1763888400,
        },
        {
            "user_id": "DE.1a2b",
            "category": "marketing_messages",
            "value": "resume",
            "timestamp": "1763888400",
        },
    ]
    reading = read(change("user_preferences", {"user_preferences": items}))
    at = datetime(2025, 11, 23, 9, 0, tzinfo=UTC)
    assert [one.content for one in reading.updates] == [
        Preference("4915112300001", None, "marketing_messages", "stop", at),
        Preference(None, "DE.1a2b", "marketing_messages", "resume", at),
    ]


@pytest.mark.parametrize(
    "field",
    [
        "message_template_status_update",
        "message_template_quality_update",
        "message_template_components_update",
        "template_category_update",
        "phone_number_quality_update",
        "phone_number_name_update",
        "account_review_update",
        "account_update",
        "account_alerts",
        "business_capability_update",
        "security",
        "smb_message_echoes",
        "a_field_to_come",
    ],
)
def test_every_other_field_is_kept_whole_with_its_time(field: str) -> None:
    value = {"event": "A_WORD_TO_COME", "message_template_id": 2**60, "new": {"deep": [1, "2"]}}
    (update,) = read(change(field, value, time=1763888400)).updates
    assert (update.field, update.waba_id, update.phone_number_id) == (field, WABA, None)
    assert update.content == Change(value, datetime(2025, 11, 23, 9, 0, tzinfo=UTC))


def test_an_account_update_in_a_portfolios_entry_names_its_account_inside() -> None:
    value = {"event": "PARTNER_ADDED", "waba_info": {"waba_id": WABA, "owner_business_id": "9"}}
    told = change("account_update", value, waba="9")
    (update,) = read(told).updates
    assert update.waba_id == WABA
    assert list(named(told)) == [(None, WABA)]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"id": 1, "status": "sent", "timestamp": "1"}, "id is missing"),
        ({"id": "wamid.a", "status": None, "timestamp": "1"}, "status is missing"),
        ({"id": "wamid.a", "status": "sent"}, "timestamp is missing"),
        ({"id": "wamid.a", "status": "sent", "timestamp": "soon"}, "timestamp is missing"),
        ({"id": "wamid.a", "status": "sent", "timestamp": "9" * 40}, "timestamp is missing"),
        ({"id": "wamid.a", "status": "sent", "timestamp": True}, "timestamp is missing"),
        ("sent", "no object"),
        (None, "no object"),
    ],
)
def test_a_status_of_a_wrong_shape_is_named_and_its_neighbours_are_read(broken: Any, reason: str) -> None:
    good = status("sent", wamid="wamid.good", at=AT)
    reading = read(envelope(statuses=[broken, good]))
    assert [one.path for one in reading.updates] == ["entry[0].changes[0].value.statuses[1]"]
    (bad,) = reading.unreadable
    assert bad.path == "entry[0].changes[0].value.statuses[0]"
    assert (bad.field, bad.phone_number_id) == ("messages", PHONE)
    assert reason in bad.reason


@pytest.mark.parametrize(
    ("told", "path", "reason"),
    [
        ([], "", "no list of entries"),
        ({"entry": 7}, "", "no list of entries"),
        ({"entry": [7]}, "entry[0]", "no list of changes"),
        ({"entry": [{"changes": [None]}]}, "entry[0].changes[0]", "no field with a value"),
        ({"entry": [{"changes": [{"field": "messages"}]}]}, "entry[0].changes[0]", "no field with a value"),
        ({"entry": [{"changes": [{"field": "messages", "value": {}}]}]}, "entry[0].changes[0]", "no phone"),
        (
            {"entry": [{"changes": [{"field": "user_preferences", "value": {"user_preferences": 7}}]}]},
            "entry[0].changes[0].value.user_preferences",
            "no list",
        ),
    ],
)
def test_what_is_no_webhook_is_named(told: Any, path: str, reason: str) -> None:
    reading = read(told)
    assert reading.updates == []
    (bad,) = reading.unreadable
    assert (bad.path, reason in bad.reason) == (path, True), bad


words = st.sampled_from(
    (
        *("entry", "changes", "field", "messages", "value", "metadata", "phone_number_id", "statuses", "id"),
        *("status", "timestamp", "errors", "code", "error_data", "details", "contacts", "profile", "name"),
        *("wa_id", "text", "from", "body", "biz_opaque_callback_data", "sent", "1763888400", "4915112300001"),
    )
)
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words, st.text(max_size=5))
anything = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=5)),
    max_leaves=12,
)
items = st.dictionaries(words, anything, max_size=6)


@settings(max_examples=60, deadline=None)
@given(anything)
def test_whatever_json_arrives_reading_it_never_fails(given_envelope: Any) -> None:
    read(given_envelope)
    list(named(given_envelope))


@settings(max_examples=60, deadline=None)
@given(st.lists(items, max_size=3), st.lists(items, max_size=3), anything)
def test_whatever_an_update_holds_what_is_read_from_it_is_whole(
    statuses: list[Any], messages: list[Any], contacts: Any
) -> None:
    given_envelope = envelope(statuses=statuses, messages=messages)
    given_envelope["entry"][0]["changes"][0]["value"]["contacts"] = contacts
    reading = read(given_envelope)
    assert len(reading.updates) + len(reading.unreadable) == len(statuses) + len(messages)
    for update in reading.updates:
        content = update.content
        assert isinstance(content, StatusReport | InboundMessage)
        assert "\x00" not in content.wamid
        assert content.at.tzinfo is not None
        if isinstance(content, InboundMessage):
            assert content.wa_id is None or content.wa_id.isdigit()
            assert content.wa_id or content.user_id
