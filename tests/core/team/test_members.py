from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from core.errors import ConfirmRequired, Conflict, DomainError, Forbidden, NotFound
from core.runtime import Runtime
from core.team.keys import create_api_key
from core.team.members import change_role, leave, reinstate, remove, suspend
from core.team.queries import MemberFilter, counts, list_members, member_row, narrow
from core.team.rules import Act, Standing
from core.unit import FRESH_FOR
from data.enums import MemberStatus, Role
from data.people import ApiKey, Member
from tests.core.office import Office

COMMANDS: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (change_role, {"role": Role.VIEWER}),
    (suspend, {}),
    (remove, {}),
]


def test_p6_a_demotion_counts_from_the_next_click(office: Office) -> None:
    owner, agent = office.owner(), office.hire(Role.AGENT)
    row = office.do(owner.browser, change_role, agent.member_id, role=Role.VIEWER)
    assert (row.role, row.standing) == (Role.VIEWER, Standing.ACTIVE)
    with office.runtime.unit(agent.browser) as unit:
        assert not unit.actor.can("messages.send")
    entry = office.last_entry()
    assert (entry.action, entry.actor, entry.target) == (
        "member.role_changed",
        owner.id,
        f"member:{agent.member_id}",
    )
    assert (entry.before, entry.after) == ({"role": "agent"}, {"role": "viewer"})


def test_the_same_role_again_leaves_no_entry(office: Office) -> None:
    owner, agent = office.owner(), office.hire(Role.AGENT)
    before = len(office.entries())
    assert office.do(owner.browser, change_role, agent.member_id, role=Role.AGENT).role is Role.AGENT
    assert len(office.entries()) == before


@pytest.mark.parametrize(("command", "words"), COMMANDS)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.AGENT, Role.SUPPORT])
def test_those_without_the_permission_are_refused_and_it_is_written_down(
    office: Office, command: Callable[..., Any], words: dict[str, Any], role: Role
) -> None:
    agent, low = office.hire(Role.AGENT), office.hire(role)
    office.refused(Forbidden, low.browser, command, agent.member_id, **words)
    assert office.member(agent.member_id).role is Role.AGENT
    assert office.last_entry().action == "refused"


@pytest.mark.parametrize(("command", "words"), [*COMMANDS, (reinstate, {})])
def test_p5_a_member_of_another_workspace_is_not_found(
    office: Office, other_office: Office, command: Callable[..., Any], words: dict[str, Any]
) -> None:
    theirs = other_office.hire(Role.AGENT)
    owner = office.owner()
    missing = office.refused(NotFound, owner.browser, command, "mem_none", **words)
    foreign = office.refused(NotFound, owner.browser, command, theirs.member_id, **words)
    assert foreign.sentence == missing.sentence
    assert office.member(theirs.member_id).status is MemberStatus.ACTIVE


def test_p3_a_manager_acts_on_those_below_and_on_nobody_else(office: Office) -> None:
    manager, peer, agent = office.hire(Role.MANAGER), office.hire(Role.MANAGER), office.hire(Role.AGENT)
    owner = office.owner()
    for above in (peer, owner):
        office.refused(Forbidden, manager.browser, change_role, above.member_id, role=Role.AGENT)
        office.refused(Forbidden, manager.browser, suspend, above.member_id)
        office.refused(Forbidden, manager.browser, remove, above.member_id)
    office.refused(Forbidden, manager.browser, change_role, agent.member_id, role=Role.OWNER)
    assert office.do(manager.browser, change_role, agent.member_id, role=Role.MANAGER).role is Role.MANAGER


def test_p3_the_last_owner_stays_owner_however_it_is_tried(office: Office) -> None:
    owner = office.owner()
    refused = office.refused(Conflict, owner.browser, change_role, owner.member_id, role=Role.AGENT)
    assert refused.code == "last_owner"
    for identity in (office.place.owner, office.place.acting(Role.OWNER)):
        for command, words in COMMANDS:
            refused = office.refused(Conflict, identity, command, owner.member_id, **words)
            assert refused.code == ("owner_cannot_be_removed" if command is remove else "last_owner")
    assert office.refused(Conflict, owner.browser, leave).code == "last_owner"


def test_p3_an_owner_steps_down_while_another_remains(office: Office) -> None:
    owner, second = office.owner(), office.hire(Role.OWNER)
    assert office.do(owner.browser, change_role, owner.member_id, role=Role.AGENT).role is Role.AGENT
    refused = office.refused(Conflict, second.browser, change_role, second.member_id, role=Role.AGENT)
    assert refused.code == "last_owner"


def test_a_suspended_owner_does_not_count_as_one(office: Office) -> None:
    owner = office.owner()
    office.hire(Role.OWNER, status=MemberStatus.SUSPENDED)
    assert office.refused(Conflict, owner.browser, leave).code == "last_owner"


def test_suspending_signs_out_at_once_and_reinstating_lets_in_again(office: Office) -> None:
    owner, agent = office.owner(), office.hire(Role.AGENT)
    assert office.do(owner.browser, suspend, agent.member_id).standing is Standing.SUSPENDED
    assert not office.is_in(agent.browser)
    assert office.refused(Conflict, owner.browser, suspend, agent.member_id).code == "not_active"
    assert office.do(owner.browser, reinstate, agent.member_id).standing is Standing.ACTIVE
    assert not office.is_in(agent.browser)
    assert office.is_in(office.browser(agent.id))
    assert office.refused(Conflict, owner.browser, reinstate, agent.member_id).code == "not_suspended"
    assert [entry.action for entry in office.entries()][-2:] == ["member.suspended", "member.reinstated"]


def test_p6_removing_keeps_the_row_and_ends_sessions_and_keys(office: Office, other_office: Office) -> None:
    owner, manager = office.owner(), office.hire(Role.MANAGER)
    other_office.join(manager.id, Role.MANAGER, member_id="mem_elsewhere")
    elsewhere = other_office.browser(manager.id)
    with office.runtime.unit(manager.browser, write=True) as unit:
        key, _ = create_api_key(unit, workspace=office.place.workspace, role=Role.AGENT, name="mine")
    office.do(owner.browser, remove, manager.member_id)
    assert office.member(manager.member_id).status is MemberStatus.REMOVED
    assert not office.is_in(manager.browser)
    assert office.is_in(elsewhere)
    with office.runtime.unit(office.place.owner) as unit:
        revoked = unit.session.exec(select(ApiKey.id).where(col(ApiKey.revoked_at).is_not(None))).all()
    assert revoked == [key.id]
    assert office.last_entry().before == {"role": "manager"}
    assert office.refused(Conflict, owner.browser, remove, manager.member_id).code == "not_in_team"


def test_whoever_leaves_is_out(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    office.do(agent.browser, leave)
    assert not office.is_in(agent.browser)
    assert office.last_entry().action == "member.left"


def test_whatever_changes_who_is_in_asks_for_the_password_again(office: Office) -> None:
    owner, agent = office.owner(), office.hire(Role.AGENT)
    office.later(FRESH_FOR.total_seconds() + 1)
    office.refused(ConfirmRequired, owner.browser, change_role, agent.member_id, role=Role.VIEWER)
    for command in (suspend, reinstate, remove):
        office.refused(ConfirmRequired, owner.browser, command, agent.member_id)
    office.refused(ConfirmRequired, agent.browser, leave)
    office.do(office.place.acting(Role.OWNER), change_role, agent.member_id, role=Role.VIEWER)


# The list


def test_the_list_carries_what_its_reader_may_do(office: Office) -> None:
    manager, owner, agent = office.hire(Role.MANAGER), office.owner(), office.hire(Role.AGENT)
    rows = {row.id: row for row in office.ask(manager.browser, list_members, MemberFilter()).items}
    mine, theirs, above = rows[manager.member_id], rows[agent.member_id], rows[owner.member_id]
    assert theirs.roles == (Role.MANAGER, Role.VIEWER, Role.SUPPORT)
    assert theirs.may(Act.REMOVE)
    assert theirs.may(Act.SUSPEND)
    assert not theirs.may(Act.REINSTATE)
    assert (above.roles, mine.roles) == ((), ())
    assert "below your own role" in above.refused[Act.REMOVE]
    assert (mine.is_self, theirs.is_self) == (True, False)


@pytest.mark.parametrize("role", list(Role))
def test_what_the_list_says_is_what_the_command_does(office: Office, role: Role) -> None:
    reader, owner = office.hire(role), office.owner()
    targets = [office.hire(each).member_id for each in Role] + [owner.member_id, reader.member_id]
    commands: dict[Act, Callable[..., Any]] = {Act.SUSPEND: suspend, Act.REMOVE: remove}
    for target in targets:
        for act, command in commands.items():
            row = office.ask(reader.browser, member_row, target)
            try:
                with office.runtime.unit(reader.browser, write=True) as unit:
                    command(unit, target)
                    unit.session.rollback()
                refused = None
            except DomainError as error:
                refused = error.sentence
            assert row.refused.get(act) == refused


def test_the_list_is_narrowed_and_turned_by_pages(office: Office) -> None:
    owner = office.owner()
    hired = [office.hire(Role.AGENT, name=f"Person{number}") for number in range(5)]
    office.change(Member, hired[0].member_id, status=MemberStatus.SUSPENDED)
    first = office.ask(owner.browser, list_members, MemberFilter(), limit=4)
    rest = office.ask(owner.browser, list_members, MemberFilter(), limit=4, cursor=first.next_cursor)
    ids = [row.id for row in first.items + rest.items]
    assert ids == sorted([owner.member_id, *(person.member_id for person in hired)])
    assert rest.next_cursor is None

    def found(**wanted: Any) -> list[str]:
        return [row.email for row in office.ask(owner.browser, list_members, MemberFilter(**wanted)).items]

    assert found(standing=Standing.SUSPENDED) == ["person0@x.example"]
    assert found(role=Role.OWNER) == [owner.email]
    assert found(q="PERSON3") == ["person3@x.example"]
    assert found(q="%") == []
    assert office.ask(owner.browser, counts)[Standing.ACTIVE] == 5
    assert office.ask(owner.browser, counts)[Standing.SUSPENDED] == 1


def test_p5_the_list_holds_nobody_of_another_workspace(office: Office, other_office: Office) -> None:
    theirs = other_office.hire(Role.AGENT)
    rows = office.ask(office.owner().browser, list_members, MemberFilter()).items
    assert theirs.email not in {row.email for row in rows}
    with pytest.raises(NotFound):
        office.ask(office.owner().browser, member_row, theirs.member_id)


@pytest.mark.parametrize(
    "wanted",
    [
        MemberFilter(),
        MemberFilter(standing=Standing.EXPIRED),
        MemberFilter(role=Role.AGENT),
        MemberFilter(q="mara"),
    ],
)
def test_the_list_is_read_through_an_index(office: Office, runtime: Runtime, wanted: MemberFilter) -> None:
    with runtime.unit(office.place.owner) as unit:
        if not runtime.database.is_sqlite:
            pytest.skip("EXPLAIN QUERY PLAN is SQLite's; PostgreSQL chooses by statistics")
        sql = narrow(unit, wanted).compile(unit.session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in unit.session.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]
    assert all("USING INDEX" in step for step in plan), plan
