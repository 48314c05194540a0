"""Meta's side: what is signed is taken in, whatever its shape; what is not signed is never read."""

import copy
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import event
from sqlmodel import col, select

from core.inbox.signatures import bad_since
from core.ports.bell import SilentBell
from core.runtime import Runtime
from core.unit import Identity
from data.engine import open_database
from data.inbox import Delivery
from tests.api.conftest import Caller, Server, assert_refusal, rows, template
from tests.conftest import APP_SECRET, NOW, PHONE_ID, SECOND_PHONE_ID, with_settings
from ui import webhooks

HOOK = "/webhooks/whatsapp"
AT = str(int(NOW.timestamp()))


def signature(body: bytes, *, secret: str = APP_SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def deliver(api: httpx.Client, body: bytes, *, header: str | None = None) -> httpx.Response:
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": header or signature(body)}
    return api.post(HOOK, content=body, headers=headers)


def signed(api: httpx.Client, envelope: Any) -> httpx.Response:
    return deliver(api, json.dumps(envelope).encode())


def change(*, phone: str = PHONE_ID, **value: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": "493055570142", "phone_number_id": phone}
    return {
        "field": "messages",
        "value": {"messaging_product": "whatsapp", "metadata": metadata, **value},
    }


def envelope(*changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "100200300400500", "changes": list(changes)}],
    }


def status(wamid: str, word: str, *, callback: str | None = None, **more: Any) -> dict[str, Any]:
    found = {"id": wamid, "status": word, "timestamp": AT, "recipient_id": "4915112345678", **more}
    return found if callback is None else found | {"biz_opaque_callback_data": callback}


def status_of(wamid: str, word: str, *, callback: str | None = None) -> dict[str, Any]:
    return envelope(change(statuses=[status(wamid, word, callback=callback)]))


def inbound(text: str = "Hi", *, sender: str = "4915187654321", wamid: str = "wamid.in.1") -> dict[str, Any]:
    return {"id": wamid, "from": sender, "timestamp": AT, "type": "text", "text": {"body": text}}


@pytest.fixture
def sent(owner: Caller) -> dict[str, Any]:
    found: dict[str, Any] = owner.post("/messages/template", template()).json()
    return found


def state(owner: Caller, message: dict[str, Any]) -> str:
    found: str = owner.get(f"/messages/{message['id']}").json()["status"]
    return found


def test_the_handshake_echoes_the_challenge(api: httpx.Client) -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": "test-verify-token", "hub.challenge": "1158201444"}
    answer = api.get(HOOK, params=asked)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_wrong_handshake_is_refused(api: httpx.Client) -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": "test-verify-token", "hub.challenge": "1"}
    for wrong in ({"hub.verify_token": "wrong"}, {"hub.verify_token": "ünrecht"}, {"hub.mode": "other"}):
        assert_refusal(api.get(HOOK, params=asked | wrong), 403, "wrong_verify_token")
    assert_refusal(api.get(HOOK), 403, "wrong_verify_token")


def test_without_a_verify_token_set_no_handshake_is_right(
    api: httpx.Client, server: Server, runtime: Runtime
) -> None:
    server.work_on(with_settings(runtime, waypost_webhook_verify_token=None))
    assert_refusal(api.get(HOOK, params={"hub.mode": "subscribe", "hub.verify_token": ""}), 403)


def test_a_right_signature_is_taken_and_a_wrong_one_is_not(
    api: httpx.Client, owner: Caller, sent: dict[str, Any], runtime: Runtime
) -> None:
    body = json.dumps(status_of(sent["wamid"], "delivered")).encode()
    right = signature(body)
    before = rows(runtime.database)
    for wrong in (
        signature(body, secret="another"),
        signature(body + b" "),
        right.removeprefix("sha256="),
        right.replace("sha256", "sha1"),
        right[:-1],
        "sha256=",
        "sha256=ÿ",
    ):
        refused = api.post(HOOK, content=body, headers={"X-Hub-Signature-256": wrong.encode("latin-1")})
        assert_refusal(refused, 401, "bad_signature")
    assert_refusal(api.post(HOOK, content=body), 401, "bad_signature")
    assert rows(runtime.database) == before
    assert deliver(api, body).status_code == 200
    assert state(owner, sent) == "delivered"


def test_wrong_signatures_are_counted_and_nothing_of_them_is_kept(
    api: httpx.Client, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "COUNT_EVERY_S", 0.01)
    for _ in range(5):
        assert deliver(api, b'{"entry":[]}', header="sha256=" + "0" * 64).status_code == 401
    give_up = time.monotonic() + 5
    while count(runtime) < 5:
        assert time.monotonic() < give_up
    assert rows(runtime.database)["delivery"] == 0


def count(runtime: Runtime) -> int:
    with runtime.unit(Identity(process="test")) as unit:
        return bad_since(unit, unit.now)


def of_the_inbox(runtime: Runtime) -> list[tuple[str, bytes | None]]:
    """State and raw body of all deliveries, oldest first."""
    with runtime.unit(Identity(process="test")) as unit:
        found = unit.session.exec(select(Delivery).order_by(col(Delivery.id)))
        return [(one.state.value, one.body) for one in found]


def test_the_hex_of_a_signature_may_be_upper_case(api: httpx.Client) -> None:
    body = b'{"entry":[]}'
    upper = "sha256=" + signature(body).removeprefix("sha256=").upper()
    assert deliver(api, body, header=upper).status_code == 200


def test_every_secret_of_a_rotation_counts(api: httpx.Client, server: Server, runtime: Runtime) -> None:
    server.work_on(with_settings(runtime, waypost_meta_app_secret=SecretStr("new-secret, old-secret")))
    body = b'{"entry":[]}'
    for secret, wanted in (("new-secret", 200), ("old-secret", 200), (APP_SECRET, 401)):
        assert deliver(api, body, header=signature(body, secret=secret)).status_code == wanted


def test_without_an_app_secret_nothing_is_accepted(
    api: httpx.Client, server: Server, runtime: Runtime
) -> None:
    server.work_on(with_settings(runtime, waypost_meta_app_secret=None))
    refused = assert_refusal(deliver(api, b"{}"), 503, "unavailable")
    assert "WAYPOST_META_APP_SECRET" in refused["error"]
    assert_refusal(deliver(api, b"{}", header=signature(b"{}", secret="")), 503)


def test_what_is_signed_and_no_json_is_malformed_and_unsigned_is_401(api: httpx.Client) -> None:
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        for body in (b"", b"hello", b'{"entry":', b"\xff\xfe\x00", b"[" * 100_000):
            headers = {"Content-Type": kind, "X-Hub-Signature-256": signature(body)}
            assert_refusal(api.post(HOOK, content=body, headers=headers), 400)
            assert_refusal(api.post(HOOK, content=body, headers={"Content-Type": kind}), 401)
        body = b'{"entry":[]}'
        headers = {"Content-Type": kind, "X-Hub-Signature-256": signature(body)}
        assert api.post(HOOK, content=body, headers=headers).status_code == 200


def test_every_update_of_a_batch_is_applied(api: httpx.Client, owner: Caller) -> None:
    messages = [
        owner.post("/messages/template", template(f"+49151123456{number:02}")).json() for number in range(12)
    ]
    words = ["sent", "delivered", "read"]
    entries = [
        {
            "id": "100200300400500",
            "changes": [
                change(statuses=[status(m["wamid"], word) for m in messages[first : first + 3]]),
                change(messages=[inbound(f"{word} {first}", wamid=f"wamid.in.{word}.{first}")]),
                {"field": "account_update", "value": {"event": "VERIFIED_ACCOUNT"}},
                change(phone="555", statuses=[status("wamid.nobodys", "read")]),
            ],
        }
        for word in words
        for first in range(0, 12, 3)
    ]
    assert signed(api, {"object": "whatsapp_business_account", "entry": entries}).status_code == 200
    assert {state(owner, message) for message in messages} == {"read"}
    found = owner.get("/messages", direction="inbound", limit=200).json()["items"]
    assert len(found) == 12
    assert signed(api, {"object": "whatsapp_business_account", "entry": entries}).status_code == 200
    assert len(owner.get("/messages", direction="inbound", limit=200).json()["items"]) == 12


def test_an_escaped_emoji_is_signed_as_it_stands_and_read_as_it_is_meant(
    api: httpx.Client, owner: Caller
) -> None:
    body = json.dumps(envelope(change(messages=[inbound("Danke 👍🏽 für alles")])), ensure_ascii=True)
    assert "\\ud83d" in body
    assert deliver(api, body.encode()).status_code == 200
    (line,) = owner.get("/messages", direction="inbound").json()["items"]
    assert owner.get(f"/messages/{line['id']}").json()["payload"]["text"] == "Danke 👍🏽 für alles"


def test_phones_of_nobody_are_answered_200_and_kept_as_ignored(api: httpx.Client, runtime: Runtime) -> None:
    before = rows(runtime.database)
    told = envelope(change(phone="1", messages=[inbound()]))
    assert signed(api, told).status_code == 200
    assert rows(runtime.database) == before | {"delivery": 1}
    assert of_the_inbox(runtime) == [("ignored", json.dumps(told).encode())]


def test_a_body_is_kept_byte_for_byte(api: httpx.Client, runtime: Runtime, place: Any) -> None:
    told = envelope(change(messages=[inbound("Grüße 👋")]))
    body = b"  " + json.dumps(told, ensure_ascii=True, indent=3).encode() + b"\n"
    assert deliver(api, body).status_code == 200
    assert of_the_inbox(runtime) == [("applied", body)]


def test_other_methods_and_paths_are_refused_in_our_shape(api: httpx.Client) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = api.request(method, HOOK)
        assert_refusal(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD, POST"
    for path in ("/webhooks/", HOOK + "/", HOOK + "/more", "/webhooks/other"):
        assert api.post(path, content=b"{}").status_code == 404, path


def test_when_storing_fails_meta_is_told_to_come_again(
    api: httpx.Client, server: Server, runtime: Runtime, tmp_path: Path
) -> None:
    nowhere = open_database(f"sqlite:///{tmp_path}/none.db")
    server.work_on(replace(runtime, database=nowhere))
    assert_refusal(signed(api, envelope(change(messages=[inbound()]))), 503, "unavailable")
    nowhere.dispose()


def test_posts_at_the_same_time_share_a_commit_and_each_is_on_disk(
    api: httpx.Client, server: Server, runtime: Runtime, place: Any
) -> None:
    commits = []

    def note(connection: Any) -> None:
        commits.append(connection)

    event.listen(runtime.database.write, "commit", note)
    bodies = [
        json.dumps(envelope(change(messages=[inbound(wamid=f"wamid.{n}")]))).encode() for n in range(40)
    ]
    server.app.state.runtime = replace(server.runtime, bell=SilentBell())
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda body: deliver(api, body).status_code, bodies))
    event.remove(runtime.database.write, "commit", note)
    assert answers == [200] * 40
    assert {body for _, body in of_the_inbox(runtime)} == set(bodies)
    assert len(commits) < 30


def test_a_status_of_one_workspace_cannot_touch_the_message_of_another(
    api: httpx.Client, owner: Caller, sent: dict[str, Any], other_place: Any
) -> None:
    foreign = change(
        phone=str(int(PHONE_ID) + 50), statuses=[status(sent["wamid"], "read", callback=sent["id"])]
    )
    assert signed(api, envelope(foreign)).status_code == 200
    assert state(owner, sent) == "sent"


ODD = {
    "a wamid with NUL": status("wamid.\x00", "sent", callback="msg_x"),
    "half a character in the wamid": status("wamid.\ud800", "sent"),
    "NUL in the echoed id": status("wamid.x", "sent", callback="msg_\x00"),
    "half a character in the echoed id": status("wamid.x", "sent", callback="msg_\udfff"),
    "an endless wamid": status("w" * 100_000, "sent"),
    "no time": {"id": "wamid.x", "status": "sent"},
    "a time out of range": status("wamid.x", "sent", timestamp="9" * 30),
    "a time of 5,000 digits": status("wamid.x", "sent", timestamp="9" * 5_000),
    "a time before all times": status("wamid.x", "sent", timestamp="-99999999999"),
    "a time that is a list": status("wamid.x", "sent", timestamp=[1]),
    "a status that is a number": status("wamid.x", 7),  # type: ignore[arg-type]
    "no status at all": {},
}
ODD_OF_OURS = {
    "a new word": {"status": "teleported"},
    "an endless word": {"status": "s" * 100_000},
    "a word with NUL": {"status": "se\x00nt"},
    "half a character in the word": {"status": "se\ud800nt"},
    "NUL in an error": {"status": "failed", "errors": [{"code": 131026, "title": "a\x00b"}]},
    "half a character in an error": {
        "status": "failed",
        "errors": [{"code": 131026, "error_data": {"details": "\ud83d"}}],
    },
    "an endless code": {"status": "failed", "errors": [{"code": int("9" * 4_000)}]},
    "a code that is true": {"status": "failed", "errors": [{"code": True}]},
    "details of any depth": {
        "status": "failed",
        "errors": [{"code": 131026, "error_data": {"details": json.loads("[" * 900 + "]" * 900)}}],
    },
}
ODD_INBOUND = {
    "NUL in the text": inbound("a\x00b", wamid="wamid.odd"),
    "half a character in the text": inbound("a\ud800b", wamid="wamid.odd"),
    "an endless text": inbound("x" * 100_000, wamid="wamid.odd"),
    "a wamid with NUL": inbound(wamid="wamid.\x00"),
    "half a character in the wamid": inbound(wamid="wamid.\udc00"),
    "an endless wamid": inbound(wamid="w" * 100_000),
    "a sender of odd digits": inbound(sender="²³¹", wamid="wamid.odd"),
    "an endless sender": inbound(sender="4" * 100_000, wamid="wamid.odd"),
    "a sender with NUL": inbound(sender="49\x00", wamid="wamid.odd"),
    "no sender": {"id": "wamid.odd", "timestamp": AT, "type": "text", "text": {"body": "Hi"}},
    "a picture of any depth": {
        **inbound(wamid="wamid.odd"),
        "text": None,
        "image": json.loads("[" * 900 + "]" * 900),
    },
    "NUL in a picture": {**inbound(wamid="wamid.odd"), "text": None, "image": {"caption": "\x00"}},
    "half a character in a picture": {
        **inbound(wamid="wamid.odd"),
        "text": None,
        "image": {"\ud800": "\udc00"},
    },
    "infinity in a place": {**inbound(wamid="wamid.odd"), "text": None, "location": {"latitude": 1e999}},
    "a text that is a list": {**inbound(wamid="wamid.odd"), "text": ["Hi"]},
}


def texts_of(owner: Caller) -> set[str]:
    """What customers wrote; every line can be opened."""
    lines = owner.get("/messages", direction="inbound", limit=200).json()["items"]
    shown = [owner.get(f"/messages/{line['id']}") for line in lines]
    assert {answer.status_code for answer in shown} <= {200}
    return {str(answer.json()["payload"].get("text")) for answer in shown}


def test_an_odd_status_is_passed_over_and_the_rest_of_the_batch_applied(
    api: httpx.Client, owner: Caller
) -> None:
    for name, odd in ODD.items():
        sent = owner.post("/messages/template", template()).json()
        batch = envelope(
            change(statuses=[odd, status(sent["wamid"], "read")]),
            change(messages=[inbound(name, wamid=f"wamid.{name}")]),
        )
        assert signed(api, batch).status_code == 200, name
        assert state(owner, sent) == "read", name
    assert texts_of(owner) == set(ODD)


def test_an_odd_status_of_a_message_of_ours_is_survived(api: httpx.Client, owner: Caller) -> None:
    for name, odd in ODD_OF_OURS.items():
        sent = owner.post("/messages/template", template()).json()
        whole = status(sent["wamid"], "sent", callback=sent["id"]) | odd
        batch = envelope(change(statuses=[whole]), change(messages=[inbound(name, wamid=f"wamid.{name}")]))
        assert signed(api, batch).status_code == 200, name
        assert owner.get(f"/messages/{sent['id']}").status_code == 200, name
    assert owner.get("/dead-letters").status_code == 200
    assert texts_of(owner) == set(ODD_OF_OURS)


def test_an_odd_inbound_message_is_survived_and_the_rest_of_the_batch_applied(
    api: httpx.Client, owner: Caller
) -> None:
    for name, odd in ODD_INBOUND.items():
        sent = owner.post("/messages/template", template()).json()
        batch = envelope(
            change(messages=[odd, inbound(name, wamid=f"wamid.{name}")]),
            change(statuses=[status(sent["wamid"], "read")]),
        )
        assert signed(api, batch).status_code == 200, name
        assert state(owner, sent) == "read", name
    assert texts_of(owner) >= set(ODD_INBOUND)


def test_an_odd_name_is_survived(api: httpx.Client, owner: Caller) -> None:
    names: list[Any] = ["Mara\x00", "Mara \ud83d", "M" * 10_000, ["Mara"]]
    for number, name in enumerate(names):
        contacts = [{"profile": {"name": name}, "wa_id": "4915187654321"}]
        message = inbound(str(number), wamid=f"wamid.{number}")
        assert signed(api, envelope(change(contacts=contacts, messages=[message]))).status_code == 200
    assert texts_of(owner) == {"0", "1", "2", "3"}


ANY_SHAPE: list[Any] = [
    [],
    None,
    7,
    "text",
    {"entry": 7},
    {"entry": [7, None, [], {"changes": {}}]},
    {"entry": [{"changes": [7, {"field": "messages"}, {"field": "messages", "value": []}]}]},
    envelope(change(phone="\x00", statuses=[status("x", "sent")])),
    envelope(change(phone="\ud800", statuses=[status("x", "sent")])),
]


def test_a_number_of_too_many_digits_costs_only_itself(api: httpx.Client, owner: Caller) -> None:
    odd = inbound("odd", wamid="wamid.odd") | {"priority": 0}
    batch = envelope(change(messages=[odd, inbound("next", wamid="wamid.next")]))
    body = json.dumps(batch).replace('"priority": 0', '"priority": ' + "9" * 9_000)
    assert deliver(api, body.encode()).status_code == 200
    assert texts_of(owner) == {"odd", "next"}


def test_json_of_any_shape_is_answered_200(api: httpx.Client, runtime: Runtime) -> None:
    before = rows(runtime.database)
    for odd in ANY_SHAPE:
        assert signed(api, odd).status_code == 200, odd
    assert rows(runtime.database) == before | {"delivery": len(ANY_SHAPE)}
    assert {state for state, _ in of_the_inbox(runtime)} == {"ignored"}


def test_three_megabytes_are_taken_and_more_are_not(api: httpx.Client, owner: Caller) -> None:
    batch = envelope(change(messages=[inbound()]))
    small = len(json.dumps(batch))
    batch["padding"] = "x" * (3 * 1_048_576 - small - 16)
    assert signed(api, batch).status_code == 200
    assert len(owner.get("/messages", direction="inbound").json()["items"]) == 1
    batch["padding"] += "x" * 80_000
    assert_refusal(signed(api, batch), 413, "body_too_large")

    def in_pieces() -> Iterator[bytes]:
        for _ in range(52):
            yield b"x" * 65_536

    assert_refusal(api.post(HOOK, content=in_pieces()), 413, "body_too_large")


NASTY: list[Any] = [
    *("\U0001f600", "\ud83d", "\ude00\ud83d", "a\x00b", "\u202eb", "\ufeff", "\\u0000", "9" * 4_500),
    *(10**400, -(10**4_000), 2**63, 1e308, float("inf"), float("nan")),
    *(json.loads("[" * depth + "]" * depth) for depth in (40, 400)),
    json.loads('{"a":' * 200 + "1" + "}" * 200),
]
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(NASTY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A valid webhook in which one value somewhere is another, or gone."""
    batch: Any = envelope(
        change(
            contacts=[{"profile": {"name": "Mara"}, "wa_id": "4915187654321"}],
            messages=[inbound(wamid=f"wamid.{secrets.token_hex(8)}")],
            statuses=[status("wamid.nobodys", "failed", errors=[{"code": 131026, "title": "No"}])],
        ),
    )
    batch = copy.deepcopy(batch)
    node: Any = batch
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = draw(st.sampled_from(keys))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.integers(0, 5)) == 0:
            if draw(st.booleans()):
                node[key] = draw(junk)
            else:
                del node[key]
            found: dict[str, Any] = batch
            return found
        node = inner


@given(first=mutated(), cut=st.integers(0, 400), escaped=st.booleans())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_mutated_or_truncated_webhook_is_never_our_fault(
    api: httpx.Client, owner: Caller, first: dict[str, Any], cut: int, escaped: bool
) -> None:
    """``escaped``: whether what is not ASCII comes as \\u escapes or as it is, halves of characters too."""
    wamid = f"wamid.{secrets.token_hex(8)}"
    last = change(phone=SECOND_PHONE_ID, messages=[inbound(wamid=wamid)])
    if isinstance(first.get("entry"), list):
        first["entry"].append({"changes": [last]})
    body = json.dumps(first, ensure_ascii=escaped).encode(errors="surrogatepass")
    assert deliver(api, body).status_code == 200
    if isinstance(first.get("entry"), list):
        newest = owner.get("/messages", phoneNumberId=SECOND_PHONE_ID, q=wamid).json()["items"]
        assert [line["wamid"] for line in newest] == [wamid]
    assert deliver(api, body[:cut]).status_code in (200, 400)
