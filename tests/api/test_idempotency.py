"""``Idempotency-Key`` over HTTP (Q12)."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from core.ports.clock import FrozenClock
from core.runtime import Runtime
from data.enums import Role
from tests.api.conftest import Caller, assert_refusal, bearer, rows, template
from tests.conftest import Place

KEY = {"Idempotency-Key": "order-4711"}


def accepted(sandbox: httpx.Client) -> int:
    found: int = sandbox.get("/sandbox/counts").json()["accepted"]
    return found


def test_the_same_key_and_body_answer_as_the_first_time(
    owner: Caller, sandbox: httpx.Client, clock: FrozenClock
) -> None:
    first = owner.post("/messages/template", template(), headers=KEY)
    clock.advance(86_399)
    reordered = dict(reversed(template().items()))
    again = owner.post("/messages/template", reordered, headers=KEY)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert again.headers["x-ratelimit-limit"] == "30"
    assert accepted(sandbox) == 1


@pytest.mark.parametrize(
    ("to", "mode", "status"),
    [
        ("+4915112345678", "queued", 202),
        ("+4915110000002", "sync", 202),
        ("+4915110000003", "sync", 422),
    ],
)
def test_so_do_answers_other_than_200(
    owner: Caller, runtime: Runtime, to: str, mode: str, status: int
) -> None:
    first = owner.post("/messages/template", template(to, mode=mode), headers=KEY)
    before = rows(runtime.database)
    again = owner.post("/messages/template", template(to, mode=mode), headers=KEY)
    assert (first.status_code, again.status_code) == (status, status)
    assert again.json() == first.json()
    assert rows(runtime.database) == before


def test_after_a_day_the_key_is_free(owner: Caller, sandbox: httpx.Client, clock: FrozenClock) -> None:
    first = owner.post("/messages/template", template(), headers=KEY).json()
    clock.advance(86_400)
    assert owner.post("/messages/template", template(), headers=KEY).json()["id"] != first["id"]
    assert accepted(sandbox) == 2


def test_another_body_under_the_same_key_is_refused(owner: Caller, runtime: Runtime) -> None:
    owner.post("/messages/template", template(), headers=KEY)
    before = rows(runtime.database)
    for other in (template("+4915112345679"), template(mode="queued"), template(mode="sync")):
        refused = owner.post("/messages/template", other, headers=KEY)
        assert_refusal(refused, 422, "idempotency_key_reused")
        assert refused.headers["x-ratelimit-limit"] == "30"
    assert rows(runtime.database) == before


def test_a_refusal_that_stores_nothing_leaves_the_key_free(owner: Caller) -> None:
    assert_refusal(owner.post("/messages/template", template("nobody"), headers=KEY), 422)
    assert_refusal(owner.post("/messages/template", {"to": 7}, headers=KEY), 400)
    assert owner.post("/messages/template", template(), headers=KEY).status_code == 200


def test_each_workspace_has_keys_of_its_own(
    api: httpx.Client, owner: Caller, other_place: Place, sandbox: httpx.Client
) -> None:
    theirs = Caller(api, bearer(other_place.keys[Role.OWNER]))
    mine = owner.post("/messages/template", template(mode="queued"), headers=KEY)
    foreign_phone = str(int(template()["phoneNumberId"]) + 50)
    other = template(phoneNumberId=foreign_phone, mode="queued")
    answer = theirs.post("/messages/template", other, headers=KEY)
    assert (mine.status_code, answer.status_code) == (202, 202)
    assert mine.json()["id"] != answer.json()["id"]


@pytest.mark.parametrize("mode", ["sync", "queued"])
def test_twenty_at_once_are_one_message(
    owner: Caller, sandbox: httpx.Client, runtime: Runtime, mode: str
) -> None:
    sandbox.post("/sandbox/faults", json={"kind": "slow", "seconds": 0.3}).raise_for_status()

    def post(_: int) -> tuple[int, dict[str, Any]]:
        answer = owner.post("/messages/template", template(mode=mode), headers=KEY)
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, range(20)))
    expected = 200 if mode == "sync" else 202
    counted = Counter(status for status, _ in answers)
    assert set(counted) <= {expected, 409}
    assert counted[expected] >= 1
    assert {body["code"] for status, body in answers if status == 409} <= {"idempotency_in_progress"}
    assert len({body["id"] for status, body in answers if status == expected}) == 1
    assert rows(runtime.database)["message"] == 1
    assert accepted(sandbox) == (1 if mode == "sync" else 0)
    assert owner.post("/messages/template", template(mode=mode), headers=KEY).status_code == expected
