"""``/templates``: what scripts read, and a sync that answers how many there are."""

from collections.abc import Callable

import httpx
import pytest

from core.runtime import Runtime
from data.enums import Role
from tests.api.conftest import Caller, assert_refusal
from tests.conftest import WABA_ID, Place

KEYS = {
    *("id", "wabaId", "name", "language", "status", "category", "quality", "rejectedReason", "components"),
    "lastSyncedAt",
}


@pytest.mark.parametrize("role", [Role.OWNER, Role.VIEWER, Role.SUPPORT])
def test_the_templates_by_name(
    caller: Callable[[Role], Caller], place: Place, other_place: Place, role: Role
) -> None:
    answer = caller(role).get("/templates").raise_for_status().json()
    assert [item["name"] for item in answer["items"]] == [
        "hello_world", "order_update", "spring_sale", "winter_sale"
    ]  # fmt: skip
    assert answer["nextCursor"] is None
    assert answer["items"][0] == {
        "id": None,
        "wabaId": WABA_ID,
        "name": "hello_world",
        "language": "en_US",
        "status": "APPROVED",
        "category": "UTILITY",
        "quality": None,
        "rejectedReason": None,
        "components": [{"type": "BODY", "text": "Hello and welcome."}],
        "lastSyncedAt": "2026-11-23T09:00:00.000000Z",
    }


def test_the_list_narrows_and_goes_on_by_cursor(owner: Caller) -> None:
    paused = owner.get("/templates", status="paused", q="spring", category="marketing", language="en_US")
    assert [item["name"] for item in paused.json()["items"]] == ["spring_sale"]
    first = owner.get("/templates", limit=3).json()
    rest = owner.get("/templates", limit=3, cursor=first["nextCursor"]).json()
    assert (len(first["items"]), len(rest["items"]), rest["nextCursor"]) == (3, 1, None)
    assert_refusal(owner.get("/templates", cursor="x"), 400, "malformed")


def test_a_sync_reads_all_of_them_from_meta(owner: Caller, sandbox: httpx.Client) -> None:
    answer = owner.post("/templates/sync").raise_for_status()
    assert answer.status_code == 200
    items = owner.get("/templates").json()["items"]
    assert answer.json() == {"count": len(items)}
    assert set(items[0]) == KEYS
    rejected = next(item for item in items if item["name"] == "loyalty_offer")
    assert (rejected["status"], rejected["rejectedReason"]) == ("REJECTED", "PROMOTIONAL")
    assert rejected["id"].isdigit()


def test_what_a_sync_refuses(
    owner: Caller, caller: Callable[[Role], Caller], runtime: Runtime, sandbox: httpx.Client
) -> None:
    refused = assert_refusal(caller(Role.AGENT).post("/templates/sync"), 403, "forbidden")
    assert refused["permission"] == "templates.manage"
    app = {"client_id": "300200100900800", "client_secret": "test-app-secret"}
    revoking = {"revoke_token": "test-token", **app}
    sandbox.get("/v23.0/oauth/revoke", params=revoking, headers={"Authorization": "Bearer t"})
    assert_refusal(owner.post("/templates/sync"), 422, "meta_190")


NEWS = {
    "name": "pending_news",
    "language": "en_US",
    "category": "marketing",
    "components": [
        {"type": "BODY", "text": "Hello {{1}}, it is here.", "example": {"body_text": [["Mara"]]}},
        {"type": "FOOTER", "text": "Northwind"},
    ],
}


def test_a_template_is_made_and_stands_in_the_list_as_pending(owner: Caller, sandbox: httpx.Client) -> None:
    answer = owner.post("/templates", NEWS)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body == {
        "id": body["id"],
        "name": "pending_news",
        "status": "PENDING",
        "category": "MARKETING",
    }
    assert body["id"].isdigit()
    (item,) = owner.get("/templates", q="pending_news").json()["items"]
    assert (item["id"], item["components"]) == (body["id"], NEWS["components"])
    assert_refusal(owner.post("/templates", NEWS), 409, "template_exists")


def test_every_problem_of_a_template_is_named(owner: Caller, sandbox: httpx.Client) -> None:
    wrong = NEWS | {"name": "Pending News", "components": [{"type": "BODY", "text": "{{1}}"}]}
    body = assert_refusal(owner.post("/templates", wrong), 422, "template_invalid")
    assert [each["field"] for each in body["fields"]] == ["name", "body", "body", "body", "body.1"]
    malformed = NEWS | {"components": [{"type": "BODY", "text": 1}]}
    refused = assert_refusal(owner.post("/templates", malformed), 400, "malformed")
    assert refused["fields"] == [{"field": "body.text", "message": "must be text"}]
    assert_refusal(owner.post("/templates", NEWS | {"wabaId": "1"}), 404, "not_found")
