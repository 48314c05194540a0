import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import col, select

from core.errors import Forbidden, NotFound, NotSignedIn, Unavailable
from core.ports.bell import Due
from core.ports.sandbox import SandboxControl
from core.runtime import Runtime
from core.team.keys import create_api_key
from core.team.names import hash_key
from core.team.owners import COMMAND
from core.unit import ANONYMOUS, Identity
from data.enums import MemberStatus, Role
from data.messages import Contact
from data.operations import AuditEntry
from data.people import ApiKey, Member, User
from data.sending import Phone
from tests.conftest import PHONE_ID, Place


@dataclass
class CountingBell:
    rung: int = 0

    def ring(self, due: Due = Due.SENDS) -> None:
        self.rung += due is Due.SENDS

    def waiting(self) -> int:
        return self.rung


def contact(place: Place, name: str) -> Contact:
    return Contact(
        id=f"con_{name}", workspace_id=place.workspace.id, name=name, created_at=place.workspace.created_at
    )


def names(runtime: Runtime, place: Place) -> list[str | None]:
    with runtime.unit(place.owner) as unit:
        return [row.name for row in unit.session.exec(unit.scoped(Contact).order_by(col(Contact.id)))]


# One transaction


def test_a_unit_commits_at_its_end_and_rings_only_then(runtime: Runtime, place: Place) -> None:
    bell = CountingBell()
    ringing = replace(runtime, bell=bell)
    with ringing.unit(place.owner, write=True) as unit:
        unit.session.add(contact(place, "a"))
        unit.ring()
        unit.ring()
        assert bell.rung == 0
    assert (bell.rung, names(runtime, place)) == (1, ["a"])


def test_any_error_undoes_all_of_it_and_rings_for_nothing(runtime: Runtime, place: Place) -> None:
    bell = CountingBell()

    def fail() -> None:
        with replace(runtime, bell=bell).unit(place.owner, write=True) as unit:
            unit.session.add(contact(place, "a"))
            unit.session.flush()
            unit.ring()
            unit.record("something", "somewhere")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()
    assert (bell.rung, names(runtime, place)) == (0, [])


def test_a_read_unit_writes_nothing(runtime: Runtime, place: Place) -> None:
    def write() -> None:
        with runtime.unit(place.owner) as unit:
            unit.session.add(contact(place, "a"))
            unit.session.flush()

    with pytest.raises((Unavailable, DBAPIError)):
        write()
    assert names(runtime, place) == []


def test_a_port_refuses_to_be_called_inside_a_unit(runtime: Runtime, place: Place) -> None:
    async def call() -> None:
        with runtime.unit(place.owner):
            await runtime.graph.send(phone_number_id=PHONE_ID, token="t", body={})

    with pytest.raises(RuntimeError, match="inside a unit"):
        asyncio.run(call())
    with runtime.unit(place.owner), pytest.raises(RuntimeError, match="inside a unit"):
        SandboxControl("http://127.0.0.1:9").state()


@pytest.mark.parametrize("write", [False, True])
def test_a_database_that_fails_is_told_in_a_sentence(runtime: Runtime, place: Place, write: bool) -> None:
    def fail() -> None:
        with runtime.unit(place.owner, write=write):
            raise OperationalError("SELECT 1", {}, Exception("database or disk is full"))

    with pytest.raises(Unavailable, match="disk that holds the database is full"):
        fail()


# P2: who may


def actor_may(runtime: Runtime, identity: Identity, permission: str) -> bool:
    with runtime.unit(identity) as unit:
        return unit.actor.can(permission)


def test_p2_nobody_and_unknown_keys_may_nothing(runtime: Runtime, place: Place) -> None:
    for identity in (ANONYMOUS, Identity(key_hash=hash_key("wp_unknown")), Identity(session_hash="x")):
        with runtime.unit(identity) as unit:
            with pytest.raises(NotSignedIn):
                unit.require("workspace.view")
            with pytest.raises(Forbidden):
                _ = unit.workspace_id


def test_p2_a_permission_that_does_not_exist_is_a_mistake_of_ours(runtime: Runtime, place: Place) -> None:
    with runtime.unit(place.owner) as unit, pytest.raises(LookupError):
        unit.require("messages.fly")


def test_p2_the_database_decides_at_that_moment(runtime: Runtime, place: Place) -> None:
    manager = place.acting(Role.MANAGER)
    assert actor_may(runtime, manager, "queues.pause")
    with runtime.unit(COMMAND, write=True) as unit:
        key = unit.session.exec(select(ApiKey).where(col(ApiKey.key_hash) == manager.key_hash)).one()
        key.role = Role.VIEWER
        unit.session.add(key)
    assert not actor_may(runtime, manager, "queues.pause")


def test_p5_a_missing_permission_is_named(runtime: Runtime, place: Place) -> None:
    with runtime.unit(place.acting(Role.VIEWER)) as unit, pytest.raises(Forbidden) as refusal:
        unit.require("messages.send")
    assert refusal.value.facts["permission"] == "messages.send"
    assert "messages.send" in refusal.value.sentence


def test_p9_a_refused_write_leaves_an_entry_and_nothing_else(runtime: Runtime, place: Place) -> None:
    identity = replace(place.acting(Role.VIEWER), address="192.0.2.7", request_id="req-1")

    def refused() -> None:
        with runtime.unit(identity, write=True) as unit:
            unit.session.add(contact(place, "a"))
            unit.session.flush()
            unit.require("queues.pause")

    with pytest.raises(Forbidden):
        refused()
    assert names(runtime, place) == []
    with runtime.unit(place.owner) as unit:
        (entry,) = unit.session.exec(select(AuditEntry).where(col(AuditEntry.action) == "refused"))
    assert (entry.target, entry.workspace_id) == ("queues.pause", place.workspace.id)
    assert (entry.address, entry.request_id) == ("192.0.2.7", "req-1")
    assert entry.actor.startswith("key_")


def test_p5_rows_of_another_workspace_are_not_there(
    runtime: Runtime, place: Place, other_place: Place
) -> None:
    with runtime.unit(place.owner) as unit:
        with pytest.raises(NotFound) as foreign:
            unit.find(Phone, str(int(PHONE_ID) + 50), called="phone number")
        with pytest.raises(NotFound) as unknown:
            unit.find(Phone, "1", called="phone number")
        assert {row.workspace_id for row in unit.session.exec(unit.scoped(Phone))} == {place.workspace.id}
    assert (foreign.value.sentence, foreign.value.code) == (unknown.value.sentence, unknown.value.code)


# P7: keys


def key_of(runtime: Runtime, place: Place, *, creator: Role | None, role: Role = Role.OWNER) -> Identity:
    """A key of that role, made by someone who now has the role ``creator`` (None: by command)."""
    with runtime.unit(COMMAND, write=True) as unit:
        key, secret = create_api_key(unit, workspace=place.workspace, role=role, name="k")
        member = unit.session.exec(select(Member).where(col(Member.workspace_id) == place.workspace.id)).one()
        if creator is not None:
            key.created_by = member.user_id
            member.role = creator
            unit.session.add(member)
        unit.session.add(key)
    return Identity(key_hash=hash_key(secret))


def test_p7_a_key_may_what_its_role_and_its_creators_present_role_both_allow(
    runtime: Runtime, place: Place
) -> None:
    made_by_owner = key_of(runtime, place, creator=Role.OWNER)
    assert actor_may(runtime, made_by_owner, "billing.manage")
    key_of(runtime, place, creator=Role.MANAGER)
    assert not actor_may(runtime, made_by_owner, "billing.manage")
    assert actor_may(runtime, made_by_owner, "queues.pause")
    agent = key_of(runtime, place, creator=Role.MANAGER, role=Role.AGENT)
    assert not actor_may(runtime, agent, "queues.pause")
    assert actor_may(runtime, key_of(runtime, place, creator=None), "billing.manage")


@pytest.mark.parametrize("status", [MemberStatus.SUSPENDED, MemberStatus.REMOVED, MemberStatus.INVITED])
def test_p6_a_key_whose_creator_left_may_nothing(
    runtime: Runtime, place: Place, status: MemberStatus
) -> None:
    identity = key_of(runtime, place, creator=Role.OWNER)
    with runtime.unit(COMMAND, write=True) as unit:
        member = unit.session.exec(select(Member)).one()
        member.status = status
        unit.session.add(member)
    assert not actor_may(runtime, identity, "workspace.view")


def test_p7_a_key_ends_when_it_expires_or_is_revoked(runtime: Runtime, place: Place) -> None:
    identity = key_of(runtime, place, creator=None)
    now = runtime.clock.now()
    for column, ends in (("expires_at", now), ("revoked_at", now)):
        with runtime.unit(COMMAND, write=True) as unit:
            key = unit.session.exec(select(ApiKey).where(col(ApiKey.key_hash) == identity.key_hash)).one()
            key.expires_at = key.revoked_at = None
            setattr(key, column, ends)
            unit.session.add(key)
        assert not actor_may(runtime, identity, "workspace.view")
    with runtime.unit(COMMAND, write=True) as unit:
        key = unit.session.exec(select(ApiKey).where(col(ApiKey.key_hash) == identity.key_hash)).one()
        key.expires_at, key.revoked_at = now + timedelta(microseconds=1), None
        unit.session.add(key)
    assert actor_may(runtime, identity, "workspace.view")


def test_p7_a_platform_key_belongs_to_no_workspace(runtime: Runtime, place: Place) -> None:
    with runtime.unit(COMMAND, write=True) as unit:
        _, secret = create_api_key(unit, workspace=None, role=None, name="platform")
    with runtime.unit(Identity(key_hash=hash_key(secret))) as unit:
        unit.require("platform.admin")
        with pytest.raises(Forbidden):
            unit.require("messages.send")
        with pytest.raises(Forbidden):
            unit.scoped(Phone)


def test_p7_only_the_hash_of_a_key_is_stored(runtime: Runtime, place: Place) -> None:
    with runtime.unit(place.owner) as unit:
        stored = {key.key_hash for key in unit.session.exec(select(ApiKey))}
        users = unit.session.exec(select(User)).all()
    assert stored == {hash_key(secret) for secret in place.keys.values()}
    assert all(user.password_hash.startswith("$argon2id$") for user in users)
