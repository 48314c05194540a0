import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.inbox.rules import InboundMessage, PhoneUpdates, is_signed, read_updates
from core.messaging.statuses import StatusReport
from tests.core.desk import envelope, inbound, status

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def signature(body: bytes, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_body_is_signed_by_any_of_the_app_secrets_and_by_no_other() -> None:
    body = b'{"entry":[]}'
    assert is_signed(body, signature(body, "new"), ["new", "old"])
    assert is_signed(body, signature(body, "old"), ["new", "old"])
    assert is_signed(body, signature(body, "new").upper().replace("SHA256", "sha256"), ["new"])
    assert not is_signed(body, signature(body, "stranger"), ["new", "old"])
    assert not is_signed(body + b" ", signature(body, "new"), ["new"])


@pytest.mark.parametrize("header", [None, "", "sha256=", "sha1=abc", "sha256=é", "abc", "sha256=" + "0" * 64])
def test_a_missing_or_broken_signature_signs_nothing(header: str | None) -> None:
    assert not is_signed(b"{}", header, ["secret"])
    assert not is_signed(b"{}", header, [])


def test_statuses_and_messages_are_read_with_their_phone() -> None:
    given_envelope = envelope(
        statuses=[status("failed", wamid="wamid.a", at=AT, message_id="msg_1", code=131026)],
        messages=[inbound("Hi", wamid="wamid.b", at=AT)],
    )
    (updates,) = read_updates(given_envelope)
    assert updates.phone_number_id == "106540352242922"
    assert updates.statuses == [StatusReport("wamid.a", "failed", AT, "msg_1", 131026, "It failed")]
    (message,) = updates.messages
    assert (message.wamid, message.wa_id, message.text) == ("wamid.b", "4915112300001", "Hi")
    assert (message.name, message.kind, message.at) == ("Mara", "text", AT)


def test_a_message_that_is_not_text_keeps_its_payload() -> None:
    picture = {"from": "+4915112300001", "id": "wamid.p", "timestamp": "1763888400", "type": "image"}
    picture["image"] = {"id": "1"}  # type: ignore[assignment]
    (updates,) = read_updates(envelope(messages=[picture]))
    assert updates.messages[0].text is None
    assert updates.messages[0].raw["image"] == {"id": "1"}


@pytest.mark.parametrize(
    "broken",
    [
        {"id": 1, "status": "sent", "timestamp": "1"},
        {"id": "wamid.a", "status": None, "timestamp": "1"},
        {"id": "wamid.a", "status": "sent"},
        {"id": "wamid.a", "status": "sent", "timestamp": "soon"},
        {"id": "wamid.a", "status": "sent", "timestamp": "9" * 40},
        "sent",
        None,
    ],
)
def test_a_status_of_a_wrong_shape_is_skipped_and_its_neighbours_are_read(broken: Any) -> None:
    good = status("sent", wamid="wamid.good", at=AT)
    (updates,) = read_updates(envelope(statuses=[broken, good]))
    assert [one.wamid for one in updates.statuses] == ["wamid.good"]


def test_fields_other_than_messages_and_phones_without_an_id_are_skipped() -> None:
    one = envelope(statuses=[status("sent", wamid="wamid.a", at=AT)])
    one["entry"][0]["changes"][0]["field"] = "account_update"
    assert list(read_updates(one)) == []
    two = envelope(statuses=[status("sent", wamid="wamid.a", at=AT)])
    two["entry"][0]["changes"][0]["value"]["metadata"] = {}
    assert list(read_updates(two)) == []


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
    list(read_updates(given_envelope))


@settings(max_examples=60, deadline=None)
@given(st.lists(items, max_size=3), st.lists(items, max_size=3), anything)
def test_whatever_an_update_holds_what_is_read_from_it_is_whole(
    statuses: list[Any], messages: list[Any], contacts: Any
) -> None:
    given_envelope = envelope(statuses=statuses, messages=messages)
    given_envelope["entry"][0]["changes"][0]["value"]["contacts"] = contacts
    for updates in read_updates(given_envelope):
        assert isinstance(updates, PhoneUpdates)
        for report in updates.statuses:
            assert isinstance(report.wamid, str)
            assert report.at.tzinfo is not None
            assert isinstance(report.error_detail, str)
        for message in updates.messages:
            assert isinstance(message, InboundMessage)
            assert message.wa_id.isdigit()
            assert "\x00" not in message.wamid
