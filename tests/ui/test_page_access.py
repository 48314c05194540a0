"""Every page with everybody: what the table of permissions says, and nothing else (P2, P5, P6)."""

import re

import httpx
import pytest
from sqlmodel import select

from core import access
from data.enums import MemberStatus, Role
from data.people import BrowserSession, User
from tests.conftest import Place
from tests.console import COOKIE, Console
from tests.core.office import Office, Person
from ui.page import Page
from ui.pages import PAGES

OF_NOTHING = {"number": "0"}


@pytest.fixture
def office(console: Console, console_place: Place) -> Office:
    return Office(console.runtime, console_place, console.password_hash)


def address(page: Page) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: OF_NOTHING.get(found[1], "id_of_nothing"), page.path)


def opened(console: Console, email: str | None) -> dict[str, int]:
    """path → how it is answered, of every page that this deployment has."""
    cookies = {COOKIE: console.token_for(email)} if email else {}
    with httpx.Client(base_url=console.url, cookies=cookies, timeout=30) as client:
        return {page.path: client.get(address(page)).status_code for page in PAGES}


def expected(page: Page, permissions: frozenset[str]) -> set[int]:
    if page.demo_only:
        return {404}
    if page.permission not in permissions:
        return {403}
    return {404} if "{" in page.path else {200}


@pytest.mark.parametrize("role", list(Role))
def test_each_role_opens_what_the_table_says(console: Console, office: Office, role: Role) -> None:
    answers = opened(console, office.hire(role).email)
    for page in PAGES:
        assert answers[page.path] in expected(page, access.granted(role)), (role, page.path)


@pytest.mark.parametrize("flag", ["is_platform_admin", "is_platform_support"])
def test_p8_a_person_of_the_platform_opens_its_pages_too(console: Console, office: Office, flag: str) -> None:
    agent = office.hire(Role.AGENT)
    office.change(User, agent.id, **{flag: True})
    platform = set(access.PLATFORM) if flag == "is_platform_admin" else {access.PLATFORM_SUPPORT}
    answers = opened(console, agent.email)
    for page in PAGES:
        assert answers[page.path] in expected(page, access.granted(Role.AGENT) | platform), page.path


def test_nobody_opens_anything_without_signing_in(console: Console) -> None:
    assert set(opened(console, None).values()) == {303}


@pytest.mark.parametrize("status", [MemberStatus.SUSPENDED, MemberStatus.REMOVED])
def test_p6_whoever_is_out_opens_nothing(console: Console, office: Office, status: MemberStatus) -> None:
    owner = office.hire(Role.OWNER)
    token = console.token_for(owner.email)
    member = office.member(owner.member_id)
    office.change(type(member), member.id, status=status)
    with httpx.Client(base_url=console.url, cookies={COOKIE: token}, timeout=30) as client:
        assert {client.get(address(page)).status_code for page in PAGES} == {303}


@pytest.fixture
def helper(console: Console) -> Person:
    """Platform support, a member of another workspace."""
    elsewhere = Office(console.runtime, console.new_place(), console.password_hash)
    found = elsewhere.hire(Role.VIEWER)
    elsewhere.change(User, found.id, is_platform_support=True)
    return found


def test_p8_every_look_of_support_inside_a_workspace_is_audited(
    console: Console, office: Office, helper: Person
) -> None:
    token = console.token_for(helper.email)
    with console.runtime.unit(office.place.owner, write=True) as unit:
        mine = select(BrowserSession).where(BrowserSession.user_id == helper.id)
        for browser in unit.session.exec(mine):
            browser.support_workspace_id = office.place.workspace.id
            browser.support_reason = "Ticket"
    with httpx.Client(base_url=console.url, cookies={COOKIE: token}, timeout=30) as client:
        assert client.get("/messages").status_code == 200
        assert client.get("/send").status_code == 403
    looks = [entry.target for entry in office.entries() if entry.action == "support.looked"]
    assert looks == ["page:/messages", "page:/send"]
