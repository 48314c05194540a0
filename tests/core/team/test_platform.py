import pytest

from core import access
from core.errors import Conflict, Forbidden, Impossible, NotFound
from core.team.members import leave
from core.team.owners import COMMAND
from core.team.platform import (
    enter_as_support,
    grant_platform,
    leave_support,
    record_look,
    revoke_platform,
)
from core.team.workspaces import list_workspaces
from data.abuse import AbuseFlag
from data.enums import Role
from data.people import BrowserSession, User, Workspace
from tests.core.office import Office, Person


@pytest.fixture
def helper(other_office: Office) -> Person:
    """Platform support, an agent somewhere else."""
    found = other_office.hire(Role.AGENT)
    other_office.do(COMMAND, grant_platform, email=found.email.upper(), support_only=True)
    return found


def test_p8_the_flags_are_set_by_command_only(office: Office) -> None:
    agent = office.hire(Role.AGENT)
    office.refused(Forbidden, office.owner().browser, grant_platform, email=agent.email, support_only=False)
    key = office.place.acting(Role.OWNER)
    office.refused(Forbidden, key, grant_platform, email=agent.email, support_only=True)
    office.refused(Impossible, COMMAND, grant_platform, email="nobody@x.example", support_only=True)
    office.do(COMMAND, grant_platform, email=agent.email, support_only=False)
    with office.runtime.unit(agent.browser) as unit:
        assert unit.actor.permissions == access.granted(Role.AGENT) | set(access.PLATFORM)
    entry = office.last_entry()
    assert (entry.action, entry.target, entry.after) == (
        "platform.granted",
        f"user:{agent.id}",
        {"flag": "platform.admin"},
    )


def test_p8_whoever_loses_the_flags_is_out_at_once(office: Office, helper: Person) -> None:
    office.do(helper.browser, enter_as_support, office.place.workspace.id, reason="Ticket")
    office.refused(Forbidden, office.owner().browser, revoke_platform, email=helper.email)
    assert office.is_in(helper.browser)
    office.do(COMMAND, revoke_platform, email=helper.email.upper())
    assert not office.is_in(helper.browser)
    entry = office.last_entry()
    assert (entry.action, entry.before) == ("platform.revoked", {"flags": ["platform.support"]})
    office.do(COMMAND, revoke_platform, email=helper.email)
    assert office.last_entry().number == entry.number
    office.refused(Impossible, COMMAND, revoke_platform, email="nobody@x.example")


def test_p8_support_enters_with_a_reason_sees_masked_and_leaves(office: Office, helper: Person) -> None:
    ours = office.place.workspace.id
    for reason in ("", "  ", "x" * 501):
        office.refused(Impossible, helper.browser, enter_as_support, ours, reason=reason)
    office.do(helper.browser, enter_as_support, ours, reason="Ticket 4711")
    entry = office.last_entry()
    assert (entry.workspace_id, entry.actor, entry.action, entry.after) == (
        ours,
        helper.id,
        "support.entered",
        {"reason": "Ticket 4711"},
    )
    office.refused(Conflict, helper.browser, enter_as_support, ours, reason="Again")
    office.refused(NotFound, helper.browser, leave)
    with office.runtime.unit(helper.browser) as unit:
        assert (unit.actor.workspace_id, unit.actor.is_support) == (ours, True)
        assert not unit.actor.can("contacts.reveal")
        assert not unit.actor.can("messages.send")
    office.do(helper.browser, record_look, "/messages/msg_1")
    assert (office.last_entry().action, office.last_entry().target) == (
        "support.looked",
        "page:/messages/msg_1",
    )
    assert office.last_entry().workspace_id == ours
    office.do(helper.browser, leave_support)
    assert office.last_entry().action == "support.left"
    with office.runtime.unit(helper.browser) as unit:
        assert (unit.actor.workspace_id != ours, unit.actor.role) == (True, Role.AGENT)
    before = len(office.entries())
    office.do(helper.browser, leave_support)
    office.do(helper.browser, record_look, "/messages")
    assert len(office.entries()) == before


def test_p8_whoever_loses_the_flag_is_out(office: Office, helper: Person) -> None:
    office.do(helper.browser, enter_as_support, office.place.workspace.id, reason="Ticket")
    office.change(User, helper.id, is_platform_support=False)
    assert not office.is_in(helper.browser)


def test_nobody_else_enters(office: Office, other_office: Office) -> None:
    stranger = other_office.hire(Role.OWNER)
    ours = office.place.workspace.id
    office.refused(Forbidden, stranger.browser, enter_as_support, ours, reason="Curious")
    office.refused(Forbidden, stranger.browser, list_workspaces)


def test_support_of_no_workspace_and_without_the_second_factor_it_asks_for(
    office: Office, helper: Person
) -> None:
    office.refused(NotFound, helper.browser, enter_as_support, "ws_none", reason="Ticket")
    ours = office.place.workspace.id
    office.change(Workspace, ours, require_second_factor=True)
    refused = office.refused(Impossible, helper.browser, enter_as_support, ours, reason="Ticket")
    assert refused.code == "second_factor_missing"
    office.change(BrowserSession, helper.browser.session_hash, second_factor_at=office.now)
    office.do(helper.browser, enter_as_support, ours, reason="Ticket")


def test_p8_the_list_of_workspaces_has_figures_and_no_numbers(office: Office, helper: Person) -> None:
    rows = office.ask(helper.browser, list_workspaces).items
    assert [row.name for row in rows] == ["Harbour", "Northwind"]
    assert (rows[1].members, rows[1].open_letters, rows[1].held, rows[1].waiting) == (1, 0, 0, 0)
    first = office.ask(helper.browser, list_workspaces, limit=1)
    rest = office.ask(helper.browser, list_workspaces, limit=1, cursor=first.next_cursor)
    assert [row.slug for row in first.items + rest.items] == ["harbour", "northwind"]


def test_p8_the_list_of_workspaces_says_which_are_flagged(office: Office, helper: Person) -> None:
    with office.runtime.unit(COMMAND, write=True) as unit:
        flag = AbuseFlag(
            id="flg_1", workspace_id=office.place.workspace.id, reasons=["3 of 5"], opened_at=unit.now
        )
        unit.session.add(flag)
    rows = office.ask(helper.browser, list_workspaces).items
    assert [(row.name, row.is_flagged, row.is_well) for row in rows] == [
        ("Harbour", False, True),
        ("Northwind", True, False),
    ]
    office.change(AbuseFlag, "flg_1", cleared_at=office.now)
    assert not any(row.is_flagged for row in office.ask(helper.browser, list_workspaces).items)
