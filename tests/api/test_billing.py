"""Conversations and billing as scripts meet them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from core.runtime import Runtime
from data.enums import Role
from tests.api.conftest import Caller, assert_refusal
from tests.conftest import NOW, PHONE_ID, Place
from tests.core.ledger import Ledger, Said

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(runtime: Runtime, place: Place) -> Ledger:
    return Ledger(runtime, place)


def test_current_month(ledger: Ledger, owner: Caller) -> None:
    ledger.many(503, FIRST, apart=HOUR)
    answer = owner.get("/billing/conversations/current-month")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    as_of, projected, forecast = (
        body.pop("asOf"),
        body.pop("projectedConversations"),
        body.pop("projectedAmountUSD"),
    )
    assert body == {
        "plan": "pro",
        "timezone": "UTC",
        "startDate": "2026-11-01",
        "endDate": "2026-11-30",
        "totalConversations": 503,
        "includedConversations": 500,
        "billableConversations": 3,
        "amountUSD": 0.02,
        "amountExact": "0.015",
    }
    assert as_of == "2026-11-23T09:00:00.000000Z"
    assert projected == round(503 * 30 * 86_400 / (NOW - FIRST).total_seconds())
    assert forecast == pytest.approx((projected - 500) * 0.005, abs=0.0051)


def test_metrics_count_the_last_day_too(ledger: Ledger, owner: Caller) -> None:
    ledger.write([Said("a", FIRST), Said("b", FIRST + 48 * HOUR, inbound=False)])
    answer = owner.get("/billing/conversations/metrics", startDate="2026-11-01", endDate="2026-11-03").json()
    assert (answer["startDate"], answer["endDate"], answer["totalConversations"]) == (
        "2026-11-01",
        "2026-11-03",
        2,
    )
    assert [day for day in answer["byDay"] if day["conversations"]] == [
        {
            "date": "2026-11-01",
            "conversations": 1,
            "customerInitiated": 1,
            "businessInitiated": 0,
            "messagesIn": 1,
            "messagesOut": 0,
        },
        {
            "date": "2026-11-03",
            "conversations": 1,
            "customerInitiated": 0,
            "businessInitiated": 1,
            "messagesIn": 0,
            "messagesOut": 1,
        },
    ]


def test_b8_750_on_pro_would_cost_1_25(ledger: Ledger, owner: Caller) -> None:
    ledger.many(750, FIRST, apart=HOUR / 2)
    body = {"plan": "pro", "startDate": "2026-11-01", "endDate": "2026-11-30"}
    answer = owner.post("/billing/conversations/calculate-billing", body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        **body,
        "prorated": False,
        "totalConversations": 750,
        "includedConversations": 500,
        "billableConversations": 250,
        "ratePerConversation": 0.005,
        "amountUSD": 1.25,
        "amountExact": "1.25",
    }
    part = owner.post(
        "/billing/conversations/calculate-billing", body | {"plan": "starter", "endDate": "2026-11-15"}
    )
    assert (part.json()["prorated"], part.json()["includedConversations"]) == (True, 50)
    free = owner.post("/billing/conversations/calculate-billing", body | {"plan": "enterprise"}).json()
    assert (free["ratePerConversation"], free["billableConversations"], free["amountExact"]) == (0, 0, "0.00")


def test_the_list_of_conversations(ledger: Ledger, owner: Caller) -> None:
    ledger.write([Said("a", NOW - 30 * HOUR), Said("b", NOW - HOUR, contact="con_2", inbound=False)])
    body = owner.get("/billing/conversations").json()
    assert body["nextCursor"] is None
    assert body["items"][0] == {
        "id": "cnv_b",
        "contact": "+4915112000002",
        "phoneNumberId": PHONE_ID,
        "openedAt": "2026-11-23T08:00:00.000000Z",
        "closesAt": "2026-11-24T08:00:00.000000Z",
        "openedBy": "business",
        "status": "active",
        "messagesIn": 0,
        "messagesOut": 1,
    }
    assert [one["id"] for one in owner.get("/billing/conversations", status="closed").json()["items"]] == [
        "cnv_a"
    ]
    assert [
        one["id"] for one in owner.get("/billing/conversations", contact="+4915112000002").json()["items"]
    ] == ["cnv_b"]
    first = owner.get("/billing/conversations", limit=1).json()
    assert [
        one["id"] for one in owner.get("/billing/conversations", cursor=first["nextCursor"]).json()["items"]
    ] == ["cnv_a"]


def test_close_inactive_answers_how_many_were_not_yet_written(ledger: Ledger, owner: Caller) -> None:
    ledger.write([Said("a", NOW - 30 * HOUR), Said("b", NOW - HOUR, contact="con_2")])
    assert owner.post("/billing/conversations/close-inactive").json() == {"closed": 1}
    assert owner.post("/billing/conversations/close-inactive").json() == {"closed": 0}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"startDate": "2026-11-02", "endDate": "2026-11-01"},
        {"startDate": "2026-11-01T00:00:00Z", "endDate": "2026-11-02"},
        {"startDate": "2026-02-30", "endDate": "2026-03-01"},
        {"startDate": "1700000000", "endDate": "2026-03-01"},
        {"startDate": "0001-01-01", "endDate": "0001-01-02"},
        {"startDate": "2020-01-01", "endDate": "2026-01-01"},
    ],
)
def test_days_that_are_none_are_malformed(ledger: Ledger, owner: Caller, query: dict[str, str]) -> None:
    assert_refusal(owner.get("/billing/conversations/metrics", **query), 400, "malformed")


@pytest.mark.parametrize(
    "change",
    [
        {"plan": "gold"},
        {"plan": None},
        {"plan": ["pro"]},
        {"startDate": 20261101},
        {"startDate": "2026-12-01"},
        {"endDate": "2026-13-01"},
        {"more": 1},
    ],
)
def test_a_what_if_that_cannot_be_read_is_malformed(owner: Caller, change: dict[str, object]) -> None:
    body = {"plan": "pro", "startDate": "2026-11-01", "endDate": "2026-11-30"} | change
    assert_refusal(owner.post("/billing/conversations/calculate-billing", body), 400, "malformed")


def test_who_may_see_what_of_billing(
    ledger: Ledger, caller: Callable[[Role], Caller], stranger: Caller
) -> None:
    ledger.write([Said("a", NOW - HOUR)])
    money = "/billing/conversations/current-month"
    for role, status in (
        (Role.OWNER, 200),
        (Role.MANAGER, 200),
        (Role.AGENT, 403),
        (Role.VIEWER, 403),
        (Role.SUPPORT, 403),
    ):
        assert caller(role).get(money).status_code == status
    assert_refusal(stranger.get(money), 401)
    assert caller(Role.VIEWER).get("/billing/conversations").json()["items"][0]["contact"] == "+49•••••0001"
    refused = assert_refusal(caller(Role.SUPPORT).get("/billing/conversations"), 403, "forbidden")
    assert refused["permission"] == "conversations.view"
    assert_refusal(caller(Role.MANAGER).post("/billing/conversations/close-inactive"), 403, "forbidden")
