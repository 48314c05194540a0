"""The matrix of roles and permissions, and why."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from core.access import PERMISSIONS
from data.enums import Role
from tests.pages.conftest import PHONE, OpenAs, axe_finds, ready


def go(page: Page, address: str = "/permissions") -> Page:
    page.goto(address)
    ready(page)
    return page


def cell(page: Page, title: str, role: str) -> Locator:
    return page.get_by_role("button", name=re.compile(rf": {title}, {role}$"))


def drawer(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Why")


def test_the_matrix_is_the_table_itself(signed_in: Page) -> None:
    page = go(signed_in)
    shown = {
        each.get_attribute("aria-label"): (each.locator("use").get_attribute("href") or "").partition("#")[2]
        for each in page.locator(".may").all()
    }
    assert shown == {
        f"{'Allowed' if role in each.roles else 'Denied'}: {each.title}, {role.value.capitalize()}": (
            "check" if role in each.roles else "x"
        )
        for each in PERMISSIONS.values()
        for role in Role
    }


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT])
def test_everyone_may_read_it_and_finds_their_own_column(open_as: OpenAs, role: Role) -> None:
    page = go(open_as(role))
    expect(page.locator("thead .marked")).to_contain_text(re.compile(role.value, re.IGNORECASE))


def test_a_cell_says_why_and_who_could_grant_it(signed_in: Page) -> None:
    page = go(signed_in)
    cell(page, "Send messages", "Viewer").click()
    why = drawer(page)
    expect(why.get_by_text("Only owners, managers and agents can send messages.")).to_be_visible()
    expect(why.get_by_text("An owner or a manager can make a viewer an agent")).to_be_visible()
    expect(page).to_have_url(re.compile(r"why=messages\.send%3Aviewer$"))
    assert axe_finds(page) == []
    go(page, page.url)
    expect(why.get_by_role("heading", name="Send messages")).to_be_visible()
    page.keyboard.press("Escape")
    expect(why).to_be_hidden()
    expect(cell(page, "Send messages", "Viewer")).to_be_focused()


def test_an_address_that_names_no_cell_leaves_the_matrix(signed_in: Page) -> None:
    page = go(signed_in, "/permissions?why=no.such:viewer")
    expect(page.get_by_text("There is no such permission")).to_be_visible()
    expect(page.get_by_role("table", name="Permissions by role")).to_be_visible()


def test_search_stands_in_the_address(signed_in: Page) -> None:
    page = go(signed_in)
    page.get_by_label("Search permissions").fill("billing manage")
    expect(page.locator(".may")).to_have_count(5)
    expect(page).to_have_url(re.compile(r"q=billing\+manage$"))
    go(page, page.url)
    expect(page.locator(".may")).to_have_count(5)
    page.get_by_label("Search permissions").fill("nothing like this")
    expect(page.get_by_text("No permission matches")).to_be_visible()
    assert axe_finds(page) == []


def test_arrows_go_from_cell_to_cell_and_one_is_in_the_tab_order(signed_in: Page) -> None:
    page = go(signed_in)
    expect(page.locator(".may[tabindex='0']")).to_have_count(1)
    cell(page, "See the workspace", "Owner").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(cell(page, "See health and monitoring", "Manager")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(cell(page, "See health and monitoring", "Owner")).to_be_focused()
    page.keyboard.press("Enter")
    expect(drawer(page).get_by_role("heading", name="See health and monitoring")).to_be_visible()


@pytest.mark.parametrize("size", [(1440, 900), PHONE], ids=["wide", "phone"])
def test_names_stay_in_sight_while_one_scrolls(open_as: OpenAs, size: tuple[int, int]) -> None:
    page = go(open_as(size=size))
    last = cell(page, "Export the audit log", "Support")
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()
    expect(page.get_by_role("columnheader", name="Support")).to_be_in_viewport()
    expect(page.get_by_role("rowheader", name="Export the audit log")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
