"""What a browser session may do, as the database says at that moment (P2, P6, P8)."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from core import access
from core.errors import ConfirmRequired, Forbidden
from core.ports.clock import FrozenClock
from core.runtime import Runtime
from core.team.names import hash_key
from core.team.owners import COMMAND
from core.tokens.connect import connect
from core.unit import FRESH_FOR, NOBODY, Actor, Identity
from data.enums import MemberStatus, Role
from data.people import BrowserSession, Member, User, Workspace
from tests.conftest import Place

BROWSER = Identity(session_hash=hash_key("cookie"))


@dataclass(frozen=True)
class Person:
    """The owner of a workspace, in a browser."""

    runtime: Runtime
    place: Place

    def actor(self) -> Actor:
        with self.runtime.unit(BROWSER) as unit:
            return unit.actor

    def change(self, model: type[Any], **values: Any) -> None:
        with self.runtime.unit(COMMAND, write=True) as unit:
            for row in unit.session.exec(select(model)):
                unit.session.add(row.sqlmodel_update(values))


@pytest.fixture
def person(runtime: Runtime, place: Place) -> Person:
    with runtime.unit(COMMAND, write=True) as unit:
        unit.session.add(
            BrowserSession(
                token_hash=BROWSER.session_hash or "",
                user_id=unit.session.exec(select(User.id)).one(),
                workspace_id=place.workspace.id,
                created_at=unit.now,
                last_seen_at=unit.now,
                confirmed_at=unit.now,
                address="",
                agent="",
            )
        )
    return Person(runtime, place)


def test_p1_the_owner_has_every_permission_and_the_highest_rank(person: Person) -> None:
    actor = person.actor()
    assert actor.permissions == set(access.PERMISSIONS) | set(access.PLATFORM)
    assert (actor.role, actor.rank) == (Role.OWNER, 4)
    assert not actor.is_support


@pytest.mark.parametrize("status", [each for each in MemberStatus if each is not MemberStatus.ACTIVE])
def test_p6_whoever_is_no_active_member_is_nobody(person: Person, status: MemberStatus) -> None:
    person.change(Member, status=status)
    assert person.actor() is NOBODY


@pytest.mark.parametrize("role", list(Role))
def test_viewing_as_a_role_restricts_and_never_extends(person: Person, role: Role) -> None:
    person.change(Member, role=Role.MANAGER)
    person.change(BrowserSession, view_as=role)
    assert person.actor().permissions == access.granted(Role.MANAGER) & access.granted(role)


def test_viewing_as_a_role_changes_nothing(person: Person) -> None:
    person.change(BrowserSession, view_as=Role.AGENT)
    with person.runtime.unit(BROWSER) as unit:
        unit.require("messages.send")
    with pytest.raises(Forbidden, match="as agent does"), person.runtime.unit(BROWSER, write=True) as unit:
        unit.require("messages.send")


def test_a_session_that_waits_for_its_code_is_nobody(person: Person) -> None:
    person.change(BrowserSession, is_pending=True)
    assert person.actor() is NOBODY


def test_a_workspace_that_asks_for_a_second_factor_lets_in_who_gave_one(person: Person) -> None:
    person.change(Workspace, require_second_factor=True)
    assert person.actor() is NOBODY
    person.change(BrowserSession, second_factor_at=person.runtime.clock.now())
    assert person.actor().role is Role.OWNER


@pytest.mark.parametrize("flag", ["is_platform_admin", "is_platform_support"])
def test_p8_a_platform_person_inside_another_workspace_sees_what_support_sees(
    person: Person, other_place: Place, flag: str
) -> None:
    person.change(User, is_platform_admin=False)
    with person.runtime.unit(COMMAND, write=True) as unit:
        row = unit.session.get_one(BrowserSession, BROWSER.session_hash)
        row.support_workspace_id = other_place.workspace.id
        unit.session.add(row)
    assert person.actor() is NOBODY
    person.change(User, **{flag: True})
    actor = person.actor()
    assert (actor.workspace_id, actor.role, actor.is_support) == (
        other_place.workspace.id,
        Role.SUPPORT,
        True,
    )
    assert actor.permissions == access.granted(Role.SUPPORT) | {access.PLATFORM_SUPPORT}
    assert not actor.can("contacts.reveal")


def test_what_is_dangerous_asks_again_after_ten_minutes(person: Person, clock: FrozenClock) -> None:
    clock.advance(FRESH_FOR.total_seconds())
    with person.runtime.unit(BROWSER) as unit:
        unit.require_fresh()
    clock.advance(1)
    with person.runtime.unit(BROWSER) as unit, pytest.raises(ConfirmRequired):
        unit.require_fresh()
    person.change(BrowserSession, confirmed_at=clock.now() - timedelta(seconds=1))
    with person.runtime.unit(BROWSER) as unit:
        unit.require_fresh()
    for passes in (person.place.acting(Role.OWNER), person.place.owner):
        with person.runtime.unit(passes) as unit:
            unit.require_fresh()


def test_connecting_an_account_asks_again_too(person: Person, clock: FrozenClock) -> None:
    clock.advance(FRESH_FOR.total_seconds() + 1)
    with pytest.raises(ConfirmRequired):
        asyncio.run(connect(person.runtime, BROWSER, waba_id="1", access_token="a-token"))


def test_whoever_holds_the_workspace_is_who_they_are_by_then(person: Person) -> None:
    with person.runtime.unit(BROWSER, write=True) as unit:
        row = unit.session.exec(select(Member).where(col(Member.user_id) == unit.actor.user_id)).one()
        row.role = Role.VIEWER
        unit.session.add(row)
        unit.session.flush()
        assert unit.actor.role is Role.OWNER
        assert unit.lock_workspace().id == person.place.workspace.id
        assert unit.actor.role is Role.VIEWER
