"""``/queues``, ``/admin/health`` and ``/connections``, word for word."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from core.lanes.queries import holds
from core.moments import rfc3339
from core.monitoring.commands import beat
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.team.owners import COMMAND
from core.unit import Identity
from data.enums import Role
from data.sending import Template
from tests.api.conftest import Caller, Server, assert_refusal, bearer, rows, template
from tests.conftest import PHONE_ID, WABA_ID, Place, with_settings

OTHER_WABA_ID = "100200300400600"


def alive(runtime: Runtime, *kinds: str) -> None:
    with runtime.unit(Identity(process="test"), write=True) as unit:
        for kind in kinds:
            beat(unit, kind=kind, holder="test")


def test_the_status_of_the_queue(owner: Caller, runtime: Runtime, clock: FrozenClock) -> None:
    assert owner.get("/queues/status").json() == {
        "messageRetry": {
            "state": "stopped",
            "ready": 0,
            "delayed": 0,
            "inFlight": 0,
            "held": 0,
            "unknown": 0,
            "dead": 0,
            "oldestReadySeconds": 0.0,
            "sentLastMinute": 0,
        },
        "webhooks": {"state": "stopped", "pending": 0, "failed": 0, "oldestPendingSeconds": 0.0},
    }
    alive(runtime, "worker")
    owner.post("/messages/template", template())
    owner.post("/messages/template", template(mode="queued"))
    owner.post("/messages/template", template("+4915110000002"))
    owner.post("/messages/template", template("+4915110000003"))
    clock.advance(2.5)
    found = owner.get("/queues/status").json()["messageRetry"]
    assert found == {
        "state": "running",
        "ready": 1,
        "delayed": 1,
        "inFlight": 0,
        "held": 0,
        "unknown": 0,
        "dead": 1,
        "oldestReadySeconds": 2.5,
        "sentLastMinute": 1,
    }


def test_a_pause_of_the_workspace_holds_everything_and_resume_lets_it_go(
    owner: Caller, runtime: Runtime
) -> None:
    alive(runtime, "worker")
    owner.post("/messages/template", template(mode="queued"))
    paused = owner.post("/queues/messageRetry/pause", {"reason": "Wrong prices"})
    assert paused.status_code == 200
    assert paused.json() == owner.get("/queues/status").json()
    assert paused.json()["messageRetry"]["state"] == "paused"
    assert (paused.json()["messageRetry"]["held"], paused.json()["messageRetry"]["ready"]) == (1, 0)
    assert owner.post("/messages/template", template()).status_code == 202
    resumed = owner.post("/queues/messageRetry/resume")
    assert resumed.json()["messageRetry"]["state"] == "running"
    assert resumed.json()["messageRetry"]["ready"] == 2


def test_a_template_can_be_paused_until_a_moment(owner: Caller, runtime: Runtime, place: Place) -> None:
    alive(runtime, "worker")
    with runtime.unit(place.owner) as unit:
        template_id = unit.session.exec(unit.scoped(Template).limit(1)).one().id
    until = rfc3339(runtime.clock.now() + timedelta(hours=1))
    wanted = {"templateId": template_id, "reason": "Wrong price", "until": until}
    assert owner.post("/queues/messageRetry/pause", wanted).status_code == 200
    with runtime.unit(place.owner) as unit:
        (hold,) = holds(unit)
    assert (hold.subject, hold.until) == (template_id, runtime.clock.now() + timedelta(hours=1))
    past = {"until": rfc3339(runtime.clock.now())}
    assert_refusal(owner.post("/queues/messageRetry/pause", past), 400)
    unknown = {"templateId": "tpl_none"}
    assert_refusal(owner.post("/queues/messageRetry/pause", unknown), 404, "not_found")
    assert owner.post("/queues/messageRetry/resume", {"templateId": template_id}).status_code == 200
    with runtime.unit(place.owner) as unit:
        assert holds(unit) == []


def test_one_phone_can_be_paused(owner: Caller, runtime: Runtime) -> None:
    alive(runtime, "worker")
    owner.post("/messages/template", template(mode="queued"))
    found = owner.post("/queues/messageRetry/pause", {"phoneNumberId": PHONE_ID}).json()["messageRetry"]
    assert (found["state"], found["held"], found["ready"]) == ("running", 1, 0)
    owner.post("/queues/messageRetry/resume", {"phoneNumberId": PHONE_ID})
    assert owner.get("/queues/status").json()["messageRetry"]["ready"] == 1
    assert_refusal(owner.post("/queues/messageRetry/pause", {"phoneNumberId": "1"}), 404, "not_found")


def test_health_is_503_until_all_parts_are_alive_and_needs_no_key(
    stranger: Caller, runtime: Runtime, server: Server, clock: FrozenClock
) -> None:
    body = assert_refusal(stranger.get("/admin/health"), 503, "unavailable")
    assert body["messageRetryQueue"] == body["tokenRefreshCron"] == "stopped"
    alive(runtime, "worker", "clock")
    assert stranger.get("/admin/health").json()["webhookQueue"] == "stopped"
    alive(runtime, "inbox")
    answer = stranger.get("/admin/health")
    assert answer.status_code == 200
    assert answer.json() == {
        "tokenRefreshCron": "running",
        "messageRetryQueue": "running",
        "webhookQueue": "running",
        "database": "ok",
        "version": "test",
    }
    clock.advance(26)
    assert stranger.get("/admin/health").status_code == 503
    server.work_on(with_settings(runtime, start_message_retry_worker=False, start_webhook_worker=False))
    alive(runtime, "clock")
    found = stranger.get("/admin/health")
    assert found.status_code == 200
    assert found.json()["messageRetryQueue"] == found.json()["webhookQueue"] == "disabled"


def test_an_account_is_connected(owner: Caller, runtime: Runtime, sandbox: httpx.Client) -> None:
    answer = owner.post("/connections", {"wabaId": OTHER_WABA_ID, "accessToken": " sandbox-token-1 "})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert set(body) == {"wabaId", "phones", "templates", "tokenId"}
    assert body["wabaId"] == OTHER_WABA_ID
    assert body["phones"] == [{"phoneNumberId": "206540352242922", "displayPhoneNumber": "+44 161 496 0127"}]
    assert body["templates"] == 1
    assert body["tokenId"].startswith("tok_")
    assert "sandbox-token-1" not in answer.text
    again = owner.post("/connections", {"wabaId": OTHER_WABA_ID, "accessToken": "sandbox-token-2"})
    assert again.status_code == 201
    assert again.json() == body


def test_a_new_token_lets_the_lanes_go(owner: Caller, sandbox: httpx.Client) -> None:
    refused = owner.post("/messages/template", template("+4915110000009"))
    assert refused.status_code == 202
    assert owner.post("/messages/template", template()).json()["status"] == "queued"
    body = {"wabaId": WABA_ID, "accessToken": "sandbox-token-1"}
    assert owner.post("/connections", body).status_code == 201
    assert owner.post("/messages/template", template()).status_code == 200


@pytest.mark.parametrize("waba_id", ["999", "106540352242922"])
def test_what_meta_refuses_to_show_is_not_connected(
    owner: Caller, runtime: Runtime, sandbox: httpx.Client, waba_id: str
) -> None:
    before = rows(runtime.database)
    refused = owner.post("/connections", {"wabaId": waba_id, "accessToken": "sandbox-token-1"})
    body = assert_refusal(refused, 422)
    assert body["code"].startswith("meta_")
    assert "sandbox-token-1" not in refused.text
    assert rows(runtime.database) == before


def test_an_account_belongs_to_one_workspace(
    api: httpx.Client, place: Place, other_place: Place, sandbox: httpx.Client
) -> None:
    theirs = Caller(api, bearer(other_place.keys[Role.OWNER]))
    refused = theirs.post("/connections", {"wabaId": WABA_ID, "accessToken": "sandbox-token-1"})
    assert_refusal(refused, 409, "waba_connected_elsewhere")


def test_only_owners_connect(caller: Callable[[Role], Caller]) -> None:
    body = {"wabaId": WABA_ID, "accessToken": "sandbox-token-1"}
    refused = assert_refusal(caller(Role.MANAGER).post("/connections", body), 403, "forbidden")
    assert refused["permission"] in ("tokens.manage", "phones.manage")


def test_without_an_answer_from_meta_nothing_is_connected(
    api: httpx.Client, owner: Caller, runtime: Runtime, sandbox: httpx.Client
) -> None:
    made = sandbox.post("/sandbox/faults", json={"kind": "error", "code": 131042})
    made.raise_for_status()
    before = rows(runtime.database)
    held = owner.post("/messages/template", template())
    assert (held.status_code, held.json()["status"]) in ((202, "queued"), (202, "retry_queued"))
    with runtime.unit(COMMAND) as unit:
        from core.lanes.queries import is_held

        assert is_held(unit, phone_number_id=PHONE_ID, workspace_id="")
    assert rows(runtime.database)["message"] == before["message"] + 1
