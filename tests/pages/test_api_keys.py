"""API keys: made, shown once, revoked."""

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from core.team.keys import create_api_key
from core.team.owners import COMMAND
from data.enums import Role
from tests.conftest import Place
from tests.console import Console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, choose, copied, ready
from tests.pages.people import CORPUS


def go(page: Page, address: str = "/api-keys") -> Page:
    page.goto(address)
    ready(page)
    return page


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="API keys").locator("tbody tr")


def make(page: Page, name: str, role: str = "Agent") -> str:
    page.get_by_role("button", name="Make a key").click()
    form = page.get_by_role("dialog", name="Make a key")
    form.get_by_label("Name").fill(name)
    choose(form, "Role", role)
    assert axe_finds(page) == []
    form.get_by_role("button", name="Make the key").click()
    shown = page.get_by_role("dialog", name="Keep this key now")
    key = shown.locator("pre").inner_text()
    assert axe_finds(page) == []
    assert copied(shown.get_by_role("button", name="Copy")) == key
    shown.get_by_role("button", name="I have kept it").click()
    expect(shown).to_be_hidden()
    return key


def test_p7_a_key_is_shown_once_works_and_stops_when_it_is_revoked(signed_in: Page, console: Console) -> None:
    page = go(signed_in)
    key = make(page, "Order service")
    call = {"Authorization": f"Bearer {key}"}
    assert httpx.get(f"{console.url}/api/v1/messages", headers=call).status_code == 200
    row = rows(page).filter(has_text="Order service")
    expect(row).to_contain_text("Agent")
    expect(row).to_contain_text("You")
    go(page)
    assert key not in page.content()
    row.get_by_role("button").click()
    page.get_by_role("complementary", name="API key").get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("Revoked")
    expect(page.get_by_role("complementary").get_by_role("button", name="Revoke")).to_have_count(0)
    assert httpx.get(f"{console.url}/api/v1/messages", headers=call).status_code == 401


def test_a_key_without_a_name_is_refused_in_words(signed_in: Page) -> None:
    page = go(signed_in)
    page.get_by_role("button", name="Make a key").click()
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("A key needs a name")).to_be_visible()
    expect(page.get_by_role("dialog", name="Make a key")).to_be_visible()


def test_p7_a_manager_sees_only_their_own_and_no_role_above_theirs(open_as: OpenAs) -> None:
    page = go(open_as(Role.MANAGER))
    expect(page.get_by_text("No keys yet")).to_be_visible()
    page.get_by_role("button", name="Make a key").click()
    page.get_by_role("dialog").get_by_role("combobox", name="Role").click()
    expect(page.get_by_role("option", name="Manager")).to_be_visible()
    expect(page.get_by_role("option", name="Owner")).to_have_count(0)


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER, Role.SUPPORT])
def test_others_are_told_whose_it_is(open_as: OpenAs, role: Role) -> None:
    page = go(open_as(role))
    expect(page.get_by_role("heading", level=1)).to_have_text("Not for your role")


def test_the_name_of_a_key_is_text(signed_in: Page, console: Console, place: Place) -> None:
    with console.runtime.unit(COMMAND, write=True) as unit:
        for name in CORPUS:
            create_api_key(unit, workspace=place.workspace, role=Role.VIEWER, name=name)
    page = go(signed_in)
    for name in CORPUS:
        expect(rows(page).get_by_text(name, exact=True)).to_be_visible()
    go(page, "/audit?action=api_key.created")
    for name in CORPUS:
        expect(page.get_by_role("table").get_by_text(name, exact=True).first).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_on_a_phone_nothing_is_wider_than_the_screen(open_as: OpenAs) -> None:
    page = go(open_as(size=PHONE))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
