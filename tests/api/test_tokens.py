"""``/tokens``: exactly the keys that scripts read, never the token, and a refresh that starts."""

from collections.abc import Callable

import pytest

from core.runtime import Runtime
from core.tokens import refresh
from core.tokens.queries import list_tokens
from data.enums import Role
from tests.api.conftest import Caller, Server, assert_refusal
from tests.conftest import WABA_ID, Place
from tests.core.tokens.conftest import as_app

KEYS = {
    *("id", "wabaId", "state", "needsAttention", "expiresAt", "lastRefreshedAt"),
    *("attempts", "nextAttemptAt", "lastError"),
}


@pytest.fixture
def kept(server: Server, runtime: Runtime, owner: Caller) -> Runtime:
    """The server works for an installation with an app."""
    made = as_app(runtime)
    server.work_on(made)
    return made


def test_the_tokens_and_how_they_are(owner: Caller, place: Place, other_place: Place) -> None:
    answer = owner.get("/tokens").raise_for_status()
    (item,) = answer.json()["items"]
    assert (set(item), answer.json()["nextCursor"]) == (KEYS, None)
    assert (item["wabaId"], item["state"], item["needsAttention"]) == (WABA_ID, "valid", False)
    assert (item["attempts"], item["expiresAt"], item["lastError"]) == (0, None, None)
    assert "test-token" not in answer.text
    assert_refusal(owner.get("/tokens", cursor="x"), 400, "malformed")
    assert_refusal(owner.get("/tokens", limit=0), 400, "malformed")


def test_a_refresh_answers_202_and_is_under_way(owner: Caller, kept: Runtime) -> None:
    token_id = owner.get("/tokens").json()["items"][0]["id"]
    answer = owner.post(f"/tokens/{token_id}/refresh")
    assert (answer.status_code, set(answer.json()), answer.json()["state"]) == (202, KEYS, "refreshing")
    assert answer.json()["nextAttemptAt"] is not None
    refresh.keep_alive(kept)
    (item,) = owner.get("/tokens").json()["items"]
    assert (item["state"], item["attempts"], item["nextAttemptAt"]) == ("valid", 0, None)
    assert item["lastRefreshedAt"] is not None
    assert item["expiresAt"] is not None


def test_what_a_refresh_refuses(
    owner: Caller, caller: Callable[[Role], Caller], kept: Runtime, other_place: Place
) -> None:
    with kept.unit(other_place.owner) as unit:
        foreign = list_tokens(unit).items[0].id
    for unknown in (foreign, "tok_nothing", "nonsense"):
        assert_refusal(owner.post(f"/tokens/{unknown}/refresh"), 404, "not_found")
    mine = owner.get("/tokens").json()["items"][0]["id"]
    refused = assert_refusal(caller(Role.AGENT).post(f"/tokens/{mine}/refresh"), 403, "forbidden")
    assert refused["permission"] == "tokens.refresh"
    refused = assert_refusal(caller(Role.VIEWER).get("/tokens"), 403, "forbidden")
    assert refused["permission"] == "tokens.view"


def test_without_an_app_a_refresh_names_what_is_missing(owner: Caller) -> None:
    token_id = owner.get("/tokens").json()["items"][0]["id"]
    refused = assert_refusal(owner.post(f"/tokens/{token_id}/refresh"), 422, "app_not_configured")
    assert "WAYPOST_META_APP_ID" in refused["error"]
