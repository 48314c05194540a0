"""The team: who is in it, invitations, roles, and what one may not do."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from core.team import invitations
from core.team.owners import COMMAND
from data.enums import MemberStatus, Role
from data.people import Member
from tests.conftest import PASSWORD, Place
from tests.console import Console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, choose, ready
from tests.pages.people import CORPUS, add, forget_proof, member


def go(page: Page, address: str = "/team") -> Page:
    page.goto(address)
    ready(page)
    return page


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Team").locator("tbody tr")


def row(page: Page, name: str) -> Locator:
    return rows(page).filter(has_text=name)


def drawer(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Member")


def open_row(page: Page, name: str) -> Locator:
    row(page, name).get_by_role("button").click()
    expect(drawer(page).get_by_role("heading", name=name)).to_be_visible()
    return drawer(page)


def choose_role(page: Page, role: str) -> None:
    choose(drawer(page), "Role", role)


def invite(console: Console, place: Place, email: str, role: Role = Role.AGENT) -> str:
    with console.runtime.unit(place.owner, write=True) as unit:
        return invitations.invite(unit, email=email, role=role).id


def test_a_row_says_who_as_what_and_how_they_stand(signed_in: Page, console: Console, place: Place) -> None:
    add(console, place, Role.MANAGER, "Mara Vogel")
    invite(console, place, "nils@example.com")
    page = go(signed_in)
    expect(rows(page)).to_have_count(3)
    expect(row(page, "owner (you)")).to_contain_text(re.compile(r"Owner.*Active.*Off.*(now|ago)"))
    expect(row(page, "Mara Vogel")).to_contain_text(re.compile(r"@northwind.example.*Manager.*Active"))
    expect(row(page, "nils@example.com")).to_contain_text(re.compile(r"Agent.*Invited.*ends in 6 d"))
    expect(page.get_by_role("button", name="Invited 1")).to_be_visible()
    assert axe_finds(page) == []


def test_filters_stand_in_the_address(signed_in: Page, console: Console, place: Place) -> None:
    add(console, place, Role.MANAGER, "Mara Vogel")
    add(console, place, Role.AGENT, "Jonas Brandt")
    invite(console, place, "nils@example.com")
    page = go(signed_in)
    page.get_by_role("button", name="Invited").click()
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/team\?status=invited$"))
    page.get_by_role("button", name="All").click()
    page.get_by_label("Search people").fill("jonas")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/team\?q=jonas$"))
    go(page, "/team?role=manager")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("Mara Vogel")
    go(page, "/team?q=nobody")
    expect(page.get_by_text("Nobody matches")).to_be_visible()


def test_p4_an_expired_invitation_stays_listed_and_is_resent(
    signed_in: Page, console: Console, place: Place
) -> None:
    member_id = invite(console, place, "nils@example.com")
    with console.runtime.unit(COMMAND, write=True) as unit:
        place_of = unit.session.get_one(Member, member_id)
        place_of.invited_until = place_of.invited_at
        unit.session.add(place_of)
    page = go(signed_in)
    expect(row(page, "nils@example.com")).to_contain_text("Expired")
    open_row(page, "nils").get_by_role("button", name="Resend").click()
    expect(page.get_by_text("A new invitation is on its way to nils")).to_be_visible()
    expect(row(page, "nils@example.com")).to_contain_text("Invited")
    drawer(page).get_by_role("button", name="Revoke invitation").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke invitation").click()
    expect(row(page, "nils@example.com")).to_contain_text("Removed")


def test_p4_nothing_is_sent_while_a_line_is_wrong(signed_in: Page, console: Console, place: Place) -> None:
    add(console, place, Role.AGENT, "Jonas Brandt")
    page = go(signed_in)
    page.get_by_role("button", name="Invite people").click()
    form = page.get_by_role("dialog", name="Invite people")
    addresses = form.get_by_label("E-mail addresses")
    addresses.fill("a@example.com; Bea <b@example.com>\nnonsense, A@example.com")
    lines = form.get_by_role("list", name="What will happen").get_by_role("listitem")
    expect(lines).to_have_count(4)
    expect(lines.nth(0)).to_contain_text("Will be invited")
    expect(lines.nth(1)).to_contain_text("b@example.com")
    expect(lines.nth(2)).to_contain_text("is not an e-mail address")
    expect(lines.nth(3)).to_contain_text("twice")
    expect(form.get_by_text("2 lines to mend or to take out first")).to_be_visible()
    expect(form.get_by_role("button", name="Invite 4 people")).to_be_disabled()
    assert axe_finds(page) == []
    addresses.fill("a@example.com b@example.com")
    form.get_by_role("button", name="Invite 2 people").click()
    expect(page.get_by_text("2 invitations on the way")).to_be_visible()
    expect(form).to_be_hidden()
    expect(rows(page).filter(has_text="Invited")).to_have_count(2)


def test_a_role_changes_after_one_has_seen_what_is_gained_and_lost(
    signed_in: Page, console: Console, place: Place
) -> None:
    mara = add(console, place, Role.MANAGER, "Mara Vogel")
    page = go(signed_in)
    open_row(page, "Mara Vogel")
    choose_role(page, "Viewer")
    asked = page.get_by_role("dialog", name="Make Mara Vogel a viewer?")
    expect(asked.get_by_text("Gains nothing")).to_be_visible()
    expect(asked.get_by_role("group", name="Loses").get_by_text("Invite people")).to_be_visible()
    assert axe_finds(page) == []
    asked.get_by_role("button", name="Cancel").click()
    expect(drawer(page).get_by_role("combobox", name="Role")).to_have_value("Manager")
    assert member(console, mara).role is Role.MANAGER
    choose_role(page, "Viewer")
    asked.get_by_role("button", name="Make a viewer").click()
    expect(row(page, "Mara Vogel")).to_contain_text("Viewer")
    assert member(console, mara).role is Role.VIEWER


def test_what_is_dangerous_asks_for_the_password_again(
    signed_in: Page, console: Console, place: Place
) -> None:
    mara = add(console, place, Role.AGENT, "Mara Vogel")
    page = go(signed_in)
    forget_proof(console, place)
    open_row(page, "Mara Vogel").get_by_role("button", name="Remove").click()
    page.get_by_role("dialog", name="Remove Mara Vogel?").get_by_role("button", name="Remove").click()
    asked = page.get_by_role("dialog", name="Is it you?")
    expect(asked).to_be_visible()
    assert axe_finds(page) == []
    asked.get_by_label("Password or code").fill("wrong")
    page.keyboard.press("Enter")
    expect(asked.get_by_text("That is not right.")).to_be_visible()
    assert member(console, mara).status is MemberStatus.ACTIVE
    asked.get_by_label("Password or code").fill(PASSWORD)
    asked.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("Mara Vogel is no longer in the team")).to_be_visible()
    assert member(console, mara).status is MemberStatus.REMOVED


def test_whoever_thinks_better_of_it_changes_nothing(signed_in: Page, console: Console, place: Place) -> None:
    mara = add(console, place, Role.AGENT, "Mara Vogel")
    page = go(signed_in)
    forget_proof(console, place)
    open_row(page, "Mara Vogel").get_by_role("button", name="Remove").click()
    page.get_by_role("dialog", name="Remove Mara Vogel?").get_by_role("button", name="Remove").click()
    page.get_by_role("dialog", name="Is it you?").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert member(console, mara).status is MemberStatus.ACTIVE


def test_suspended_and_reinstated(signed_in: Page, console: Console, place: Place) -> None:
    mara = add(console, place, Role.AGENT, "Mara Vogel")
    page = go(signed_in)
    forget_proof(console, place)
    open_row(page, "Mara Vogel").get_by_role("button", name="Suspend").click()
    page.get_by_role("dialog").get_by_role("button", name="Suspend").click()
    page.get_by_role("dialog", name="Is it you?").get_by_label("Password or code").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(row(page, "Mara Vogel")).to_contain_text("Suspended")
    drawer(page).get_by_role("button", name="Reinstate").click()
    expect(row(page, "Mara Vogel")).to_contain_text("Active")
    assert member(console, mara).status is MemberStatus.ACTIVE


def test_p3_the_last_owner_sees_why_they_cannot_step_down(signed_in: Page) -> None:
    page = go(signed_in)
    shown = open_row(page, "owner")
    expect(shown.get_by_text("This is the last owner.").first).to_be_visible()
    expect(shown.get_by_role("combobox", name="Role")).to_have_count(0)
    expect(shown.get_by_role("button", name="Remove")).to_be_disabled()
    assert axe_finds(page) == []


def test_p3_a_manager_sees_why_an_owner_is_out_of_reach(open_as: OpenAs) -> None:
    page = go(open_as(Role.MANAGER))
    shown = open_row(page, "owner")
    expect(shown.get_by_role("combobox", name="Role")).to_have_count(0)
    expect(shown.get_by_role("button", name="Suspend")).to_be_disabled()
    expect(shown.get_by_text("You act on people below your own role only").first).to_be_visible()


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER, Role.SUPPORT])
def test_others_read_the_team_and_see_who_can_change_it(
    open_as: OpenAs, console: Console, place: Place, role: Role
) -> None:
    add(console, place, Role.AGENT, "Jonas Brandt")
    page = go(open_as(role))
    expect(page.get_by_role("button", name="Invite people")).to_have_count(0)
    expect(page.get_by_text("Only owners and managers can invite people.")).to_be_visible()
    shown = open_row(page, "Jonas Brandt")
    expect(shown.get_by_text("Only owners and managers can").first).to_be_visible()
    expect(shown.get_by_role("button", name="Remove")).to_be_disabled()


def test_a_name_is_text_wherever_it_stands(signed_in: Page, console: Console, place: Place) -> None:
    ids = [add(console, place, Role.AGENT, name) for name in CORPUS]
    page = go(signed_in)
    for name in CORPUS:
        expect(rows(page).get_by_text(name, exact=True)).to_be_visible()
    for member_id, name in zip(ids, CORPUS, strict=True):
        go(page, f"/team?member={member_id}")
        expect(drawer(page).get_by_role("heading", name=name, exact=True)).to_be_visible()
    drawer(page).get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("dialog").get_by_text(f"Suspend {CORPUS[-1]}?")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    go(page, f"/permissions?member={ids[0]}")
    expect(page.get_by_text(f"{CORPUS[0]} is an agent")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_the_drawer_has_an_address_keys_and_gives_the_focus_back(
    signed_in: Page, console: Console, place: Place
) -> None:
    add(console, place, Role.AGENT, "Mara Vogel")
    page = go(signed_in)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(drawer(page).get_by_role("heading", name="Mara Vogel")).to_be_visible()
    expect(page).to_have_url(re.compile(r"member=mem_\w+$"))
    go(page, page.url)
    expect(drawer(page).get_by_role("heading", name="Mara Vogel")).to_be_visible()
    assert axe_finds(page) == []
    page.keyboard.press("Escape")
    expect(drawer(page)).to_be_hidden()
    expect(page.get_by_role("button", name="Mara Vogel")).to_be_focused()


def test_p5_another_workspaces_member_is_not_there(signed_in: Page, console: Console) -> None:
    other = add(console, console.new_place(), Role.AGENT, "Somebody Else")
    page = go(signed_in, f"/team?member={other}")
    expect(page.get_by_text("There is no such member in this workspace.")).to_be_visible()
    expect(page.get_by_text("Somebody Else")).to_have_count(0)


def test_on_a_phone_nothing_is_wider_than_the_screen(open_as: OpenAs, console: Console, place: Place) -> None:
    add(console, place, Role.AGENT, "Wolfeschlegelsteinhausenbergerdorff" * 3)
    page = go(open_as(size=PHONE))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert axe_finds(page) == []
