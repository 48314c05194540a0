"""``/phones``: exactly the keys that scripts read, and a sync that answers the number as it is now."""

from collections.abc import Callable

import httpx
import pytest

from core.lanes.holding import hold
from core.runtime import Runtime
from data.enums import HoldCause, HoldScope, Role
from tests.api.conftest import Caller, assert_refusal
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, WABA_ID, Place

KEYS = {
    *("phoneNumberId", "wabaId", "displayPhoneNumber", "verifiedName", "quality", "throughputLevel"),
    *("limitPerSecond", "messagingTier", "nameStatus", "status", "lane", "lastSyncedAt"),
}


@pytest.mark.parametrize("role", [Role.OWNER, Role.VIEWER, Role.SUPPORT])
def test_the_numbers_and_their_lanes(
    caller: Callable[[Role], Caller], runtime: Runtime, place: Place, other_place: Place, role: Role
) -> None:
    with runtime.unit(place.owner, write=True) as unit:
        hold(
            unit,
            scope=HoldScope.LANE,
            subject=PHONE_ID,
            cause=HoldCause.TOKEN,
            reason="The token expired.",
            workspace_id=place.workspace.id,
        )
    answer = caller(role).get("/phones").raise_for_status().json()
    first, second = answer["items"]
    assert (set(first), answer["nextCursor"]) == (KEYS, None)
    assert first | {"lane": None} == {
        "phoneNumberId": PHONE_ID,
        "wabaId": WABA_ID,
        "displayPhoneNumber": "+49 30 55570142",
        "verifiedName": "Northwind 1",
        "quality": "GREEN",
        "throughputLevel": "STANDARD",
        "limitPerSecond": 30,
        "messagingTier": None,
        "nameStatus": None,
        "status": "CONNECTED",
        "lane": None,
        "lastSyncedAt": "2026-11-23T09:00:00.000000Z",
    }
    assert first["lane"] == {
        "state": "held",
        "reason": "The token expired.",
        "since": "2026-11-23T09:00:00.000000Z",
        "held": 0,
    }
    assert second["lane"] == {"state": "running", "reason": None, "since": None, "held": 0}


def test_the_list_goes_on_by_cursor(owner: Caller) -> None:
    first = owner.get("/phones", limit=1).json()
    rest = owner.get("/phones", limit=1, cursor=first["nextCursor"]).json()
    ids = [phone["phoneNumberId"] for phone in first["items"] + rest["items"]]
    assert (ids, rest["nextCursor"]) == ([PHONE_ID, SECOND_PHONE_ID], None)
    assert_refusal(owner.get("/phones", cursor="x"), 400, "malformed")
    assert_refusal(owner.get("/phones", limit=201), 400, "malformed")


def test_a_sync_answers_the_number_as_meta_has_it_now(owner: Caller, sandbox: httpx.Client) -> None:
    sandbox.patch(f"/sandbox/phones/{PHONE_ID}", json={"quality": "YELLOW", "throughput": "HIGH"})
    found = owner.post(f"/phones/{PHONE_ID}/sync").raise_for_status().json()
    assert set(found) == KEYS
    assert (found["verifiedName"], found["quality"], found["throughputLevel"], found["messagingTier"]) == (
        "Northwind Logistics",
        "YELLOW",
        "HIGH",
        "TIER_2K",
    )


def test_what_a_sync_refuses(owner: Caller, caller: Callable[[Role], Caller], other_place: Place) -> None:
    for unknown in (str(int(PHONE_ID) + 50), "1", "nonsense", "9" * 40):
        assert_refusal(owner.post(f"/phones/{unknown}/sync"), 404, "not_found")
    refused = assert_refusal(caller(Role.MANAGER).post(f"/phones/{PHONE_ID}/sync"), 403, "forbidden")
    assert refused["permission"] == "phones.manage"


def test_metas_refusal_is_422_under_its_code(owner: Caller, runtime: Runtime, sandbox: httpx.Client) -> None:
    sandbox.get("/v23.0/oauth/revoke", params={"revoke_token": "test-token", **APP}, headers=BEARER)
    refused = assert_refusal(owner.post(f"/phones/{PHONE_ID}/sync"), 422, "meta_190")
    assert "test-token" not in refused["error"]


APP = {"client_id": "300200100900800", "client_secret": "test-app-secret"}
BEARER = {"Authorization": "Bearer t"}
