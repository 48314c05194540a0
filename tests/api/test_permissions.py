"""Every route with every key: what the table of permissions says, and nothing else (P2, P5, P7, P8)."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlmodel import col, select

from core import access
from core.alerts.commands import raise_alert
from core.billing.invoices import draft_all
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.team.keys import create_api_key
from core.team.names import hash_key
from core.team.owners import COMMAND
from data.enums import MemberStatus, Role, Severity
from data.people import ApiKey, Member, User
from tests.api.conftest import Caller, assert_refusal, bearer, operations, rows, template
from tests.conftest import Place
from ui.api.route import OPEN_TO_ALL, open_to_all, permission_of, refuse_unnamed
from ui.app import BESIDE_THE_API

BODIES: dict[str, dict[str, Any]] = {
    "/messages/template": template(to="nobody"),
    "/messages/text": {"to": "nobody", "text": "Hi", "phoneNumberId": "1"},
    "/messages/{message_id}/settle": {"outcome": "retry", "reason": "A test"},
    "/dead-letters/{letter_id}": {"note": "A test"},
    "/dead-letters/{letter_id}/discard": {"reason": "A test"},
    "/dead-letters/redrives": {"filter": {"errorCode": "none"}},
    "/dead-letters/redrives/{redrive_id}": {"ratePerSecond": 1},
    "/dead-letters/bulk": {"action": "discard", "filter": {"errorCode": "none"}, "reason": "A test"},
    "/dead-letters/views": {"name": "A test", "filter": {"errorCode": "none"}},
    "/contacts/{contact_id}/suppressions/{suppression_id}/lift": {"reason": "A test"},
    "/contacts/{contact_id}/erase": {"reason": "A test"},
    "/connections": {"wabaId": "1", "accessToken": "a-token"},
    "/templates": {"name": "x", "language": "en", "category": "utility", "components": []},
    "/workspace": {"name": "Northwind"},
    "/admin/templates/metrics/{template_id}": {"event": "created"},
    "/admin/templates/flags/{flag_id}/clear": {"reason": "A test"},
    "/admin/team/invite": {"email": "nobody", "role": "viewer"},
    "/admin/team/members/{member_id}/role": {"role": "viewer"},
    "/admin/team/invitations/accept": {"token": "none", "name": "Nobody", "password": "none"},
    "/keys": {"name": "A test", "role": "viewer"},
    "/billing/conversations/calculate-billing": {
        "plan": "pro",
        "startDate": "2026-11-01",
        "endDate": "2026-11-02",
    },
    "/billing/invoices/{invoice_id}/void": {"reason": "A test"},
    "/billing/rates/import": {"csv": "category,market,validFrom,amountUSD\nutility,DE,2026-11-01,0.05\n"},
}
# Not of one workspace: templates are told of by ids that we may not know; flags are cleared by the platform.
OF_NOBODY = {"/admin/templates/metrics/{template_id}", "/admin/templates/flags/{flag_id}/clear"}
# What a platform key sees in lists: of alerts the installation's own, of flags every workspace's.
OF_THE_PLATFORM = {("GET", "/alerts"), ("GET", "/admin/templates/flags")}
DAYS = "?startDate=2026-11-01&endDate=2026-11-02"
QUERIES = {"/billing/conversations/metrics": DAYS, "/billing/reconciliation": DAYS}
# Ids of nothing: Meta's are digits, ours are not looked at.
NOTHING = {"phone_number_id": "1"}


def of_nothing(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: NOTHING.get(found[1], "id_of_nothing"), path)


def calls(api: httpx.Client) -> Iterator[tuple[str, str, str | None, dict[str, Any] | None]]:
    """Every route with ids of nothing and a body that is read without complaint: method, path, the
    permission that it names, body."""
    for method, path, operation in operations(api):
        body = BODIES.get(path) if "requestBody" in operation else None
        yield method, of_nothing(path) + QUERIES.get(path, ""), operation.get("x-permission"), body


def platform_key(runtime: Runtime) -> str:
    with runtime.unit(COMMAND, write=True) as unit:
        return create_api_key(unit, workspace=None, role=None, name="platform")[1]


def test_only_these_routes_need_no_key(api: httpx.Client, place: Place) -> None:
    assert [(method, path) for method, path, permission, _ in calls(api) if permission is None] == [
        ("POST", "/admin/team/invitations/accept"),
        ("GET", "/admin/health"),
    ]


def test_p2_only_these_forms_are_open_to_all() -> None:
    """Signing in and its neighbours; and those of the frame, which ask the session themselves."""
    beside = [route for router in BESIDE_THE_API for route in router.routes if isinstance(route, APIRoute)]
    is_open = {route.path: permission_of(route.endpoint) == OPEN_TO_ALL for route in beside}
    assert {path for path in is_open if is_open[path]} == {
        *("/login", "/auth/sign-in", "/auth/session", "/auth/sign-out", "/auth/code", "/auth/set-up"),
        *("/forgot", "/reset/{token}", "/invite/{token}", "/begin/{token}"),
        *("/auth/switch", "/auth/view-as", "/auth/leave-support"),
    }
    assert not is_open["/audit/export"]


def test_p2_a_route_that_names_no_permission_stops_the_start() -> None:
    app = FastAPI()
    app.get("/open")(open_to_all(lambda: None))
    refuse_unnamed(app.routes)
    app.get("/silent")(lambda: None)
    with pytest.raises(RuntimeError, match="/silent names no permission"):
        refuse_unnamed(app.routes)


@pytest.mark.parametrize("role", list(Role))
def test_each_role_may_what_the_table_says(
    api: httpx.Client, place: Place, sandbox: httpx.Client, role: Role
) -> None:
    caller = Caller(api, bearer(place.keys[role]))
    for method, path, permission, body in calls(api):
        answer = caller(method, path, body)
        if permission is not None and role not in access.who_can(permission):
            refused = assert_refusal(answer, 403, "forbidden")
            assert refused["permission"] == permission, path
        else:
            assert answer.status_code in (200, 201, 202, 404, 422, 503), (role, path, answer.text)
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
        if permission == access.PLATFORM_ADMIN:
            assert_refusal(caller(method, path, body), 404, "not_found")
        elif (method, path) in OF_THE_PLATFORM:
            assert caller(method, path, body).json()["items"] == []
        elif permission is not None:
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


def an_alert(runtime: Runtime, place: Place) -> str:
    with runtime.unit(COMMAND, write=True) as unit:
        return raise_alert(
            unit,
            kind="lane_held",
            subject="1",
            severity=Severity.INFO,
            title="A test",
            workspace_id=place.workspace.id,
        ).id


def all_of(letter: dict[str, Any]) -> dict[str, Any]:
    return {"filter": {"errorCode": letter["errorCode"]}}


def test_the_key_of_another_workspace_finds_nothing_of_ours(
    api: httpx.Client, place: Place, other_place: Place, owner: Caller, runtime: Runtime
) -> None:
    letter = owner.post("/messages/template", template("+4915110000003")).json()["id"]
    letter = owner.get("/dead-letters", q=letter).json()["items"][0]
    theirs = Caller(api, bearer(other_place.keys[Role.OWNER]))
    draft_all(runtime)
    ids = {
        "{message_id}": letter["messageId"],
        "{letter_id}": letter["id"],
        "{redrive_id}": owner.post("/dead-letters/redrives", all_of(letter)).json()["id"],
        "{bulk_id}": owner.post(
            "/dead-letters/bulk", {"action": "note", "note": "x", **all_of(letter)}
        ).json()["id"],
        "{view_id}": owner.post("/dead-letters/views", {"name": "x", **all_of(letter)}).json()["id"],
        "{contact_id}": owner.get("/contacts").json()["items"][0]["id"],
        "{suppression_id}": "sup_none",
        "{member_id}": owner.get("/admin/team/members").json()["items"][0]["id"],
        "{phone_number_id}": template()["phoneNumberId"],
        "{alert_id}": an_alert(runtime, place),
        "{invoice_id}": owner.get("/billing/invoices").json()["items"][0]["id"],
        "{key_id}": owner.get("/keys").json()["items"][0]["id"],
        "{token_id}": owner.get("/tokens").json()["items"][0]["id"],
    }
    for method, path, operation in operations(api):
        if "{" not in path or path in OF_NOBODY:
            continue
        body = BODIES.get(path) if "requestBody" in operation else None
        ours = path
        for name, value in ids.items():
            ours = ours.replace(name, value)
        assert "{" not in ours, f"say which thing of ours {path} is called with"
        missing = theirs(method, of_nothing(path), body)
        foreign = theirs(method, ours, body)
        assert_refusal(foreign, 404, "not_found")
        assert foreign.json() == missing.json()
    for path in ("/messages", "/dead-letters", "/contacts"):
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


@pytest.mark.parametrize("status", [MemberStatus.SUSPENDED, MemberStatus.REMOVED])
def test_p6_the_keys_of_whoever_is_out_open_nothing(
    api: httpx.Client, place: Place, runtime: Runtime, status: MemberStatus
) -> None:
    with runtime.unit(COMMAND, write=True) as unit:
        member = unit.session.exec(select(Member)).one()
        _, secret = create_api_key(unit, workspace=place.workspace, role=Role.OWNER, name="theirs")
        key = unit.session.exec(select(ApiKey).where(col(ApiKey.key_hash) == hash_key(secret))).one()
        key.created_by = member.user_id
        member.status = status
    for method, path, permission, body in calls(api):
        if permission is not None:
            refused = assert_refusal(Caller(api, bearer(secret))(method, path, body), 403, "forbidden")
            assert refused["permission"] == permission
