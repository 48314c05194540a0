"""``/dead-letters/redrives`` and ``/dead-letters/bulk``, word for word."""

from collections.abc import Callable
from typing import Any

import httpx

from core.dead_letters import bulk
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from data.enums import Role
from tests.api.conftest import Caller, assert_refusal, dead_letter

WORK = {
    *("id", "state", "total", "done", "skipped", "delivered", "failedAgain", "ratePerSecond", "reason"),
    *("startedBy", "startedAt", "finishedAt"),
}
PATH = "/dead-letters/redrives"


def test_a_bulk_redrive_from_the_dry_run_to_its_end(
    owner: Caller, runtime: Runtime, clock: FrozenClock
) -> None:
    letters = []
    for _ in range(4):
        letters.append(dead_letter(owner))
        clock.advance(0.001)
    wanted: dict[str, Any] = {"filter": {"errorCode": "meta_131026"}, "reason": "They are on WhatsApp now"}
    tried = owner.post(PATH, wanted | {"dryRun": True})
    assert tried.status_code == 200
    assert tried.json() == {
        "count": 4,
        "byErrorCode": {"meta_131026": 4},
        "byClass": {"permanent": 4},
        "skipped": [],
        "estimatedSeconds": 1,
    }
    started = owner.post(PATH, wanted | {"ratePerSecond": 4})
    assert started.status_code == 202
    work = started.json()
    assert set(work) == {"id", "state", "total"}
    assert (work["id"][:4], work["state"], work["total"]) == ("rdv_", "running", 4)
    mine = f"{PATH}/{work['id']}"
    bulk.run_due(runtime)
    shown = owner.get(mine).json()
    assert set(shown) >= WORK
    assert (shown["state"], shown["done"], shown["skipped"], shown["delivered"]) == ("running", 3, 0, 0)
    assert (shown["ratePerSecond"], shown["reason"], shown["startedBy"]) == (
        *(4, "They are on WhatsApp now", "owner"),
    )
    assert (shown["startedAt"], shown["finishedAt"]) == ("2026-11-23T09:00:00.004000Z", None)
    assert owner.post(f"{mine}/pause").json()["state"] == "paused"
    assert owner.post(f"{mine}/resume").json()["state"] == "running"
    assert owner("PATCH", mine, {"ratePerSecond": 2}).json()["ratePerSecond"] == 2
    cancelled = owner.post(f"{mine}/cancel").json()
    assert (cancelled["state"], cancelled["finishedAt"]) == ("cancelled", "2026-11-23T09:00:00.004000Z")
    still_open = owner.get("/dead-letters", state="open").json()["items"]
    assert [one["id"] for one in still_open] == [letters[3]["id"]]
    for how in ("pause", "resume"):
        assert_refusal(owner.post(f"{mine}/{how}"), 409, "not_running")
    assert owner.post(f"{mine}/cancel").status_code == 200
    assert [one["id"] for one in owner.get(PATH).json()["items"]] == [work["id"]]
    assert owner.get("/dead-letters", bulkId=work["id"], state="redriven").json()["items"]


def test_what_is_not_asked_for_clearly_is_refused(owner: Caller, caller: Callable[[Role], Caller]) -> None:
    dead_letter(owner)
    for body, field in (
        ({"filter": {}}, "confirm"),
        ({"filter": {"state": "open"}}, "confirm"),
        ({}, "filter"),
        ({"filter": {"errorCode": "x"}, "ids": ["dl_1"]}, "ids"),
        ({"filter": {"errorCode": "meta_131026"}, "ratePerSecond": 0}, "ratePerSecond"),
        ({"filter": {"errorCode": "meta_131026"}, "ratePerSecond": 2.5}, "ratePerSecond"),
        ({"filter": {"code": "x"}}, "filter.code"),
        ({"filter": {"state": "resolved", "errorCode": "x"}}, "filter.state"),
        ({"filter": {"from": "yesterday"}}, "filter.from"),
        ({"filter": {"errorCode": "x"}, "canary": 0}, "canary"),
        ({"ids": []}, "ids"),
    ):
        refused = assert_refusal(owner.post(PATH, body), 400)
        assert refused["fields"][0]["field"] == field, (body, refused)
    nothing = {"filter": {"errorCode": "meta_1"}}
    assert_refusal(owner.post(PATH, nothing), 422, "nothing_matches")
    assert owner.post(PATH, nothing | {"dryRun": True}).json()["count"] == 0
    assert owner.post(PATH, {"filter": {}, "dryRun": True}).json()["count"] == 1
    assert_refusal(owner.get(f"{PATH}/rdv_nothing"), 404)
    support = caller(Role.SUPPORT)
    refused = assert_refusal(support.post(PATH, {"filter": {}, "confirm": True}), 403, "forbidden")
    assert refused["permission"] == "dead_letters.bulk_redrive"
    assert owner.post(PATH, {"filter": {}, "confirm": True}).status_code == 202


def test_many_are_discarded_and_restored(owner: Caller, runtime: Runtime, api: httpx.Client) -> None:
    letters = [dead_letter(owner) for _ in range(2)]
    ids = [one["id"] for one in letters]
    assert_refusal(
        owner.post("/dead-letters/bulk", {"action": "discard", "ids": ids}), 422, "reason_required"
    )
    assert_refusal(owner.post("/dead-letters/bulk", {"action": "assign", "ids": ids}), 400)
    started = owner.post("/dead-letters/bulk", {"action": "discard", "ids": ids, "reason": "Old"})
    assert started.status_code == 202
    bulk.run_due(runtime)
    work = owner.get(f"/dead-letters/bulk/{started.json()['id']}").json()
    assert (work["action"], work["state"], work["done"], work["skipped"]) == ("discard", "done", 2, 0)
    assert "delivered" not in work
    assert owner.get(f"/dead-letters/{ids[0]}").json()["closedReason"] == "Old"
    undo = {"action": "restore", "filter": {"bulkId": work["id"]}}
    undone = owner.post("/dead-letters/bulk", undo).json()
    bulk.run_due(runtime)
    assert owner.get(f"/dead-letters/bulk/{undone['id']}").json()["done"] == 2
    assert {one["state"] for one in owner.get("/dead-letters").json()["items"]} == {"open"}
    assert_refusal(owner.post(f"/dead-letters/bulk/{undone['id']}/pause"), 409, "not_running")


def test_letters_come_in_any_order_and_by_any_of_their_facts(owner: Caller, clock: FrozenClock) -> None:
    first = dead_letter(owner)
    clock.advance(1)
    second = dead_letter(owner, to="+4915110000004")

    def found(**wanted: Any) -> list[str]:
        answer = owner.get("/dead-letters", **{"class_" if k == "klass" else k: v for k, v in wanted.items()})
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    both = [first["id"], second["id"]]
    assert found(sort="oldest") == both
    assert found(sort="mostAttempts") == found() == both[::-1]
    assert found(klass="permanent", sort="oldest") == both
    assert found(klass="retry") == []
    assert found(attempts=1, sort="oldest") == both
    assert found(attempts=2) == []
    assert found(assigneeId="none", sort="oldest") == both
    assert found(q=first["title"].split()[-1], errorCode="meta_131026") == [first["id"]]
    assert found(q="nw", sort="oldest") == both
    assert_refusal(owner.get("/dead-letters", q="mara", sort="fewestAttempts"), 400)
    assert_refusal(owner.get("/dead-letters", sort="best"), 400)
    assert_refusal(owner.get("/dead-letters", class_="odd"), 400)
