"""``/messages``, word for word."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.team.owners import COMMAND
from data.enums import PlanName, Role
from data.people import Workspace
from tests.api.conftest import Caller, Server, assert_refusal, bearer, dead_letter, rows, template
from tests.conftest import APP_SECRET, NOW, PHONE_ID, SECOND_PHONE_ID, Place, with_settings
from tests.webhooks import hear

PACE = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
MESSAGE_ID = re.compile(r"msg_[0-9a-z]{26}")
LINE = {
    "id",
    "direction",
    "status",
    "to",
    "phoneNumberId",
    "templateName",
    "wamid",
    "mayDuplicate",
    "errorCode",
    "error",
    "waitingFor",
    "nextAttemptAt",
    "createdAt",
}


def a_customer_writes(server: Server, *, to: str = "4915112345678", phone: str = PHONE_ID) -> None:
    """Opens the service window, as their message to us does."""
    at = str(int(NOW.timestamp()))
    message = {"id": f"wamid.in.{to}", "from": to, "timestamp": at, "type": "text", "text": {"body": "Hi"}}
    value = {"metadata": {"phone_number_id": phone}, "messages": [message]}
    hear(server.runtime, {"entry": [{"changes": [{"field": "messages", "value": value}]}]})


def pace(answer: httpx.Response) -> tuple[str, ...]:
    return tuple(answer.headers[name] for name in PACE)


def test_a_template_that_meta_takes_is_sent(owner: Caller) -> None:
    answer = owner.post("/messages/template", template())
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"success", "id", "status", "wamid"}
    assert (body["success"], body["status"]) == (True, "sent")
    assert MESSAGE_ID.fullmatch(body["id"])
    assert body["wamid"].startswith("wamid.")
    assert pace(answer) == ("30", "29", "2026-11-23T09:00:01.050000Z")


def test_text_goes_where_the_customer_wrote_and_nowhere_else(owner: Caller, server: Server) -> None:
    closed = {"to": "+49 151 1234 5678", "text": "Guten Tag 👋", "phoneNumberId": PHONE_ID}
    refused = owner.post("/messages/text", closed)
    assert_refusal(refused, 422, "window_closed")
    assert pace(refused)[:2] == ("30", "30")
    a_customer_writes(server)
    answer = owner.post("/messages/text", closed)
    assert answer.status_code == 200, answer.text
    shown = owner.get(f"/messages/{answer.json()['id']}").json()
    assert shown["payload"] == {"to": "+4915112345678", "text": "Guten Tag 👋"}


def test_queued_is_answered_at_once(owner: Caller, sandbox: httpx.Client) -> None:
    answer = owner.post("/messages/template", template(mode="queued"))
    assert answer.status_code == 202
    assert answer.json() == {"success": True, "id": answer.json()["id"], "status": "queued"}
    assert pace(answer)[:2] == ("30", "30")
    assert sandbox.get("/sandbox/counts").json()["received"] == 0


def test_a_failure_that_can_pass_is_tried_again(owner: Caller) -> None:
    answer = owner.post("/messages/template", template("+4915110000002"))
    assert answer.status_code == 202
    body = answer.json()
    assert body["success"] is False
    assert body["message"] == "Message send failed, queued for retry"
    assert body["status"] == "retry_queued"
    assert body["error"]
    waits = datetime.fromisoformat(body["nextAttemptAt"]) - NOW
    assert timedelta(seconds=60) <= waits <= timedelta(seconds=72.1)
    assert "wamid" not in body
    shown = owner.get(f"/messages/{body['id']}").json()
    assert (shown["status"], shown["waitingFor"]) == ("retry_queued", "rung")
    assert shown["nextAttemptAt"] == body["nextAttemptAt"]
    assert [(a["number"], a["outcome"], a["code"]) for a in shown["attempts"]] == [
        (1, "passing", "meta_131016")
    ]


def test_a_failure_that_cannot_pass_is_dead_at_once(owner: Caller) -> None:
    answer = owner.post("/messages/template", template("+4915110000003"))
    assert answer.status_code == 422
    body = answer.json()
    assert set(body) == {"success", "id", "status", "error", "code"}
    assert (body["success"], body["status"], body["code"]) == (False, "dead", "meta_131026")
    assert pace(answer)[1] == "29"


def test_an_unknown_outcome_is_held_where_the_setting_says_so(
    api: httpx.Client, owner: Caller, server: Server, runtime: Runtime, sandbox: httpx.Client
) -> None:
    server.work_on(with_settings(runtime, waypost_unknown_outcome="hold"))
    answer = owner.post("/messages/template", template("+4915110000005"))
    assert answer.status_code == 202
    body = answer.json()
    assert set(body) == {"success", "id", "status", "error"}
    assert (body["success"], body["status"]) == (False, "unknown")
    shown = owner.get(f"/messages/{body['id']}").json()
    assert (shown["waitingFor"], shown["mayDuplicate"]) == ("person", True)
    settled = owner.post(f"/messages/{body['id']}/settle", {"outcome": "sent", "reason": "They wrote back"})
    assert settled.status_code == 200
    assert settled.json()["status"] == "sent"
    again = owner.post(f"/messages/{body['id']}/settle", {"outcome": "sent", "reason": "Twice"})
    assert_refusal(again, 409, "not_unknown")


@pytest.mark.parametrize(("outcome", "status"), [("retry", "queued"), ("discard", "discarded")])
def test_settling_an_unknown_outcome(
    owner: Caller, server: Server, runtime: Runtime, outcome: str, status: str
) -> None:
    server.work_on(with_settings(runtime, waypost_unknown_outcome="hold"))
    sent = owner.post("/messages/template", template("+4915110000005")).json()
    settled = owner.post(f"/messages/{sent['id']}/settle", {"outcome": outcome, "reason": "Because"})
    assert settled.status_code == 200, settled.text
    assert settled.json()["status"] == status


def test_support_may_settle_but_not_discard(
    caller: Callable[[Role], Caller], server: Server, runtime: Runtime
) -> None:
    server.work_on(with_settings(runtime, waypost_unknown_outcome="hold"))
    sent = caller(Role.AGENT).post("/messages/template", template("+4915110000005")).json()
    path = f"/messages/{sent['id']}/settle"
    support = caller(Role.SUPPORT)
    refused = assert_refusal(support.post(path, {"outcome": "discard", "reason": "No"}), 403, "forbidden")
    assert refused["permission"] == "dead_letters.discard"
    assert support.post(path, {"outcome": "retry", "reason": "Yes"}).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"to": "not a number"}, 422, "invalid_recipient"),
        ({"to": "0151 1234567"}, 422, "invalid_recipient"),
        ({"template": {"name": "nobody_knows", "language": "en_US"}}, 422, "template_unknown"),
        ({"template": {"name": "spring_sale", "language": "en_US"}}, 422, "template_not_sendable"),
        ({"template": {"name": "order_update", "language": "en_US"}}, 422, "template_parameters"),
        ({"phoneNumberId": None}, 422, "phone_number_required"),
        ({"phoneNumberId": "999"}, 404, "not_found"),
    ],
)
def test_a_send_that_is_refused_stores_nothing(
    owner: Caller, runtime: Runtime, sandbox: httpx.Client, change: dict[str, Any], status: int, code: str
) -> None:
    before = rows(runtime.database)
    body = {name: value for name, value in (template() | change).items() if value is not None}
    answer = owner.post("/messages/template", body)
    assert_refusal(answer, status, code)
    named = code not in ("phone_number_required", "not_found")
    assert all((name in answer.headers) is named for name in PACE)
    after = rows(runtime.database)
    assert {name for name in after if after[name] != before[name]} <= {"template"}  # the one sync (T4)
    assert sandbox.get("/sandbox/counts").json()["received"] == 0


def test_the_phone_of_another_workspace_is_not_found(owner: Caller, other_place: Place) -> None:
    foreign = str(int(PHONE_ID) + 50)
    theirs = owner.post("/messages/template", template(phoneNumberId=foreign))
    missing = owner.post("/messages/template", template(phoneNumberId="1"))
    assert_refusal(theirs, 404, "not_found")
    assert theirs.json() == missing.json()


def test_over_the_throughput_nothing_is_stored(
    owner: Caller, runtime: Runtime, clock: FrozenClock, sandbox: httpx.Client
) -> None:
    for remaining in range(29, -1, -1):
        answer = owner.post("/messages/template", template())
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-remaining"] == str(remaining)
    before = rows(runtime.database)
    refused = owner.post("/messages/template", template())
    assert_refusal(refused, 429, "throughput_exceeded")
    assert refused.json() == {
        "error": "Phone throughput limit exceeded",
        "code": "throughput_exceeded",
        "plan": "pro",
        "limit": 30,
        "remaining": 0,
        "resetAt": "2026-11-23T09:00:01.050000Z",
    }
    assert refused.headers["retry-after"] == "2"  # whole seconds, never too early
    assert pace(refused) == ("30", "0", "2026-11-23T09:00:01.050000Z")
    assert rows(runtime.database) == before
    assert owner.post("/messages/template", template(mode="queued")).status_code == 202
    other = owner.post("/messages/template", template(phoneNumberId=SECOND_PHONE_ID))
    assert other.status_code == 200
    clock.advance(1.051)
    assert owner.post("/messages/template", template()).status_code == 200


def test_q13_of_fifteen_direct_sends_at_once_exactly_the_limit_passes(
    owner: Caller, runtime: Runtime, place: Place, sandbox: httpx.Client
) -> None:
    with runtime.unit(COMMAND, write=True) as unit:
        workspace = unit.session.get_one(Workspace, place.workspace.id)
        workspace.plan = PlanName.STARTER
        unit.session.add(workspace)
    with ThreadPoolExecutor(15) as pool:
        answers = list(pool.map(lambda _: owner.post("/messages/template", template()), range(15)))
    passed = [one for one in answers if one.status_code == 200]
    refused = [one for one in answers if one.status_code != 200]
    assert (len(passed), len(refused)) == (10, 5)
    assert sorted(int(one.headers["x-ratelimit-remaining"]) for one in passed) == list(range(10))
    for one in refused:
        assert_refusal(one, 429, "throughput_exceeded")
        assert (one.json()["plan"], one.json()["limit"], one.json()["remaining"]) == ("starter", 10, 0)
        assert pace(one) == ("10", "0", one.json()["resetAt"])
        assert one.headers["retry-after"] == "2"
    assert sandbox.get("/sandbox/counts").json()["received"] == 10
    assert rows(runtime.database)["message"] == 10


def test_a_held_lane_takes_messages_and_says_queued(owner: Caller) -> None:
    owner.post("/queues/messageRetry/pause", {"phoneNumberId": PHONE_ID, "reason": "Wrong text"})
    answer = owner.post("/messages/template", template())
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    shown = owner.get(f"/messages/{answer.json()['id']}").json()
    assert shown["waitingFor"] == "lane"


def test_a_message_shows_its_attempts_and_statuses(owner: Caller, api: httpx.Client) -> None:
    from tests.api.test_webhooks import signed, status_of

    sent = owner.post("/messages/template", template()).json()
    reported = status_of(sent["wamid"], "delivered", callback=sent["id"])
    assert signed(api, reported).status_code == 200
    shown = owner.get(f"/messages/{sent['id']}").json()
    assert shown["direction"] == "outbound"
    assert shown["status"] == "delivered"
    assert shown["to"] == "+4915112345678"
    assert shown["phoneNumberId"] == PHONE_ID
    assert shown["wamid"] == sent["wamid"]
    assert shown["mayDuplicate"] is False
    assert shown["nextAttemptAt"] is None
    assert shown["waitingFor"] is None
    (attempt,) = shown["attempts"]
    assert {"number", "startedAt", "finishedAt", "outcome", "error", "code"} <= set(attempt)
    assert (attempt["number"], attempt["outcome"], attempt["error"]) == (1, "accepted", None)
    assert attempt["startedAt"] == "2026-11-23T09:00:00.000000Z"
    assert [(s["status"], s["timestamp"]) for s in shown["statuses"]] == [
        ("delivered", "2026-11-23T09:00:00.000000Z")
    ]


def test_the_list_is_newest_first_and_pages_through_without_gap(owner: Caller, clock: FrozenClock) -> None:
    made = []
    for _ in range(5):
        made.append(owner.post("/messages/template", template(mode="queued")).json()["id"])
        clock.advance(1)
    seen, cursor = [], None
    while True:
        page = owner.get("/messages", limit=2, **({"cursor": cursor} if cursor else {})).json()
        assert set(page) == {"items", "nextCursor"}
        assert all(set(line) >= LINE for line in page["items"])
        seen += [line["id"] for line in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    assert owner.get("/messages", limit=5).json()["nextCursor"] is None


def test_from_and_until_are_half_open(owner: Caller, clock: FrozenClock) -> None:
    made = []
    for _ in range(3):
        made.append(owner.post("/messages/template", template(mode="queued")).json()["id"])
        clock.advance(60)

    def between(since: str, until: str) -> list[str]:
        found = owner.get("/messages", from_=since, until=until)
        assert found.status_code == 200, found.text
        return [line["id"] for line in found.json()["items"]][::-1]

    assert between("2026-11-23T09:00:00Z", "2026-11-23T09:02:00Z") == made[:2]
    assert between("2026-11-23T09:00:00.000001Z", "2026-11-23T09:02:00.000001Z") == made[1:]
    assert between("2026-11-23T10:00:00+01:00", "2026-11-23T09:01:00Z") == made[:1]
    assert between("2026-11-23T09:01:00Z", "2026-11-23T09:01:00Z") == []
    backwards = owner.get("/messages", from_="2026-11-23T09:02:00Z", until="2026-11-23T09:01:00Z")
    assert assert_refusal(backwards, 400)["fields"][0]["field"] == "until"


def test_each_filter_finds_its_own(owner: Caller, server: Server) -> None:
    sent = owner.post("/messages/template", template()).json()
    dead = owner.post("/messages/template", template("+4915110000003", phoneNumberId=SECOND_PHONE_ID)).json()
    a_customer_writes(server, to="4915199999999")

    def ids(**wanted: str) -> list[str]:
        answer = owner.get("/messages", **wanted)
        assert answer.status_code == 200, answer.text
        return [line["id"] for line in answer.json()["items"]]

    assert len(ids()) == 3
    assert ids(status="sent") == [sent["id"]]
    assert ids(status="dead") == [dead["id"]]
    assert ids(to="+4915112345678") == ids(to="4915112345678") == [sent["id"]]
    assert ids(phoneNumberId=SECOND_PHONE_ID) == [dead["id"]]
    assert ids(errorCode="meta_131026") == [dead["id"]]
    assert ids(q=sent["wamid"]) == [sent["id"]]
    assert ids(q=sent["id"]) == [sent["id"]]
    assert set(ids(q="order_update")) == {sent["id"], dead["id"]}
    assert ids(q="+49151 1234") == [sent["id"]]
    (inbound,) = ids(direction="inbound")
    assert owner.get(f"/messages/{inbound}").json()["status"] == "received"
    assert set(ids(direction="outbound")) == {sent["id"], dead["id"]}


def test_viewers_see_numbers_and_text_masked(caller: Callable[[Role], Caller]) -> None:
    sent = caller(Role.AGENT).post("/messages/template", template()).json()
    for role in (Role.VIEWER, Role.SUPPORT):
        masked = caller(role)
        assert masked.get("/messages").json()["items"][0]["to"] == "+49•••••5678"
        shown = masked.get(f"/messages/{sent['id']}")
        assert shown.json()["payload"] is None
        assert "Mara" not in shown.text
        assert "4915112345678" not in shown.text
        for wanted in ({"to": "+4915112345678"}, {"q": "+4915112345"}):
            refused = assert_refusal(masked.get("/messages", **wanted), 403, "forbidden")
            assert refused["permission"] == "contacts.reveal"


def test_a_message_of_another_workspace_is_as_one_that_is_not_there(
    api: httpx.Client, owner: Caller, other_place: Place
) -> None:
    mine = owner.post("/messages/template", template()).json()["id"]
    theirs = Caller(api, bearer(other_place.keys[Role.OWNER]))
    foreign, missing = theirs.get(f"/messages/{mine}"), theirs.get("/messages/msg_nothing")
    assert_refusal(foreign, 404, "not_found")
    assert foreign.json() == missing.json()
    assert theirs.get("/messages").json() == {"items": [], "nextCursor": None}
    assert theirs.get("/messages", q=mine).json()["items"] == []


def test_ttl_is_how_long_it_is_worth_sending(owner: Caller) -> None:
    sent = owner.post("/messages/template", template(mode="queued", ttlSeconds=0.5)).json()
    shown = owner.get(f"/messages/{sent['id']}").json()
    assert shown["expiresAt"] == (NOW + timedelta(seconds=0.5)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_template_that_meta_made_since_is_found_by_one_sync(owner: Caller) -> None:
    """The sandbox has ``feedback_request``; our copy of the account's templates has not."""
    wanted = template(template={"name": "feedback_request", "language": "en"})
    assert owner.post("/messages/template", wanted).status_code == 200


def test_the_secret_and_the_token_are_in_no_answer(owner: Caller) -> None:
    dead_letter(owner)
    for path in ("/messages", "/dead-letters", "/queues/status", "/admin/health"):
        text = owner.get(path).text
        assert "test-token" not in text
        assert APP_SECRET not in text
