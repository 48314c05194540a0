"""The team's part of the contract: keys, codes and shapes, word for word."""

import asyncio
import re

import pytest
from sqlmodel import col, select

from core import access
from core.mail.commands import SEALED_AS
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.team.names import hash_key
from core.team.owners import COMMAND
from data.alerts import Mail
from data.enums import Role
from data.people import Workspace
from tests.api.conftest import Caller, Server, assert_refusal, bearer
from tests.conftest import Place
from ui.api.uses import Uses

MARA = "mara@lind.example"
MEMBER = {"id", "name", "email", "role", "status", "invitedAt", "joinedAt", "lastSeenAt"}
NEW_PASSWORD = "four unrelated words here"


def link_secret(runtime: Runtime) -> str:
    """The secret in the newest mail."""
    with runtime.unit(COMMAND) as unit:
        mail = unit.session.exec(select(Mail).order_by(col(Mail.id).desc())).first()
        assert mail is not None
        assert mail.sealed_text is not None
        text = unit.vault.open(mail.sealed_text, workspace_id=mail.workspace_id or "", field=SEALED_AS)
    found = re.search(rf"{re.escape(runtime.settings.public_url)}/invite/(\S+)", text)
    assert found is not None
    return found[1]


def accept(stranger: Caller, token: str, **given: str) -> dict[str, object]:
    body = {"token": token, "name": "Mara Lind", "password": NEW_PASSWORD} | given
    answer = stranger.post("/admin/team/invitations/accept", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_invite_accept_promote_and_remove(owner: Caller, stranger: Caller, runtime: Runtime) -> None:
    made = owner.post("/admin/team/invite", {"email": MARA, "role": "agent"})
    assert made.status_code == 201
    member = made.json()
    assert set(member) == MEMBER
    assert (member["email"], member["role"], member["status"]) == (MARA, "agent", "invited")
    assert member["invitedAt"].endswith("Z")
    assert (member["joinedAt"], member["lastSeenAt"]) == (None, None)
    again = owner.post("/admin/team/invite", {"email": MARA.upper(), "role": "agent"})
    assert_refusal(again, 409, "already_member")
    token = link_secret(runtime)
    assert accept(stranger, token) == {"id": member["id"], "email": MARA, "workspace": "northwind"}
    used = stranger.post("/admin/team/invitations/accept", {"token": token, "name": "X", "password": "Y"})
    assert_refusal(used, 410, "invitation_used")
    rows = {row["email"]: row for row in owner.get("/admin/team/members").json()["items"]}
    assert (rows[MARA]["name"], rows[MARA]["status"]) == ("Mara Lind", "active")
    path = f"/admin/team/members/{member['id']}"
    promoted = owner("PUT", f"{path}/role", {"role": "manager"})
    assert (promoted.status_code, promoted.json()["role"]) == (200, "manager")
    assert owner.post(f"{path}/suspend").json()["status"] == "suspended"
    assert owner.post(f"{path}/reinstate").json()["status"] == "active"
    removed = owner("DELETE", path)
    assert (removed.status_code, removed.content) == (204, b"")
    listed = owner.get("/admin/team/members", status="removed").json()["items"]
    assert [row["id"] for row in listed] == [member["id"]]


def test_links_that_are_used_up_say_how(
    owner: Caller, stranger: Caller, runtime: Runtime, clock: FrozenClock
) -> None:
    member = owner.post("/admin/team/invite", {"email": MARA, "role": "viewer"}).json()
    first = link_secret(runtime)
    clock.advance(1)
    resent = owner.post(f"/admin/team/members/{member['id']}/resend-invite")
    assert (resent.status_code, resent.json()["status"]) == (200, "invited")
    body = {"token": first, "name": "Mara", "password": NEW_PASSWORD}
    assert_refusal(stranger.post("/admin/team/invitations/accept", body), 410, "invitation_revoked")
    body["token"] = link_secret(runtime)
    clock.advance(7 * 86_400)
    assert_refusal(stranger.post("/admin/team/invitations/accept", body), 410, "invitation_expired")
    rows = owner.get("/admin/team/members", status="expired").json()["items"]
    assert [row["status"] for row in rows] == ["expired"]
    body["token"] = "no such token"
    assert_refusal(stranger.post("/admin/team/invitations/accept", body), 404, "not_found")
    assert owner("DELETE", f"/admin/team/members/{member['id']}").status_code == 204


def test_the_last_owner_and_owners_at_all(owner: Caller) -> None:
    (me,) = owner.get("/admin/team/members").json()["items"]
    path = f"/admin/team/members/{me['id']}"
    assert_refusal(owner("PUT", f"{path}/role", {"role": "agent"}), 409, "last_owner")
    assert_refusal(owner("DELETE", path), 409, "owner_cannot_be_removed")


@pytest.mark.parametrize("body", [{}, {"role": "boss"}, {"role": "agent", "more": 1}, {"role": None}])
def test_what_is_no_role_is_malformed(owner: Caller, body: dict[str, object]) -> None:
    assert_refusal(owner("PUT", "/admin/team/members/mem_none/role", body), 400)


def test_the_table_of_permissions_is_the_one_that_checks_read(owner: Caller) -> None:
    body = owner.get("/admin/team/permissions").json()
    assert body["roles"] == [role.value for role in Role]
    assert [category["name"] for category in body["categories"]] == list(access.CATEGORIES)
    shown = {
        permission["key"]: permission for each in body["categories"] for permission in each["permissions"]
    }
    assert set(shown) == set(access.PERMISSIONS)
    for key, permission in shown.items():
        assert set(permission) == {"key", "title", "description", "roles"}
        assert permission["roles"] == {role.value: key in access.granted(role) for role in Role}


# The workspace


def test_the_workspace_is_read_and_changed(owner: Caller) -> None:
    assert owner.get("/workspace").json() == {
        "slug": "northwind",
        "name": "Northwind",
        "plan": "pro",
        "timezone": "UTC",
        "pendingTimezone": None,
        "monthlyBudgetUSD": None,
        "budgetMode": None,
    }
    wanted = {"name": "North", "timezone": "Europe/Berlin", "plan": "starter", "monthlyBudgetUSD": 25.5}
    changed = owner("PATCH", "/workspace", wanted)
    assert changed.status_code == 200
    assert changed.json() == {
        "slug": "northwind",
        "name": "North",
        "plan": "starter",
        "timezone": "UTC",
        "pendingTimezone": "Europe/Berlin",
        "monthlyBudgetUSD": 25.5,
        "budgetMode": "soft",
    }
    assert owner("PATCH", "/workspace", {"budgetMode": "hard"}).json()["budgetMode"] == "hard"
    assert owner("PATCH", "/workspace", {"monthlyBudgetUSD": None}).json()["monthlyBudgetUSD"] is None
    assert owner("PATCH", "/workspace", {}).json()["name"] == "North"


def test_a_budget_is_kept_to_the_millionth(owner: Caller, runtime: Runtime, place: Place) -> None:
    assert owner("PATCH", "/workspace", {"monthlyBudgetUSD": 0.1}).json()["monthlyBudgetUSD"] == 0.1
    with runtime.unit(COMMAND) as unit:
        row = unit.session.get_one(Workspace, place.workspace.id)
    assert row.monthly_budget_micros == 100_000


@pytest.mark.parametrize(
    "body",
    [
        {"plan": "gold"},
        {"budgetMode": "firm"},
        {"monthlyBudgetUSD": -1},
        {"monthlyBudgetUSD": "much"},
        {"monthlyBudgetUsd": 1},
        {"slug": "mine"},
    ],
)
def test_a_workspace_is_not_changed_to_nonsense(owner: Caller, body: dict[str, object]) -> None:
    assert_refusal(owner("PATCH", "/workspace", body), 400)


def test_a_zone_that_is_none_is_impossible(owner: Caller) -> None:
    assert_refusal(owner("PATCH", "/workspace", {"timezone": "Mars/Base"}), 422, "timezone")


# Keys


def test_a_key_is_made_used_listed_and_revoked(owner: Caller) -> None:
    made = owner.post("/keys", {"name": "CRM", "role": "agent", "expiresAt": "2027-01-01T00:00:00Z"})
    assert made.status_code == 201
    body = made.json()
    key = body.pop("key")
    assert set(body) == {
        *("id", "name", "role", "state", "createdBy", "createdAt", "expiresAt", "lastUsedAt"),
    }
    theirs = Caller(owner.client, bearer(key))
    assert theirs.get("/messages").status_code == 200
    assert_refusal(theirs.get("/keys"), 403, "forbidden")
    listed = {row["id"]: row for row in owner.get("/keys").json()["items"]}
    assert listed[body["id"]]["name"] == "CRM"
    assert key not in str(listed)
    assert owner("DELETE", f"/keys/{body['id']}").status_code == 204
    assert_refusal(theirs.get("/messages"), 401, "unauthenticated")


@pytest.mark.parametrize(
    "body",
    [{"name": "x"}, {"name": "", "role": "agent"}, {"name": "x", "role": "agent", "expiresAt": "soon"}],
)
def test_a_key_is_not_made_of_nonsense(owner: Caller, body: dict[str, object]) -> None:
    assert_refusal(owner.post("/keys", body), 400)


# The audit log


def test_the_audit_log_is_read_narrowed_and_verified(owner: Caller, runtime: Runtime) -> None:
    owner("PATCH", "/workspace", {"name": "North"})
    (entry,) = owner.get("/admin/audit", action="workspace.changed").json()["items"]
    assert set(entry) == {"id", "at", "actor", "action", "target", "before", "after"}
    assert (entry["before"], entry["after"]) == ({"name": "Northwind"}, {"name": "North"})
    assert owner.get("/admin/audit", actor=entry["actor"]).json()["items"][0] == entry
    assert owner.get("/admin/audit", from_="2030-01-01T00:00:00Z").json()["items"] == []
    first = owner.get("/admin/audit", limit=1).json()
    second = owner.get("/admin/audit", limit=1, cursor=first["nextCursor"]).json()
    assert int(second["items"][0]["id"]) < int(first["items"][0]["id"])
    verdict = owner.get("/admin/audit/verify").json()
    assert verdict == {"whole": True, "entries": int(first["items"][0]["id"]), "firstBroken": None}


def test_p7_the_use_of_good_keys_is_gathered_and_written_once(
    server: Server, owner: Caller, stranger: Caller, runtime: Runtime, place: Place
) -> None:
    gathered = server.app.state.uses._used
    gathered.clear()
    assert owner.get("/workspace").status_code == 200
    assert_refusal(owner.get("/messages/none"), 404)
    assert_refusal(Caller(owner.client, bearer("wp_unknown")).get("/workspace"), 401)
    assert_refusal(stranger.get("/workspace"), 401)
    assert gathered == {hash_key(place.keys[Role.OWNER])}
    uses = Uses(runtime)
    uses.note(hash_key(place.keys[Role.OWNER]))
    asyncio.run(uses.write())
    asyncio.run(uses.write())
    (used,) = [row for row in owner.get("/keys").json()["items"] if row["lastUsedAt"]]
    assert used["role"] == "owner"
