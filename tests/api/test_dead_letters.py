"""``/dead-letters`` and what is done about one letter, word for word."""

from collections.abc import Callable
from typing import Any

import httpx

from core.ports.clock import FrozenClock
from core.runtime import Runtime
from data.enums import Role
from tests.api.conftest import Caller, assert_refusal, dead_letter, rows, template
from tests.conftest import PHONE_ID, SECOND_PHONE_ID

LINE = {
    "id",
    "messageId",
    "round",
    "state",
    "errorCode",
    "title",
    "advice",
    "class",
    "fingerprint",
    "to",
    "phoneNumberId",
    "templateName",
    "attempts",
    "mayDuplicate",
    "deadAt",
    "assigneeId",
}
NOBODY = "+4915110000003"
EXPERIMENT = "+4915110000004"


def test_a_letter_says_what_happened_and_what_to_do(owner: Caller) -> None:
    line = dead_letter(owner)
    assert set(line) == LINE
    assert line["state"] == "open"
    assert line["errorCode"] == "meta_131026"
    assert line["class"] == "permanent"
    assert (line["round"], line["attempts"], line["mayDuplicate"]) == (1, 1, False)
    assert (line["to"], line["phoneNumberId"]) == (NOBODY, PHONE_ID)
    assert line["templateName"] == "order_update"
    assert line["deadAt"] == "2026-11-23T09:00:00.000000Z"
    assert line["title"]
    assert line["advice"]
    shown = owner.get(f"/dead-letters/{line['id']}").json()
    assert set(shown) >= LINE | {"error", "payload", "attempts", "notes", "actions"}
    wanted = template(NOBODY)
    assert shown["payload"] == {"to": NOBODY, "template": wanted["template"]}
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["refused"]


def test_a_redriven_letter_is_sent_again_and_its_history_kept(owner: Caller) -> None:
    letter = dead_letter(owner)
    path = f"/dead-letters/{letter['id']}"
    answer = owner.post(f"{path}/redrive")
    assert answer.status_code == 202
    assert answer.json() == {"id": letter["id"], "messageId": letter["messageId"], "state": "redriven"}
    message = owner.get(f"/messages/{letter['messageId']}").json()
    assert message["status"] == "queued"
    assert len(message["attempts"]) == 1
    shown = owner.get(path).json()
    assert shown["state"] == "redriven"
    assert [action["action"] for action in shown["actions"]] == ["redrove"]
    assert_refusal(owner.post(f"{path}/redrive"), 409, "not_open")
    assert_refusal(owner.post(f"{path}/discard", {"reason": "Late"}), 409, "not_open")
    assert_refusal(owner.post(f"{path}/restore"), 409, "not_discarded")


def test_an_edited_payload_is_checked_and_the_old_one_kept(owner: Caller, runtime: Runtime) -> None:
    letter = dead_letter(owner)
    path = f"/dead-letters/{letter['id']}"
    before = rows(runtime.database)
    for payload, status, code in (
        ({"to": "nobody", "text": "Hi"}, 422, "invalid_recipient"),
        ({"to": NOBODY, "template": {"name": "nothing", "language": "en"}}, 422, "template_unknown"),
        (
            {"to": NOBODY, "template": {"name": "spring_sale", "language": "en_US"}},
            422,
            "template_not_sendable",
        ),
        (
            {"to": NOBODY, "template": {"name": "order_update", "language": "en_US"}},
            422,
            "template_parameters",
        ),
        ({"to": NOBODY}, 400, "malformed"),
        ({"text": "x"}, 400, "malformed"),
        ({"to": NOBODY, "text": "x", "template": template()["template"]}, 400, "malformed"),
        ([], 400, "malformed"),
    ):
        assert_refusal(owner.post(f"{path}/redrive", {"payload": payload}), status, code)
    assert rows(runtime.database) == before
    half = owner.post(f"{path}/redrive", {"payload": {"to": NOBODY}}).json()
    assert half["fields"] == [{"field": "payload", "message": "needs either template or text"}]
    edited = {"to": "+49 151 12345678", "template": {"name": "hello_world", "language": "en_US"}}
    assert owner.post(f"{path}/redrive", {"payload": edited}).status_code == 202
    shown = owner.get(path).json()
    assert shown["payload"] == edited | {"to": "+4915112345678"}
    (action,) = shown["actions"]
    assert action["payloadBefore"] == {"to": NOBODY, "template": template()["template"]}


def test_support_redrives_one_but_edits_none(caller: Callable[[Role], Caller], owner: Caller) -> None:
    letter = dead_letter(owner)
    path = f"/dead-letters/{letter['id']}"
    support = caller(Role.SUPPORT)
    shown = support.get(path).json()
    assert (shown["to"], shown["payload"]) == ("+49•••••0003", None)
    edited = {"payload": {"to": NOBODY, "text": "Hi"}}
    refused = assert_refusal(support.post(f"{path}/redrive", edited), 403, "forbidden")
    assert refused["permission"] == "messages.send"
    assert support.post(f"{path}/redrive").status_code == 202


def test_a_discard_needs_a_reason_and_can_be_undone_for_seven_days(owner: Caller, clock: FrozenClock) -> None:
    path = f"/dead-letters/{dead_letter(owner)['id']}"
    assert_refusal(owner.post(f"{path}/discard", {}), 400)
    assert_refusal(owner.post(f"{path}/restore"), 409, "not_discarded")
    answer = owner.post(f"{path}/discard", {"reason": "  Wrong number  "})
    assert (answer.status_code, answer.json()["state"]) == (200, "discarded")
    assert answer.json()["actions"][-1]["text"] == "Wrong number"
    clock.advance(7 * 86_400 - 1)
    restored = owner.post(f"{path}/restore")
    assert (restored.status_code, restored.json()["state"]) == (200, "open")
    owner.post(f"{path}/discard", {"reason": "Again"})
    clock.advance(7 * 86_400)
    assert_refusal(owner.post(f"{path}/restore"), 409, "not_discarded")


def test_notes_and_who_is_in_charge(owner: Caller, runtime: Runtime) -> None:
    path = f"/dead-letters/{dead_letter(owner)['id']}"
    assert_refusal(owner("PATCH", path, {"assigneeId": "usr_nobody"}), 422, "assignee_unknown")
    assert_refusal(owner("PATCH", path, {"note": " "}), 400)
    answer = owner("PATCH", path, {"note": "Called the customer"})
    assert answer.status_code == 200
    assert [(note["text"], note["actor"]) for note in answer.json()["notes"]] == [
        ("Called the customer", "owner")
    ]


def test_groups_count_by_cause(owner: Caller) -> None:
    for number in range(3):
        dead_letter(owner, to=f"+49151{number}0000003")
    dead_letter(owner, to=EXPERIMENT)
    first, second = owner.get("/dead-letters/groups").json()["items"]
    assert set(first) == {
        "fingerprint",
        "errorCode",
        "title",
        "count",
        "firstSeen",
        "lastSeen",
        "perHour",
        "retryable",
        "advice",
    }
    assert (first["errorCode"], first["count"], first["retryable"]) == ("meta_131026", 3, False)
    assert (second["errorCode"], second["count"]) == ("meta_130472", 1)
    assert len(first["perHour"]) == 24
    assert sum(first["perHour"]) == 3
    narrowed = owner.get("/dead-letters/groups", errorCode="meta_130472").json()["items"]
    assert [group["count"] for group in narrowed] == [1]


def test_each_filter_finds_its_own(owner: Caller, clock: FrozenClock) -> None:
    first = dead_letter(owner)
    clock.advance(60)
    hello = {"name": "hello_world", "language": "en_US"}
    second = dead_letter(owner, to=EXPERIMENT, template=hello, phoneNumberId=SECOND_PHONE_ID)
    clock.advance(60)
    owner.post(f"/dead-letters/{second['id']}/discard", {"reason": "No"})

    def ids(**wanted: str) -> list[str]:
        answer = owner.get("/dead-letters", **wanted)
        assert answer.status_code == 200, answer.text
        return [line["id"] for line in answer.json()["items"]]

    assert ids() == [second["id"], first["id"]]
    assert ids(state="open") == [first["id"]]
    assert ids(state="discarded") == [second["id"]]
    assert ids(errorCode="meta_131026") == [first["id"]]
    assert ids(fingerprint=second["fingerprint"]) == [second["id"]]
    assert ids(phoneNumberId=SECOND_PHONE_ID) == [second["id"]]
    assert ids(templateName="hello_world") == [second["id"]]
    assert ids(to=NOBODY) == ids(to=NOBODY.removeprefix("+")) == [first["id"]]
    assert ids(from_="2026-11-23T09:01:00Z") == [second["id"]]
    assert ids(until="2026-11-23T09:01:00Z") == [first["id"]]
    assert ids(from_="2026-11-23T09:00:00Z", until="2026-11-23T09:00:00Z") == []
    for q in (first["messageId"], first["id"], "131026", NOBODY):
        assert ids(q=q) == [first["id"]], q


def test_the_list_pages_through_letters_of_one_moment(owner: Caller) -> None:
    made = {dead_letter(owner, to=f"+49151{number}0000003")["id"] for number in range(5)}
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = owner.get("/dead-letters", limit=2, **cursor).json()
        seen += [line["id"] for line in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert len(seen) == 5
    assert set(seen) == made


def test_a_late_delivery_closes_the_letter(owner: Caller, api: httpx.Client, sandbox: httpx.Client) -> None:
    from tests.api.test_webhooks import signed, status_of

    letter = dead_letter(owner)
    told = status_of("wamid.after.all", "delivered", callback=letter["messageId"])
    assert signed(api, told).status_code == 200
    assert owner.get(f"/dead-letters/{letter['id']}").json()["state"] == "resolved"
    assert owner.get("/queues/status").json()["messageRetry"]["dead"] == 0
