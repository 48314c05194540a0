"""What must hold when two people act at the same moment, on both databases."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlmodel import col, func, select

from core.errors import DomainError
from core.team.accepting import accept
from core.team.invitations import invite
from core.team.members import change_role, leave, remove, suspend
from core.unit import ANONYMOUS
from data.enums import MemberStatus, Role
from data.people import Member
from tests.core.office import Office, Person

ROUNDS = [5, pytest.param(50, marks=pytest.mark.long)]


def at_once(*works: Callable[[], Any]) -> list[str]:
    """The code of each one's refusal; empty for those that went through."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> str:
        start.wait()
        try:
            work()
        except DomainError as refusal:
            return refusal.code
        return ""

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def owners(office: Office) -> int:
    with office.runtime.unit(office.place.owner) as unit:
        statement = (
            select(func.count())
            .select_from(Member)
            .where(
                col(Member.workspace_id) == unit.workspace_id,
                col(Member.role) == Role.OWNER,
                col(Member.status) == MemberStatus.ACTIVE,
            )
        )
        return unit.session.exec(statement).one()


def two_owners(office: Office) -> tuple[Person, Person]:
    """The only two."""
    office.change(Member, office.owner().member_id, role=Role.AGENT)
    return office.hire(Role.OWNER), office.hire(Role.OWNER)


def restore(office: Office, *people: Person) -> None:
    for person in people:
        office.change(Member, person.member_id, role=Role.OWNER, status=MemberStatus.ACTIVE)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_p3_two_owners_who_demote_each_other_leave_one(office: Office, rounds: int) -> None:
    first, second = two_owners(office)

    def demote(by: Person, whom: Person) -> Callable[[], Any]:
        return lambda: office.do(by.browser, change_role, whom.member_id, role=Role.AGENT)

    for _ in range(rounds):
        told = at_once(demote(first, second), demote(second, first))
        assert told.count("") == 1, told
        assert set(told) <= {"", "last_owner", "forbidden"}
        assert owners(office) == 1
        restore(office, first, second)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_p3_of_two_owners_who_go_at_once_one_stays(office: Office, rounds: int) -> None:
    first, second = two_owners(office)
    for _ in range(rounds):
        told = at_once(
            lambda: office.do(office.browser(first.id), leave),
            lambda: office.do(office.browser(second.id), change_role, second.member_id, role=Role.VIEWER),
        )
        assert sorted(told) == ["", "last_owner"]
        assert owners(office) == 1
        restore(office, first, second)


def test_p3_of_twenty_demotions_at_once_one_owner_is_left(office: Office) -> None:
    people = [office.owner(), *(office.hire(Role.OWNER) for _ in range(19))]
    told = at_once(
        *(
            lambda person=person: office.do(  # type: ignore[misc]
                office.place.acting(Role.OWNER), change_role, person.member_id, role=Role.AGENT
            )
            for person in people
        )
    )
    assert owners(office) == 1
    assert told.count("last_owner") == 1
    assert told.count("") == 19


@pytest.mark.parametrize("rounds", ROUNDS)
def test_p3_whoever_is_demoted_meanwhile_removes_nobody(office: Office, rounds: int) -> None:
    owner = office.owner()
    manager, agent = office.hire(Role.MANAGER), office.hire(Role.AGENT)
    for _ in range(rounds):
        told = at_once(
            lambda: office.do(owner.browser, change_role, manager.member_id, role=Role.VIEWER),
            lambda: office.do(manager.browser, remove, agent.member_id),
        )
        assert told[0] == ""
        gone = office.member(agent.member_id).status is MemberStatus.REMOVED
        assert gone is (told[1] == "")
        entries = [entry.action for entry in office.entries()[-2:]]
        if not gone:
            assert told[1] == "forbidden"
        elif "member.removed" in entries:
            assert entries.index("member.removed") < entries.index("member.role_changed")
        office.change(Member, manager.member_id, role=Role.MANAGER)
        office.change(Member, agent.member_id, status=MemberStatus.ACTIVE)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_p3_a_demotion_and_a_suspension_at_once_keep_an_owner(office: Office, rounds: int) -> None:
    first, second = two_owners(office)
    for _ in range(rounds):
        at_once(
            lambda: office.do(office.place.owner, change_role, first.member_id, role=Role.AGENT),
            lambda: office.do(office.place.owner, suspend, second.member_id),
        )
        assert owners(office) == 1
        restore(office, first, second)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_p4_an_invitation_accepted_twice_at_once_makes_one_member(office: Office, rounds: int) -> None:
    owner = office.owner()
    for number in range(rounds):
        email = f"new{number}@x.example"
        row = office.do(owner.browser, invite, email=email, role=Role.AGENT)
        secret = office.link_secret(email)

        def take(secret: str = secret) -> None:
            accept(office.runtime, ANONYMOUS, token=secret, name="Mara", password="four unrelated words here")

        told = at_once(take, take)
        assert told.count("") == 1, told
        assert set(told) <= {"", "invitation_used", "known_by_now"}
        with office.runtime.unit(office.place.owner) as unit:
            same = unit.session.exec(unit.scoped(Member).where(Member.user_id == row.user_id)).all()
        assert [member.status for member in same] == [MemberStatus.ACTIVE]


def test_p4_one_address_invited_by_many_at_once_has_one_place(office: Office) -> None:
    managers = [office.hire(Role.MANAGER) for _ in range(4)]
    told = at_once(
        *(
            lambda person=person: office.do(  # type: ignore[misc]
                person.browser, invite, email="mara@x.example", role=Role.AGENT
            )
            for person in managers
        )
    )
    assert sorted(told) == ["", *["already_member"] * 3]
    assert office.mails() == 1
