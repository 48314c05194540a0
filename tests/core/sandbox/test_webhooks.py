import asyncio
import contextlib
import hashlib
import hmac
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.sandbox.config import SandboxConfig
from core.sandbox.server import running
from core.sandbox.webhooks import Outbox, Update, compose, sign
from core.sandbox.world import Phone

PHONE = "106540352242922"
WABA = "100200300400500"
SECRET = "the-app-secret"
DEADLINE_S = 5.0


@dataclass
class Receiver:
    """A console that keeps every POST; `answers` are the next HTTP statuses, then 200."""

    url: str = ""
    posts: "queue.Queue[tuple[bytes, str, int]]" = field(default_factory=queue.Queue)
    answers: list[int] = field(default_factory=list)
    verify_token: str = "open-sesame"

    async def post(self, request: Request) -> Response:
        status = self.answers.pop(0) if self.answers else 200
        self.posts.put((await request.body(), request.headers.get("x-hub-signature-256", ""), status))
        return Response(status_code=status)

    async def handshake(self, request: Request) -> Response:
        asked = request.query_params
        if asked["hub.mode"] != "subscribe" or asked["hub.verify_token"] != self.verify_token:
            return Response(status_code=403)
        return PlainTextResponse(asked["hub.challenge"])

    def take(self) -> tuple[bytes, str, int]:
        return self.posts.get(timeout=DEADLINE_S)

    def statuses(self, count: int) -> list[dict[str, Any]]:
        """The next `count` statuses of POSTs that were answered 200, in order of arrival."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            body, _, status = self.take()
            if status == 200:
                found += statuses_in(body)
        return found


def statuses_in(body: bytes) -> list[dict[str, Any]]:
    return [one for change in changes_in(body) for one in change["value"].get("statuses", [])]


def changes_in(body: bytes) -> list[dict[str, Any]]:
    return [change for entry in json.loads(body)["entry"] for change in entry["changes"]]


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    app = Starlette(
        routes=[
            Route("/meta", receiver.post, methods=["POST"]),
            Route("/meta", receiver.handshake, methods=["GET"]),
        ]
    )
    listener = socket.create_server(("127.0.0.1", 0))
    receiver.url = f"http://127.0.0.1:{listener.getsockname()[1]}/meta"
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()


@contextlib.contextmanager
def meta_for(receiver: Receiver, **settings: Any) -> Iterator[httpx.Client]:
    config = SandboxConfig(
        **{
            "webhook_url": receiver.url,
            "app_secret": SECRET,
            "verify_token": "open-sesame",
            "seed": 3,
            "answer_delay_s": (0, 0),
            "status_delays_s": (0.01, 0.02, 0.03),
            "read_share": 1.0,
            "retry_waits_s": (0.05, 0.1),
            "verdict_delay_s": 0.01,
            **settings,
        }
    )
    with (
        running(config) as url,
        httpx.Client(
            base_url=url, headers={"Authorization": "Bearer t"}, timeout=5, trust_env=False
        ) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[httpx.Client, Receiver]]:
    with receiving() as receiver, meta_for(receiver) as meta:
        yield meta, receiver


@pytest.fixture
def pair(shared: tuple[httpx.Client, Receiver]) -> tuple[httpx.Client, Receiver]:
    meta, receiver = shared
    eventually(lambda: state(meta)["webhooks"]["pending"] == 0)
    meta.post("/sandbox/reset").raise_for_status()
    while not receiver.posts.empty():
        receiver.posts.get()
    receiver.answers.clear()
    return meta, receiver


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        threading.Event().wait(0.01)


def state(meta: httpx.Client) -> dict[str, Any]:
    answer: dict[str, Any] = meta.get("/sandbox/state").json()
    return answer


def send(
    meta: httpx.Client, to: str = "+491511234567", *, version: str = "v23.0", phone: str = PHONE, **more: Any
) -> str:
    body = {
        "messaging_product": "whatsapp",
        "to": to,
        "type": "template",
        "template": {"name": "hello_world", "language": {"code": "en_US"}},
        **more,
    }
    answer = meta.post(f"/{version}/{phone}/messages", json=body)
    answer.raise_for_status()
    return str(answer.json()["messages"][0]["id"])


def test_an_accepted_message_is_sent_delivered_and_read_in_order(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    before = int(time.time())
    wamid = send(meta, biz_opaque_callback_data="msg_1")
    sent, delivered, read = receiver.statuses(3)
    assert [one["status"] for one in (sent, delivered, read)] == ["sent", "delivered", "read"]
    for one in (sent, delivered, read):
        assert one["id"] == wamid
        assert one["recipient_id"] == "491511234567"
        assert one["biz_opaque_callback_data"] == "msg_1"
        assert isinstance(one["timestamp"], str)
        assert before <= int(one["timestamp"]) <= time.time() + 1
    pricing = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}
    assert sent["pricing"] == delivered["pricing"] == pricing
    assert "pricing" not in read
    assert sent["conversation"]["id"] == delivered["conversation"]["id"]
    assert "expiration_timestamp" in sent["conversation"]
    assert "expiration_timestamp" not in delivered["conversation"]


def test_from_v24_on_there_is_no_conversation(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    send(meta, version="v24.0")
    assert not any("conversation" in one for one in receiver.statuses(3))


def test_text_is_priced_as_service(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    meta.post(
        f"/v23.0/{PHONE}/messages",
        json={"messaging_product": "whatsapp", "to": "+49151", "text": {"body": "x"}},
    )
    assert receiver.statuses(1)[0]["pricing"]["category"] == "service"


def test_the_envelope_names_waba_and_phone_and_is_signed_over_escaped_bytes(
    pair: tuple[httpx.Client, Receiver],
) -> None:
    meta, receiver = pair
    send(meta, biz_opaque_callback_data="Grüße ✓")
    body, signature, _ = receiver.take()
    assert signature == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert b"Gr\\u00fc\\u00dfe \\u2713" in body
    assert body.isascii()
    envelope = json.loads(body)
    assert envelope["object"] == "whatsapp_business_account"
    assert envelope["entry"][0]["id"] == WABA
    assert "time" not in envelope["entry"][0]
    change = envelope["entry"][0]["changes"][0]
    assert change["field"] == "messages"
    assert change["value"]["metadata"] == {"display_phone_number": "493055570142", "phone_number_id": PHONE}


def test_a_refused_post_comes_again_with_the_same_bytes_and_order_holds(
    pair: tuple[httpx.Client, Receiver],
) -> None:
    meta, receiver = pair
    receiver.answers = [500, 503]
    send(meta)
    first, second, third = receiver.take(), receiver.take(), receiver.take()
    assert [post[2] for post in (first, second, third)] == [500, 503, 200]
    assert first[:2] == second[:2] == third[:2]
    assert [one["status"] for one in statuses_in(third[0])] == ["sent"]
    assert [one["status"] for one in receiver.statuses(2)] == ["delivered", "read"]
    eventually(lambda: state(meta)["webhooks"]["pending"] == 0)
    assert state(meta)["webhooks"]["failed"] == 2


def test_a_post_never_answered_200_is_dropped_at_last(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    receiver.answers = [500, 500, 500]
    send(meta)
    assert [one["status"] for one in receiver.statuses(2)] == ["delivered", "read"]
    eventually(lambda: state(meta)["webhooks"]["pending"] == 0)
    webhooks = state(meta)["webhooks"]
    assert (webhooks["failed"], webhooks["dropped"], webhooks["updatesSent"]) == (3, 1, 2)


def test_statuses_due_together_share_posts_of_at_most_a_thousand() -> None:
    with (
        receiving() as receiver,
        meta_for(receiver, status_delays_s=(0.5, 0.5, 0.5), read_share=0.0, retry_waits_s=()) as meta,
    ):
        wamids = {send(meta, f"+4915112{number:05}") for number in range(300)}
        sizes: list[int] = []
        seen: dict[str, list[str]] = {}
        while sum(sizes) < 600:
            found = statuses_in(receiver.take()[0])
            sizes.append(len(found))
            for one in found:
                seen.setdefault(one["id"], []).append(one["status"])
        assert set(seen) == wamids
        assert all(names == ["sent", "delivered"] for names in seen.values())
        assert max(sizes) > 10
        assert max(sizes) <= 1_000
        assert len(sizes) < 100


def test_no_post_holds_more_than_a_thousand_updates() -> None:
    async def send_until(enough: threading.Event, url: str) -> None:
        outbox = Outbox(SECRET, (), url, lambda _: True)
        for number in range(2_500):
            outbox.plan([(0.0, Update(WABA, "change", {"number": number}, field="security"))])
        sending = asyncio.create_task(outbox.run())
        await asyncio.to_thread(enough.wait, DEADLINE_S)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await asyncio.sleep(0)  # lets the closed connections go

    with receiving() as receiver:
        enough = threading.Event()
        sender = threading.Thread(target=lambda: asyncio.run(send_until(enough, receiver.url)))
        sender.start()
        batches = [[change["value"]["number"] for change in changes_in(receiver.take()[0])] for _ in range(3)]
        enough.set()
        sender.join()
    assert sorted(len(batch) for batch in batches) == [500, 1_000, 1_000]
    assert sorted(number for batch in batches for number in batch) == list(range(2_500))


def test_two_phones_share_a_post_in_changes_of_their_own() -> None:
    one, two = (Phone(str(number), WABA, f"+49 {number}", "x", "DE") for number in (1, 2))
    body = compose(
        WABA,
        [
            Update(WABA, "statuses", {"id": "a"}, phone=one),
            Update(WABA, "statuses", {"id": "b"}, phone=two),
            Update(WABA, "statuses", {"id": "c"}, phone=one),
            Update(WABA, "change", {"decision": "x"}, field="account_review_update"),
        ],
        now=7,
    )
    phones, other = json.loads(body)["entry"]
    values = [change["value"] for change in phones["changes"]]
    assert [(v["metadata"]["phone_number_id"], [s["id"] for s in v["statuses"]]) for v in values] == [
        ("1", ["a", "c"]),
        ("2", ["b"]),
    ]
    assert other == {
        "id": WABA,
        "time": 7,
        "changes": [{"field": "account_review_update", "value": {"decision": "x"}}],
    }


def test_the_signature_is_metas() -> None:
    assert sign(b"hello", app_secret="key") == (
        "sha256=9307b3b915efb5171ff14d8cb55fbcc798c6c0ef1456d66ded1a6aa723a58b7b"
    )


def test_a_failed_status_fault_sends_only_failed_with_its_error(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    send(meta, "+491510000007", biz_opaque_callback_data="msg_7")
    (failed,) = receiver.statuses(1)
    assert (failed["status"], failed["biz_opaque_callback_data"]) == ("failed", "msg_7")
    error = failed["errors"][0]
    assert error["code"] == 131049
    assert error["message"] == error["title"]
    assert error["error_data"]["details"]
    assert error["href"].startswith("https://")
    assert "pricing" not in failed
    eventually(lambda: state(meta)["webhooks"]["pending"] == 0)


def test_a_silent_fault_sends_nothing_and_a_reset_sends_its_statuses(
    pair: tuple[httpx.Client, Receiver],
) -> None:
    meta, receiver = pair
    meta.post("/sandbox/faults", json={"kind": "silent", "match": {"to": "111"}})
    send(meta, "+49151111")
    assert state(meta)["webhooks"]["pending"] == 0
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        send(meta, "+491510000005", biz_opaque_callback_data="msg_5")
    assert [one["biz_opaque_callback_data"] for one in receiver.statuses(3)] == ["msg_5"] * 3


def test_a_contact_can_be_made_to_write(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    answer = meta.post(
        "/sandbox/inbound",
        json={
            "phoneNumberId": "106540352242923",
            "from": "+44 7700 900123",
            "name": "Zoë",
            "text": "Wo ist mein Paket?",
            "timestamp": "1767000000",
        },
    )
    value = changes_in(receiver.take()[0])[0]["value"]
    assert value["metadata"]["phone_number_id"] == "106540352242923"
    assert value["contacts"] == [{"profile": {"name": "Zoë"}, "wa_id": "447700900123"}]
    assert value["messages"] == [
        {
            "from": "447700900123",
            "id": answer.json()["wamid"],
            "timestamp": "1767000000",
            "type": "text",
            "text": {"body": "Wo ist mein Paket?"},
        }
    ]


def test_a_contact_can_send_any_kind_of_message(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    button = {"type": "button", "button": {"payload": "yes", "text": "Yes"}}
    meta.post("/sandbox/inbound", json={"from": "447700900123", "message": button}).raise_for_status()
    (message,) = changes_in(receiver.take()[0])[0]["value"]["messages"]
    assert message["button"]["payload"] == "yes"
    assert "text" not in message


def test_a_status_can_be_pushed_by_hand_for_wamid_or_callback(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    meta.post("/sandbox/faults", json={"kind": "silent"})
    wamid = send(meta, biz_opaque_callback_data="msg_h")
    meta.post(
        "/sandbox/statuses", json={"callback": "msg_h", "status": "delivered", "timestamp": 1_767_000_000}
    )
    delivered = receiver.statuses(1)[0]
    assert (delivered["id"], delivered["status"], delivered["timestamp"]) == (
        wamid,
        "delivered",
        "1767000000",
    )
    meta.post("/sandbox/statuses", json={"wamid": wamid, "status": "failed", "code": 131047})
    assert receiver.statuses(1)[0]["errors"][0]["code"] == 131047
    refused = meta.post("/sandbox/statuses", json={"wamid": "wamid.unknown", "status": "read"})
    assert refused.status_code == 400
    assert "wamid.unknown" in refused.json()["error"]


def test_a_new_template_is_pending_until_its_verdict_arrives(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    for name, event in (("fresh_news", "APPROVED"), ("reject_me", "REJECTED")):
        answer = meta.post(
            f"/v23.0/{WABA}/message_templates",
            json={
                "name": name,
                "language": "en",
                "category": "UTILITY",
                "components": [{"type": "BODY", "text": "Hi"}],
            },
        )
        assert answer.json() == {"id": answer.json()["id"], "status": "PENDING", "category": "UTILITY"}
        envelope = json.loads(receiver.take()[0])
        assert isinstance(envelope["entry"][0]["time"], int)
        (change,) = envelope["entry"][0]["changes"]
        assert change["field"] == "message_template_status_update"
        value = change["value"]
        assert (value["event"], value["message_template_name"]) == (event, name)
        assert value["message_template_id"] == int(answer.json()["id"])
        listed = meta.get(f"/v23.0/{WABA}/message_templates", params={"name": name}).json()["data"]
        assert listed[0]["status"] == event


def test_a_templates_status_can_be_set_by_hand(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    meta.post("/sandbox/templates/order_update/status", json={"status": "PAUSED"}).raise_for_status()
    value = changes_in(receiver.take()[0])[0]["value"]
    assert (value["event"], value["other_info"]["title"]) == ("PAUSED", "FIRST_PAUSE")
    refused = meta.post(
        f"/v23.0/{PHONE}/messages",
        json={
            "messaging_product": "whatsapp",
            "to": "+49151123",
            "type": "template",
            "template": {"name": "order_update", "language": {"code": "en_US"}},
        },
    )
    assert refused.json()["error"]["code"] == 132015
    assert meta.post("/sandbox/templates/nothing/status", json={"status": "PAUSED"}).status_code == 400
    assert meta.post("/sandbox/templates/order_update/status", json={"status": "TIRED"}).status_code == 400


def test_a_templates_quality_and_category_change_by_hand_and_are_told(
    pair: tuple[httpx.Client, Receiver],
) -> None:
    meta, receiver = pair
    changed = {"quality": "RED", "category": "MARKETING", "language": "en_US"}
    meta.patch("/sandbox/templates/order_update", json=changed).raise_for_status()
    told: list[dict[str, Any]] = []
    while len(told) < 2:  # both may come in one POST, or each in its own
        told += changes_in(receiver.take()[0])
    quality, category = (each["value"] for each in told)
    assert (quality["previous_quality_score"], quality["new_quality_score"]) == ("GREEN", "RED")
    assert (category["previous_category"], category["new_category"]) == ("UTILITY", "MARKETING")
    assert isinstance(category["message_template_id"], int)
    for wrong in ({"quality": "VIOLET"}, {"language": "tlh", "quality": "RED"}, {"size": "L"}):
        assert meta.patch("/sandbox/templates/order_update", json=wrong).status_code == 400


def test_any_change_can_be_sent(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    meta.post(
        "/sandbox/changes",
        json={
            "field": "account_update",
            "value": {"event": "VERIFIED_ACCOUNT"},
            "wabaId": "100200300400600",
        },
    ).raise_for_status()
    entry = json.loads(receiver.take()[0])["entry"][0]
    assert entry["id"] == "100200300400600"
    assert entry["changes"] == [{"field": "account_update", "value": {"event": "VERIFIED_ACCOUNT"}}]


def test_a_waba_without_subscription_gets_nothing(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    meta.delete(f"/v23.0/{WABA}/subscribed_apps").raise_for_status()
    send(meta)
    eventually(lambda: state(meta)["webhooks"]["pending"] == 0)
    assert receiver.posts.empty()
    meta.post(f"/v23.0/{WABA}/subscribed_apps").raise_for_status()
    send(meta)
    assert len(receiver.statuses(3)) == 3


def test_a_webhook_is_subscribed_by_its_handshake() -> None:
    with receiving() as receiver, meta_for(receiver, webhook_url=None) as meta:
        send(meta)
        assert state(meta)["webhooks"] == {
            "url": None,
            "sent": 0,
            "updatesSent": 0,
            "failed": 0,
            "dropped": 0,
            "pending": 0,
        }
        receiver.verify_token = "another"
        assert meta.post("/sandbox/webhook", json={"url": receiver.url}).status_code == 400
        receiver.verify_token = "open-sesame"
        assert meta.post("/sandbox/webhook", json={"url": receiver.url}).json() == {"success": True}
        wamid = send(meta)
        assert {one["id"] for one in receiver.statuses(3)} == {wamid}


def test_reset_forgets_webhooks_under_way(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    receiver.answers = [500]
    send(meta)
    assert receiver.take()[2] == 500
    meta.post("/sandbox/reset").raise_for_status()
    assert state(meta)["webhooks"]["pending"] == 0
    wamid = send(meta)
    assert {one["id"] for one in receiver.statuses(3)} == {wamid}


DIGITS = {"display_phone_number": "493055570142"}
REJECTED_NAME = {
    "decision": "REJECTED",
    "requested_verified_name": "Northwind Logistics",
    "rejection_reason": "NAME_FORMAT_UNACCEPTABLE",
}


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"quality": "RED"}, "phone_number_quality_update", {"event": "FLAGGED"}),
        ({"throughput": "HIGH"}, "phone_number_quality_update", {"event": "THROUGHPUT_UPGRADE"}),
        (
            {"messagingLimit": "TIER_250"},
            "phone_number_quality_update",
            {"event": "DOWNGRADE", "old_limit": "TIER_2K", "current_limit": "TIER_250"},
        ),
        ({"newNameStatus": "DECLINED"}, "phone_number_name_update", REJECTED_NAME),
    ],
)
def test_what_is_changed_about_a_number_is_read_and_told(
    pair: tuple[httpx.Client, Receiver], changes: dict[str, str], field: str, told: dict[str, Any]
) -> None:
    meta, receiver = pair
    answer = meta.patch(f"/sandbox/phones/{PHONE}", json=changes).raise_for_status().json()
    assert {name: answer[name] for name in changes} == changes
    (change,) = changes_in(receiver.take()[0])
    assert change == {"field": field, "value": DIGITS | told}
    meta.patch(f"/sandbox/phones/{PHONE}", json=changes)
    eventually(lambda: state(meta)["webhooks"]["pending"] == 0)
    assert state(meta)["webhooks"]["updatesSent"] == 1  # the same again is no change


@pytest.mark.parametrize(
    ("changes", "field", "event"),
    [
        ({"review": "REJECTED"}, "account_review_update", None),
        ({"restriction": "DISABLE"}, "account_update", "DISABLED_UPDATE"),
        ({"restriction": "RESTRICTED_BIZ_INITIATED_MESSAGING"}, "account_update", "ACCOUNT_RESTRICTION"),
        ({"verification": "rejected"}, "account_update", "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE"),
    ],
)
def test_what_is_changed_about_an_account_is_read_and_told(
    pair: tuple[httpx.Client, Receiver], changes: dict[str, str], field: str, event: str | None
) -> None:
    meta, receiver = pair
    answer = meta.patch(f"/sandbox/accounts/{WABA}", json=changes).raise_for_status().json()
    assert {name: answer[name] for name in changes} == changes
    assert state(meta)["accounts"][0] == answer
    (change,) = changes_in(receiver.take()[0])
    assert (change["field"], change["value"].get("event")) == (field, event)
    fields = "account_review_status,business_verification_status,health_status"
    node = meta.get(f"/v23.0/{WABA}", params={"fields": fields}).json()
    assert node["account_review_status"] == changes.get("review", "APPROVED")
    assert node["business_verification_status"] == changes.get("verification", "verified")
    can_send = {None: "AVAILABLE", "DISABLE": "BLOCKED"}.get(changes.get("restriction"), "LIMITED")
    assert node["health_status"]["can_send_message"] == can_send


def test_a_flagged_number_goes_on_sending(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, _ = pair
    meta.patch(f"/sandbox/phones/{PHONE}", json={"quality": "RED"}).raise_for_status()
    assert send(meta).startswith("wamid.")
    meta.patch(f"/sandbox/phones/{PHONE}", json={"status": "DISCONNECTED"}).raise_for_status()
    with pytest.raises(httpx.HTTPStatusError) as refused:
        send(meta)
    assert refused.value.response.json()["error"]["code"] == 133010


FIELDS = [
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
    "user_preferences",
]


def test_every_field_has_a_sample(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    for field_name in FIELDS:
        meta.post("/sandbox/changes", json={"field": field_name}).raise_for_status()
    found: dict[str, Any] = {}
    while len(found) < len(FIELDS):
        for change in changes_in(receiver.take()[0]):
            found[change["field"]] = change["value"]
    assert set(found) == set(FIELDS)
    assert all(isinstance(value, dict) and value for value in found.values())
    refused = meta.post("/sandbox/changes", json={"field": "a_field_to_come"})
    assert refused.status_code == 400


def test_webhooks_can_come_twice_and_in_another_order(pair: tuple[httpx.Client, Receiver]) -> None:
    meta, receiver = pair
    disorder = {"duplicates": 1, "shuffle": True, "lateSeconds": 0.2}
    meta.patch("/sandbox/webhook", json=disorder).raise_for_status()
    count = 12
    for number in range(count):
        message = {"from": "4915187654321", "text": f"{number}"}
        meta.post("/sandbox/inbound", json=message).raise_for_status()
    texts: list[str] = []
    while len(texts) < 2 * count:
        for change in changes_in(receiver.take()[0]):
            texts += [one["text"]["body"] for one in change["value"].get("messages", [])]
    written = [str(number) for number in range(count)]
    assert sorted(texts) == sorted(written * 2)
    assert list(dict.fromkeys(texts)) != written


@pytest.mark.parametrize(
    "disorder", [{"duplicates": 2}, {"lateSeconds": -1}, {"shuffle": "yes"}, {"duplicate": 1}]
)
def test_a_disorder_that_cannot_be_is_refused(
    pair: tuple[httpx.Client, Receiver], disorder: dict[str, Any]
) -> None:
    assert pair[0].patch("/sandbox/webhook", json=disorder).status_code == 400
