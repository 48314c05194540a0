"""How often a key may write, and who is told what then."""

from collections.abc import Callable

import httpx
import pytest

from core.team.names import hash_key
from data.enums import Role
from tests.api.conftest import Caller, Server, assert_refusal, template
from tests.conftest import Place
from ui.api.budget import WRITES_A_MINUTE, Budget

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
ABSENT = "/dead-letters/dl_none/redrive"


def test_a_budget_lets_a_minutes_writes_pass_and_no_more() -> None:
    budget = Budget()
    taken = 0
    while not (wait_s := budget.take("a key")):
        taken += 1
    assert WRITES_A_MINUTE <= taken < WRITES_A_MINUTE * 1.1  # some come back while they are taken
    assert wait_s == 1
    assert budget.take("another key") == 0


@on_sqlite
def test_who_writes_too_often_is_told_when_to_go_on(
    server: Server, place: Place, caller: Callable[[Role], Caller]
) -> None:
    owner = caller(Role.OWNER)
    assert_refusal(owner.post(ABSENT), 404)
    refused = write_too_often(server, place, owner, Role.OWNER)
    assert_refusal(refused, 429, "too_many_writes")
    assert refused.headers["retry-after"] == "1"
    assert owner.get("/dead-letters").status_code == 200, "reading goes on"
    assert owner.post("/messages/template", template()).status_code == 200, "and so does sending"
    assert_refusal(caller(Role.MANAGER).post(ABSENT), 404)


@on_sqlite
def test_who_may_not_write_at_all_is_told_that_first(
    server: Server, place: Place, caller: Callable[[Role], Caller]
) -> None:
    assert_refusal(write_too_often(server, place, caller(Role.VIEWER), Role.VIEWER), 403, "forbidden")


def write_too_often(server: Server, place: Place, who: Caller, role: Role) -> httpx.Response:
    """The answer to one write more than that key had left."""
    while not server.app.state.budget.take(hash_key(place.keys[role])):
        pass
    return who.post(ABSENT)
