"""``/alerts``, word for word."""

from collections.abc import Callable

import httpx

from core.alerts.commands import raise_alert, resolve_alert
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.team.keys import create_api_key
from core.team.owners import COMMAND
from data.enums import Role, Severity
from tests.api.conftest import Caller, assert_refusal, bearer
from tests.conftest import PHONE_ID, Place


def raise_one(runtime: Runtime, place: Place | None, *, subject: str = PHONE_ID) -> str:
    with runtime.unit(COMMAND, write=True) as unit:
        return raise_alert(
            unit,
            kind="lane_held",
            subject=subject,
            severity=Severity.CRITICAL,
            title="A number sends nothing",
            detail="Payment is missing.",
            workspace_id=place.workspace.id if place else None,
        ).id


def test_an_open_alert_and_a_resolved_one(
    owner: Caller, runtime: Runtime, place: Place, clock: FrozenClock
) -> None:
    alert_id = raise_one(runtime, place)
    line = {
        "id": alert_id,
        "kind": "lane_held",
        "severity": "critical",
        "title": "A number sends nothing",
        "subject": PHONE_ID,
        "openedAt": "2026-11-23T09:00:00.000000Z",
        "resolvedAt": None,
    }
    assert owner.get("/alerts").json() == {"items": [line], "nextCursor": None}
    assert owner.get("/alerts", state="open").json()["items"] == [line]
    assert owner.get("/alerts", state="resolved").json()["items"] == []
    clock.advance(60)
    with runtime.unit(COMMAND, write=True) as unit:
        resolve_alert(unit, kind="lane_held", subject=PHONE_ID, workspace_id=place.workspace.id)
    resolved = line | {"resolvedAt": "2026-11-23T09:01:00.000000Z"}
    assert owner.get("/alerts", state="open").json()["items"] == []
    assert owner.get("/alerts", state="resolved").json()["items"] == [resolved]
    assert_refusal(owner.post(f"/alerts/{alert_id}/acknowledge"), 409, "alert_resolved")


def test_acknowledging_answers_who_takes_care(owner: Caller, runtime: Runtime, place: Place) -> None:
    alert_id = raise_one(runtime, place)
    for _ in range(2):
        answer = owner.post(f"/alerts/{alert_id}/acknowledge")
        assert answer.status_code == 200
        assert answer.json() == {
            **owner.get("/alerts").json()["items"][0],
            "acknowledgedAt": "2026-11-23T09:00:00.000000Z",
            "acknowledgedBy": "owner",
        }


def test_the_list_is_read_page_by_page(
    owner: Caller, runtime: Runtime, place: Place, clock: FrozenClock
) -> None:
    ids = []
    for index in range(3):
        clock.advance(1)
        ids.append(raise_one(runtime, place, subject=str(index)))
    first = owner.get("/alerts", limit=2).json()
    second = owner.get("/alerts", limit=2, cursor=first["nextCursor"]).json()
    assert [item["id"] for item in first["items"] + second["items"]] == ids[::-1]
    assert second["nextCursor"] is None


def test_what_is_malformed_and_what_is_not_there(owner: Caller, runtime: Runtime, other_place: Place) -> None:
    theirs = raise_one(runtime, other_place)
    for wrong in ({"state": "gone"}, {"limit": 0}, {"cursor": "x"}):
        assert_refusal(owner.get("/alerts", **wrong), 400, "malformed")
    for alert_id in (theirs, "alr_none"):
        assert_refusal(owner.post(f"/alerts/{alert_id}/acknowledge"), 404, "not_found")
    assert owner.get("/alerts").json()["items"] == []


def test_who_may_not(caller: Callable[[Role], Caller], runtime: Runtime, place: Place) -> None:
    alert_id = raise_one(runtime, place)
    for role in (Role.AGENT, Role.VIEWER, Role.SUPPORT):
        refused = assert_refusal(caller(role).get("/alerts"), 403, "forbidden")
        assert refused["permission"] == "alerts.view"
        refused = assert_refusal(caller(role).post(f"/alerts/{alert_id}/acknowledge"), 403, "forbidden")
        assert refused["permission"] == "alerts.acknowledge"


def test_a_platform_key_sees_the_installations(api: httpx.Client, runtime: Runtime, place: Place) -> None:
    raise_one(runtime, place)
    installations = raise_one(runtime, None)
    with runtime.unit(COMMAND, write=True) as unit:
        key = create_api_key(unit, workspace=None, role=None, name="platform")[1]
    platform = Caller(api, bearer(key))
    assert [item["id"] for item in platform.get("/alerts").json()["items"]] == [installations]
    assert platform.post(f"/alerts/{installations}/acknowledge").json()["acknowledgedBy"] == "platform"
