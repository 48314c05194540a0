from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from core.sandbox.config import SandboxConfig
from core.sandbox.server import running

PHONE = "106540352242922"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running(SandboxConfig(statuses=False, answer_delay_s=(0, 0))) as url:
        yield url


@pytest.fixture
def meta(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=address, headers={"Authorization": "Bearer t"}, timeout=5, trust_env=False
    ) as client:
        client.post("/sandbox/reset").raise_for_status()
        yield client


def send(meta: httpx.Client) -> int:
    body = {"messaging_product": "whatsapp", "to": "+49151123", "text": {"body": "x"}}
    return meta.post(f"/v23.0/{PHONE}/messages", json=body).status_code


def state(meta: httpx.Client) -> dict[str, Any]:
    answer: dict[str, Any] = meta.get("/sandbox/state").json()
    return answer


def test_state_tells_counts_phones_faults_and_magic_numbers(meta: httpx.Client) -> None:
    assert send(meta) == 200
    meta.post("/sandbox/faults", json={"kind": "error", "code": 131000, "title": "All fails"})
    assert send(meta) == 500
    told = state(meta)
    assert (told["received"], told["accepted"], told["refused"], told["resets"]) == (2, 1, 1, 0)
    assert [phone["phoneNumberId"] for phone in told["phones"]] == [
        PHONE,
        "106540352242923",
        "206540352242922",
    ]
    assert told["phones"][0]["busiestSecond"] == 2
    assert told["faults"][0]["title"] == "All fails"
    assert [fault["id"] for fault in told["faults"][1:]] == [
        "demo-unavailable",
        "demo-unknown",
        "demo-rate",
        "demo-undeliverable",
        "demo-lost-answer",
    ]
    assert not any(fault["enabled"] for fault in told["faults"][1:])
    assert len(told["magic"]) == 9


def test_a_fault_is_made_changed_and_removed(meta: httpx.Client) -> None:
    made = meta.post("/sandbox/faults", json={"kind": "error", "code": 131026, "match": {"to": "123"}})
    assert made.status_code == 201
    fault = made.json()
    assert fault["title"] == "Error 131026 to …123"
    assert (fault["share"], fault["times"], fault["enabled"], fault["per"]) == (1.0, None, True, "recipient")
    assert fault["match"] == {"to": "123", "phoneNumberId": None, "template": None}
    changed = meta.patch(f"/sandbox/faults/{fault['id']}", json={"enabled": False, "share": 0.5}).json()
    assert changed == {**fault, "enabled": False, "share": 0.5}
    assert send(meta) == 200
    assert meta.delete(f"/sandbox/faults/{fault['id']}").json() == {"success": True}
    assert meta.delete(f"/sandbox/faults/{fault['id']}").status_code == 400


def test_a_preset_of_the_demo_can_be_switched_on(meta: httpx.Client) -> None:
    meta.patch("/sandbox/faults/demo-unavailable", json={"enabled": True, "share": 1}).raise_for_status()
    assert send(meta) == 500


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"kind": "explode"},
        {"kind": "error", "share": 1.5},
        {"kind": "error", "share": "half"},
        {"kind": "error", "times": 0},
        {"kind": "error", "code": "131000"},
        {"kind": "error", "enabled": 1},
        {"kind": "error", "code": True},
        {"kind": "error", "match": {"from": "1"}},
        {"kind": "error", "match": {"to": "x"}},
        {"kind": "error", "match": {"to": 1}},
        {"kind": "slow", "seconds": -1},
        {"kind": "error", "colour": "red"},
        {"kind": "error", "per": "week"},
        [1],
    ],
)
def test_a_bad_fault_is_refused_with_a_sentence(meta: httpx.Client, rule: Any) -> None:
    answer = meta.post("/sandbox/faults", json=rule)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].endswith(".")
    assert len(state(meta)["faults"]) == 5


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/sandbox/faults/magic-0000001", {"enabled": False}),
        ("PATCH", "/sandbox/faults/none", {}),
        ("POST", "/sandbox/inbound", {"from": "nobody", "text": "x"}),
        ("POST", "/sandbox/inbound", {"from": "49151"}),
        ("POST", "/sandbox/inbound", {"from": "49151", "text": "x", "phoneNumberId": "1"}),
        ("POST", "/sandbox/inbound", {"from": "49151", "text": "x", "timestamp": "noon"}),
        ("POST", "/sandbox/statuses", {"status": "read"}),
        ("POST", "/sandbox/changes", {"field": "x"}),
        ("POST", "/sandbox/changes", {"field": "x", "value": {}, "wabaId": "1"}),
        ("PATCH", f"/sandbox/phones/{PHONE}", {"health": "SICK"}),
        ("PATCH", f"/sandbox/phones/{PHONE}", {"id": "1"}),
        ("PATCH", "/sandbox/phones/1", {"status": "CONNECTED"}),
        ("PATCH", "/sandbox/accounts/1", {"review": "REJECTED"}),
        ("PATCH", "/sandbox/accounts/100200300400500", {"restriction": "SOME"}),
        ("PATCH", "/sandbox/accounts/100200300400500", {"owner": "me"}),
        ("POST", "/sandbox/webhook", {"url": "ftp://x"}),
        ("GET", "/sandbox/received?limit=none", None),
        ("GET", "/sandbox/received?limit=2001", None),
    ],
)
def test_bad_input_is_400_with_a_sentence(meta: httpx.Client, method: str, path: str, body: Any) -> None:
    answer = meta.request(method, path, json=body)
    assert answer.status_code == 400
    assert len(answer.json()["error"]) > 10


def test_an_unknown_control_path_answers_in_the_same_shape(meta: httpx.Client) -> None:
    answer = meta.get("/sandbox/nothing/here")
    assert (answer.status_code, set(answer.json())) == (404, {"error"})


def test_reset_makes_everything_as_at_the_start(meta: httpx.Client) -> None:
    meta.post("/sandbox/faults", json={"kind": "error"})
    meta.patch(f"/sandbox/phones/{PHONE}", json={"quality": "RED"})
    send(meta)
    meta.post("/sandbox/reset").raise_for_status()
    told = state(meta)
    assert (told["received"], told["refused"], len(told["faults"])) == (0, 0, 5)
    assert told["phones"][0]["quality"] == "GREEN"
    assert send(meta) == 200
