"""``/admin/templates``: events that scripts tell, their totals, flags and who clears them."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.moments import rfc3339
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from data.enums import Role
from tests.api.conftest import Caller, assert_refusal, bearer, template
from tests.api.test_permissions import platform_key
from tests.conftest import NOW, Place

NONE = {"created": 0, "approved": 0, "rejected": 0, "paused": 0, "disabled": 0}


@pytest.fixture
def platform(api: httpx.Client, place: Place, runtime: Runtime) -> Caller:
    return Caller(api, bearer(platform_key(runtime)))


def tell(caller: Caller, template_id: str, event: str, **more: Any) -> dict[str, Any]:
    answer = caller.post(f"/admin/templates/metrics/{template_id}", {"event": event, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_t2_an_event_answers_where_the_workspace_stands(owner: Caller) -> None:
    for number in range(3):
        tell(owner, f"9{number}", "approved")
    tell(owner, "1", "rejected", reason="SCAM")
    assert tell(owner, "1", "rejected")["workspace"]["rejected24h"] == 1
    assert tell(owner, "2", "rejected") == {
        "templateId": "2",
        "event": "rejected",
        "workspace": {
            "decided24h": 5,
            "rejected24h": 2,
            "rejectionRate": 0.4,
            "level": "warning",
            "reasons": ["Meta rejected 2 of 5 decided templates: 40 % in 24 hours, above 30 %."],
        },
    }
    old = tell(owner, "3", "rejected", occurredAt=rfc3339(NOW - timedelta(hours=24)))
    assert (old["workspace"]["decided24h"], old["workspace"]["level"]) == (5, "warning")


def test_the_totals_by_day_and_by_template(owner: Caller) -> None:
    tell(owner, "7", "created", occurredAt="2026-11-21T10:00:00Z")
    tell(owner, "7", "approved", occurredAt="2026-11-22T23:59:59Z")
    tell(owner, "8", "rejected")
    found = owner.get("/admin/templates/metrics", startDate="2026-11-22", endDate="2026-11-23").json()
    assert (found["startDate"], found["endDate"]) == ("2026-11-22", "2026-11-23")
    assert found["totals"] == {**NONE, "approved": 1, "rejected": 1}
    assert found["byDay"] == [
        {"date": "2026-11-22", **NONE, "approved": 1},
        {"date": "2026-11-23", **NONE, "rejected": 1},
    ]
    unknown = {"name": None, "language": None}
    assert found["byTemplate"] == [
        {"templateId": "8", **unknown, **NONE, "rejected": 1},
        {"templateId": "7", **unknown, **NONE, "approved": 1},
    ]
    assert owner.get("/admin/templates/metrics").json()["totals"]["created"] == 1
    for wrong in (
        {"startDate": "2026-11-23", "endDate": "2026-11-22"},
        {"endDate": "0001-01-01"},
        {"startDate": "9999-12-31", "endDate": "9999-12-31"},
        {"startDate": "tomorrow"},
    ):
        assert_refusal(owner.get("/admin/templates/metrics", **wrong), 400, "malformed")
    assert owner.get("/admin/templates/metrics", endDate="2000-01-02").json()["startDate"] == "2000-01-01"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"event": "paused"},
        {"event": "rejected", "occurredAt": "yesterday"},
        {"event": "rejected", "occurredAt": "2026-11-23T09:05:01Z"},
        {"event": "rejected", "occurredAt": "0001-01-01T00:00:00+14:00"},
        {"event": "rejected", "more": 1},
    ],
)
def test_what_is_no_event_is_refused(owner: Caller, body: dict[str, Any]) -> None:
    refused = assert_refusal(owner.post("/admin/templates/metrics/1", body), 400, "malformed")
    assert refused["fields"]


def test_t3_a_flag_is_listed_and_cleared_by_a_platform_key_alone(
    owner: Caller, place: Place, other_place: Place, platform: Caller, api: httpx.Client, clock: FrozenClock
) -> None:
    for number in range(3):
        last = tell(owner, f"{number}", "rejected")
    assert last["workspace"]["level"] == "flagged"
    [flag] = owner.get("/admin/templates/flags").json()["items"]
    assert flag == {
        "id": flag["id"],
        "workspace": place.workspace.slug,
        "level": "flagged",
        "reasons": last["workspace"]["reasons"],
        "openedAt": rfc3339(NOW),
        "clearedAt": None,
        "clearedBy": None,
        "clearedReason": None,
    }
    theirs = Caller(api, bearer(other_place.keys[Role.OWNER]))
    assert theirs.get("/admin/templates/flags").json()["items"] == []
    assert platform.get("/admin/templates/flags").json()["items"] == [flag]

    draft: dict[str, Any] = {"name": "new", "language": "en_US", "category": "utility"}
    draft["components"] = [{"type": "BODY", "text": "It is on its way."}]
    refused = assert_refusal(owner.post("/templates", draft), 403, "workspace_flagged")
    assert "permission" not in refused
    assert refused["reasons"] == flag["reasons"]
    assert theirs.post("/templates", draft).status_code == 201
    sent = owner.post("/messages/template", template())
    assert sent.status_code == 200, sent.text
    path = f"/admin/templates/flags/{flag['id']}/clear"
    refused = assert_refusal(owner.post(path, {"reason": "x"}), 403, "forbidden")
    assert refused["permission"] == "platform.admin"
    assert_refusal(platform.post(path, {"reason": " "}), 400, "malformed")
    clock.advance(60)
    cleared = platform.post(path, {"reason": "They mended them"}).raise_for_status().json()
    assert (cleared["clearedBy"], cleared["clearedReason"]) == ("platform", "They mended them")
    assert cleared["clearedAt"] == rfc3339(NOW + timedelta(seconds=60))
    assert_refusal(platform.post(path, {"reason": "Again"}), 409, "flag_cleared")
    now = owner.get("/admin/templates/metrics").json()["workspace"]
    assert (now["level"], now["decided24h"], now["reasons"]) == ("ok", 0, [])
