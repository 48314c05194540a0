"""Every route with every key: what the table of permissions says, and nothing else (P2, P5, P7, P8)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from core import access
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.team.commands import COMMAND, create_api_key, hash_key
from data.enums import MemberStatus, Role
from data.people import ApiKey, Member, User
from tests.api.conftest import Caller, assert_refusal, bearer, operations, rows, template
from tests.conftest import Place

BODIES: dict[str, dict[str, Any]] = {
    "/messages/template": template(to="nobody"),
    "/messages/text": {"to": "nobody", "text": "Hi", "phoneNumberId": "1"},
    "/messages/{message_id}/settle": {"outcome": "retry", "reason": "A test"},
    "/dead-letters/{letter_id}": {"note": "A test"},
    "/dead-letters/{letter_id}/discard": {"reason": "A test"},
    "/connections": {"wabaId": "1", "accessToken": "a-token"},
}


def calls(api: httpx.Client) -> Iterator[tuple[str, str, str | None, dict[str, Any] | None]]:
    """Every route with ids of nothing and a body that is read without complaint: method, path, the
    permission that it names, body."""
    for method, path, operation in operations(api):
        url = path.replace("{message_id}", "msg_none").replace("{letter_id}", "dl_none")
        assert "{" not in url, f"say what {path} is called with"
        body = BODIES.get(path) if "requestBody" in operation else None
        yield method, url, operation.get("x-permission"), body


def platform_key(runtime: Runtime) -> str:
    with runtime.unit(COMMAND, write=True) as unit:
        return create_api_key(unit, workspace=None, role=None, name="platform")[1]


def test_only_these_routes_need_no_key(api: httpx.Client, place: Place) -> None:
    assert [(method, path) for method, path, permission, _ in calls(api) if permission is None] == [
        ("GET", "/admin/health")
    ]


@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_what_the_table_says(
    api: httpx.Client, place: Place, sandbox: httpx.Client, role: Role
) -> None:
    caller = Caller(api, bearer(place.keys[role]))
    for method, path, permission, body in calls(api):
        answer = caller(method, path, body)
        if permission is not None and role not in access.PERMISSIONS[permission].roles:
            refused = assert_refusal(answer, 403, "forbidden")
            assert refused["permission"] == permission, path
        else:
            assert answer.status_code in (200, 202, 404, 422, 503), (role, path, answer.text)
            if answer.status_code == 503:
                assert path == "/admin/health"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wp_unknown"},
        {"Authorization": "Bearer"},
        {"Authorization": "wp_unknown"},
        {"Authorization": "Basic d3A6"},
        {"Authorization": "Bearer wp_ünknown".encode("latin-1")},
        {"Cookie": "session=wp_unknown; waypost=wp_unknown"},
    ],
)
def test_without_a_good_key_every_route_answers_401(
    api: httpx.Client, place: Place, runtime: Runtime, headers: dict[str, Any]
) -> None:
    before = rows(runtime.database)
    for method, path, permission, body in calls(api):
        if permission is not None:
            assert_refusal(Caller(api, headers)(method, path, body), 401, "unauthenticated")
    assert rows(runtime.database) == before


def test_a_key_in_a_cookie_is_no_key(api: httpx.Client, place: Place) -> None:
    key = place.keys[Role.OWNER]
    for cookie in (f"session={key}", f"Authorization=Bearer {key}", f"id={key}", f"waypost_session={key}"):
        assert_refusal(api.get("/api/v1/messages", headers={"Cookie": cookie}), 401)
    assert_refusal(api.get("/api/v1/messages", params={"key": key, "access_token": key}), 401)


def test_the_scheme_may_be_in_any_case(api: httpx.Client, place: Place) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {place.keys[Role.VIEWER]}"}
        assert api.get("/api/v1/messages", headers=headers).status_code == 200


def test_a_platform_key_belongs_to_no_workspace(api: httpx.Client, place: Place, runtime: Runtime) -> None:
    caller = Caller(api, bearer(platform_key(runtime)))
    before = rows(runtime.database)
    for method, path, permission, body in calls(api):
        if permission is not None:
            assert_refusal(caller(method, path, body), 403, "forbidden")
    assert {name for name, count in rows(runtime.database).items() if count != before[name]} <= {
        "audit_entry"
    }


def test_a_revoked_or_expired_key_is_none(
    api: httpx.Client, place: Place, runtime: Runtime, clock: FrozenClock
) -> None:
    def change(role: Role, **changes: Any) -> None:
        with runtime.unit(COMMAND, write=True) as unit:
            statement = select(ApiKey).where(col(ApiKey.key_hash) == hash_key(place.keys[role]))
            unit.session.add(unit.session.exec(statement).one().sqlmodel_update(changes))

    change(Role.OWNER, revoked_at=clock.now())
    change(Role.MANAGER, expires_at=clock.now() + timedelta(seconds=10))
    owner = Caller(api, bearer(place.keys[Role.OWNER]))
    manager = Caller(api, bearer(place.keys[Role.MANAGER]))
    assert_refusal(owner.get("/messages"), 401, "unauthenticated")
    assert manager.get("/messages").status_code == 200
    clock.advance(10)
    assert_refusal(manager.get("/messages"), 401, "unauthenticated")


def test_a_key_can_no_more_than_its_maker_can_now(api: httpx.Client, place: Place, runtime: Runtime) -> None:
    with runtime.unit(COMMAND, write=True) as unit:
        user = User(id="usr_1", email="m@x.example", name="M", password_hash="-", created_at=unit.now)
        member = Member(
            id="mem_1",
            workspace_id=place.workspace.id,
            user_id=user.id,
            role=Role.MANAGER,
            status=MemberStatus.ACTIVE,
            joined_at=unit.now,
        )
        unit.session.add(user)
        unit.session.flush()
        unit.session.add(member)
        key, secret = create_api_key(unit, workspace=place.workspace, role=Role.MANAGER, name="mine")
        key.created_by = user.id
    caller = Caller(api, bearer(secret))
    assert caller.get("/dead-letters").status_code == 200
    for changes in ({"role": Role.VIEWER}, {"role": Role.MANAGER, "status": MemberStatus.REMOVED}):
        with runtime.unit(COMMAND, write=True) as unit:
            unit.session.add(unit.session.get_one(Member, "mem_1").sqlmodel_update(changes))
        assert_refusal(caller.get("/dead-letters"), 403, "forbidden")


def test_the_key_of_another_workspace_finds_nothing_of_ours(
    api: httpx.Client, place: Place, other_place: Place, owner: Caller
) -> None:
    letter = owner.post("/messages/template", template("+4915110000003")).json()["id"]
    letter = owner.get("/dead-letters", q=letter).json()["items"][0]
    theirs = Caller(api, bearer(other_place.keys[Role.OWNER]))
    ids = {"{message_id}": letter["messageId"], "{letter_id}": letter["id"]}
    for method, path, operation in operations(api):
        if "{" not in path:
            continue
        body = BODIES.get(path) if "requestBody" in operation else None
        ours = path
        for name, value in ids.items():
            ours = ours.replace(name, value)
        missing = theirs(method, path.replace("{message_id}", "x").replace("{letter_id}", "x"), body)
        foreign = theirs(method, ours, body)
        assert_refusal(foreign, 404, "not_found")
        assert foreign.json() == missing.json()
    for path in ("/messages", "/dead-letters"):
        assert theirs.get(path).json()["items"] == []
    assert theirs.get("/dead-letters/groups").json()["items"] == []
    assert theirs.get("/queues/status").json()["messageRetry"]["dead"] == 0
    refused = theirs.post("/queues/messageRetry/pause", {"phoneNumberId": template()["phoneNumberId"]})
    assert_refusal(refused, 404, "not_found")


def test_a_refused_change_is_in_the_audit_log(api: httpx.Client, place: Place, runtime: Runtime) -> None:
    before = rows(runtime.database)["audit_entry"]
    viewer = Caller(api, bearer(place.keys[Role.VIEWER]))
    assert_refusal(viewer.post("/messages/template", template()), 403, "forbidden")
    assert_refusal(viewer.post("/messages/template", {"nonsense": 1}), 403, "forbidden")
    assert rows(runtime.database)["audit_entry"] >= before + 1
