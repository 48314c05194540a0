import pytest

from core.errors import Forbidden, Impossible, NotFound, NotSignedIn
from core.team.agents import device_of
from core.team.members import change_role
from core.team.queries import MemberFilter, list_members
from core.team.rules import Act
from core.team.sessions import (
    end_other_sessions,
    end_session,
    own_places,
    own_sessions,
    switch_workspace,
    view_as,
    view_as_self,
)
from data.enums import MemberStatus, Role
from data.people import BrowserSession, Member, Workspace
from tests.core.office import Office

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1"


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (CHROME, "Chrome on Linux"),
        (IPHONE, "Safari on iPhone"),
        (f"{CHROME} Edg/126.0", "Edge on Linux"),
        ("curl/8.0", "A browser"),
        ("", "A browser"),
        ("<script>", "A browser"),
    ],
)
def test_a_browser_is_called_what_its_person_calls_it(agent: str, device: str) -> None:
    assert device_of(agent) == device


def test_ones_own_live_sessions_are_listed_and_nobody_elses(office: Office) -> None:
    agent, other = office.hire(Role.AGENT), office.hire(Role.AGENT)
    second = office.browser(agent.id, agent=IPHONE, address="192.0.2.9")
    office.browser(agent.id, ended_at=office.now)
    office.browser(agent.id, is_pending=True)
    rows = office.ask(agent.browser, own_sessions)
    assert {(row.device, row.is_this_one) for row in rows} == {
        ("Firefox on Linux", True),
        ("Safari on iPhone", False),
    }
    assert len(office.ask(other.browser, own_sessions)) == 1
    office.do(agent.browser, end_session, second.session_hash)
    assert not office.is_in(second)
    assert office.last_entry().action == "session.ended"
    office.refused(NotFound, other.browser, end_session, agent.browser.session_hash)
    assert office.is_in(agent.browser)


def test_every_other_browser_is_signed_out_at_a_word(office: Office) -> None:
    agent, other = office.hire(Role.AGENT), office.hire(Role.AGENT)
    browsers = [office.browser(agent.id) for _ in range(3)]
    assert office.do(agent.browser, end_other_sessions) == 3
    assert [office.is_in(browser) for browser in browsers] == [False] * 3
    assert office.is_in(agent.browser)
    assert office.is_in(other.browser)
    assert office.last_entry().after == {"sessions": 3}


def test_a_person_in_several_workspaces_switches_between_them(office: Office, other_office: Office) -> None:
    agent = office.hire(Role.AGENT)
    elsewhere = other_office.place.workspace.id
    office.refused(NotFound, agent.browser, switch_workspace, elsewhere)
    other_office.join(agent.id, Role.MANAGER, member_id="mem_elsewhere")
    places = office.ask(agent.browser, own_places)
    assert [(place.name, place.role, place.is_here) for place in places] == [
        ("Harbour", Role.MANAGER, False),
        ("Northwind", Role.AGENT, True),
    ]
    office.do(agent.browser, switch_workspace, elsewhere)
    with office.runtime.unit(agent.browser) as unit:
        assert (unit.actor.workspace_id, unit.actor.role) == (elsewhere, Role.MANAGER)
    assert office.last_entry().action == "workspace.switched"
    office.change(Member, "mem_elsewhere", status=MemberStatus.SUSPENDED)
    assert not office.is_in(agent.browser)


def test_switching_to_a_workspace_that_asks_for_a_second_factor_needs_one(
    office: Office, other_office: Office
) -> None:
    agent = office.hire(Role.AGENT)
    other_office.join(agent.id, Role.AGENT, member_id="mem_elsewhere")
    office.change(Workspace, other_office.place.workspace.id, require_second_factor=True)
    refused = office.refused(Impossible, agent.browser, switch_workspace, other_office.place.workspace.id)
    assert refused.code == "second_factor_missing"
    office.change(BrowserSession, agent.browser.session_hash, second_factor_at=office.now)
    office.do(agent.browser, switch_workspace, other_office.place.workspace.id)


def test_viewing_as_a_lesser_role_is_audited_and_changes_nothing_meanwhile(office: Office) -> None:
    owner, agent, other = office.owner(), office.hire(Role.AGENT), office.hire(Role.OWNER)
    office.do(owner.browser, view_as, Role.MANAGER)
    with office.runtime.unit(owner.browser) as unit:
        assert (unit.actor.role, unit.actor.view_as) == (Role.OWNER, Role.MANAGER)
        assert (unit.actor.acting_role, unit.actor.rank) == (Role.MANAGER, 3)
        assert not unit.actor.can("billing.manage")
        rows = {row.id: row for row in list_members(unit, MemberFilter()).items}
    assert rows[agent.member_id].roles == (Role.MANAGER, Role.VIEWER, Role.SUPPORT)
    assert "theirs is owner" in rows[other.member_id].refused[Act.SUSPEND]
    office.refused(Forbidden, owner.browser, change_role, agent.member_id, role=Role.VIEWER)
    office.do(owner.browser, view_as_self)
    office.do(owner.browser, change_role, agent.member_id, role=Role.VIEWER)
    actions = [entry.action for entry in office.entries()]
    assert [action for action in actions if action.startswith("view_as")] == [
        "view_as.began",
        "view_as.ended",
    ]


@pytest.mark.parametrize(
    ("role", "wanted"),
    [
        (Role.MANAGER, Role.OWNER),
        (Role.AGENT, Role.MANAGER),
        (Role.AGENT, Role.SUPPORT),
        (Role.VIEWER, Role.AGENT),
        (Role.OWNER, Role.OWNER),
    ],
)
def test_nobody_views_as_a_role_that_sees_more(office: Office, role: Role, wanted: Role) -> None:
    office.refused(Forbidden, office.hire(role).browser, view_as, wanted)


def test_keys_have_no_browser(office: Office) -> None:
    key = office.place.acting(Role.OWNER)
    office.refused(NotSignedIn, key, view_as, Role.AGENT)
    office.refused(NotSignedIn, key, switch_workspace, office.place.workspace.id)
