"""Whatever the people of a team do to each other: there is an owner, nobody does what they may not, and who
is out is out."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlmodel import col, select

from core import access, audit
from core.errors import DomainError, Forbidden
from core.team import members
from core.team.names import hash_key
from core.team.owners import COMMAND
from core.unit import Identity, Unit
from data.enums import MemberStatus, Role
from data.people import BrowserSession, Member, User
from tests.core.desk import WORKER
from tests.core.machines.conftest import HOW_LONG, Begin

PEOPLE = 5
SOMEBODY = st.integers(0, PEOPLE - 1)
ROLES = st.sampled_from(list(Role))
NEEDS = {
    "change_role": "team.change_role",
    "suspend": "team.suspend",
    "reinstate": "team.suspend",
    "remove": "team.remove",
    "leave": "workspace.view",
}


class Team(RuleBasedStateMachine):
    """The owner and four more, each of them signed in from the beginning."""

    def __init__(self, begin: Begin) -> None:
        super().__init__()
        self.desk = begin()
        self.people = [self.join(number) for number in range(PEOPLE)]

    def join(self, number: int) -> tuple[str, Identity]:
        """Member id and who they are to us; the first is the owner that a workspace begins with."""
        workspace = self.desk.place.workspace
        with self.desk.runtime.unit(COMMAND, write=True) as unit:
            if number == 0:
                member = unit.session.exec(select(Member)).one()
            else:
                user = User(
                    id=unit.new_id("usr"),
                    email=f"p{number}@example.com",
                    name=f"P{number}",
                    password_hash="",
                    created_at=unit.now,
                )
                unit.session.add(user)
                unit.session.flush()
                member = Member(
                    id=unit.new_id("mem"),
                    workspace_id=workspace.id,
                    user_id=user.id,
                    role=list(Role)[number % len(Role)],
                    status=MemberStatus.ACTIVE,
                    joined_at=unit.now,
                )
                unit.session.add(member)
            token_hash = hash_key(f"session-{number}")
            unit.session.flush()
            unit.session.add(
                BrowserSession(
                    token_hash=token_hash,
                    user_id=member.user_id,
                    workspace_id=workspace.id,
                    created_at=unit.now,
                    last_seen_at=unit.now,
                    confirmed_at=unit.now,
                    address="",
                    agent="",
                )
            )
            return member.id, Identity(session_hash=token_hash)

    @rule(who=SOMEBODY, whom=SOMEBODY, role=ROLES)
    def change_role(self, who: int, whom: int, role: Role) -> None:
        self.act("change_role", who, lambda unit: members.change_role(unit, self.people[whom][0], role=role))

    @rule(who=SOMEBODY, whom=SOMEBODY)
    def suspend(self, who: int, whom: int) -> None:
        self.act("suspend", who, lambda unit: members.suspend(unit, self.people[whom][0]))

    @rule(who=SOMEBODY, whom=SOMEBODY)
    def reinstate(self, who: int, whom: int) -> None:
        self.act("reinstate", who, lambda unit: members.reinstate(unit, self.people[whom][0]))

    @rule(who=SOMEBODY, whom=SOMEBODY)
    def remove(self, who: int, whom: int) -> None:
        self.act("remove", who, lambda unit: members.remove(unit, self.people[whom][0]))

    @rule(who=SOMEBODY)
    def leave(self, who: int) -> None:
        self.act("leave", who, members.leave)

    def act(self, what: str, who: int, command: Callable[[Unit], Any]) -> None:
        member_id, identity = self.people[who]
        before = self.member(member_id)
        may = before.status is MemberStatus.ACTIVE and before.role in access.who_can(NEEDS[what])
        try:
            with self.desk.runtime.unit(identity, write=True) as unit:
                command(unit)
        except Forbidden:
            return
        except DomainError:
            return
        assert may, f"{what} by {before.role}, {before.status}"

    @invariant()
    def there_is_an_owner(self) -> None:
        assert any(one.role is Role.OWNER and one.status is MemberStatus.ACTIVE for one in self.members())

    @invariant()
    def who_is_out_is_signed_out(self) -> None:
        out = {one.user_id for one in self.members() if one.status is not MemberStatus.ACTIVE}
        with self.desk.runtime.unit(WORKER) as unit:
            live = select(BrowserSession.user_id).where(col(BrowserSession.ended_at).is_(None))
            assert not out & set(unit.session.exec(live))

    @invariant()
    def the_log_is_whole(self) -> None:
        with self.desk.runtime.unit(COMMAND) as unit:
            assert audit.verify(unit.session, unit.vault).whole

    def member(self, member_id: str) -> Member:
        with self.desk.runtime.unit(WORKER) as unit:
            return unit.session.get_one(Member, member_id)

    def members(self) -> list[Member]:
        with self.desk.runtime.unit(WORKER) as unit:
            return list(unit.session.exec(select(Member)))


@pytest.mark.parametrize("how_long", HOW_LONG)
def test_team(begin: Begin, how_long: settings) -> None:
    run_state_machine_as_test(lambda: Team(begin), settings=how_long)
