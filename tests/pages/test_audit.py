"""The audit log: filters in the address, what changed, whether it is whole, and taking it out."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from data.enums import Role
from tests.conftest import Place
from tests.console import Console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, choose, ready


def write(console: Console, place: Place, action: str, target: str = "thing:1", **more: Any) -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        unit.record(action, target, **more)


def go(page: Page, address: str = "/audit") -> Page:
    page.goto(address)
    ready(page)
    return page


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Audit log").locator("tbody tr")


def drawer(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Audit entry")


def test_a_row_says_what_to_what_by_whom_and_when(signed_in: Page, console: Console, place: Place) -> None:
    write(console, place, "thing.mended", "thing:7")
    page = go(signed_in)
    expect(rows(page).first).to_contain_text(re.compile(r"Thing mended.*7.*Thing.*Waypost \(test\).*ago"))
    expect(page.get_by_role("table").get_by_text("Sign in", exact=True)).to_be_visible()
    assert axe_finds(page) == []


def test_filters_stand_in_the_address_and_each_has_a_way_out(
    signed_in: Page, console: Console, place: Place
) -> None:
    write(console, place, "thing.mended", "thing:7")
    write(console, place, "thing.broken", "thing:8")
    page = go(signed_in)
    choose(page, "What happened", "Thing mended")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"action=thing\.mended$"))
    go(page, page.url)
    expect(rows(page)).to_have_count(1)
    page.get_by_label("Search by target").fill("thing:8")
    expect(page.get_by_text("No entry matches")).to_be_visible()
    assert axe_finds(page) == []
    page.get_by_role("button", name="Thing mended, remove filter").click()
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("Thing broken")
    page.get_by_role("button", name="Clear all").click()
    expect(page).to_have_url(re.compile(r"/audit$"))
    page.get_by_label("Until").fill("2020-01-01")
    expect(page.get_by_text("No entry matches")).to_be_visible()
    expect(page).to_have_url(re.compile(r"until=2020-01-01$"))


def test_an_entry_shows_before_and_after_as_a_difference(
    signed_in: Page, console: Console, place: Place
) -> None:
    before, after = {"role": "agent", "name": "<b>Ada</b>"}, {"role": "viewer", "name": "<b>Ada</b>"}
    write(console, place, "thing.changed", "thing:7", before=before, after=after)
    page = go(signed_in)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(drawer(page).locator("del")).to_have_text('role: "agent"')
    expect(drawer(page).locator("ins")).to_have_text('role: "viewer"')
    expect(drawer(page).get_by_text('name: "<b>Ada</b>"')).to_be_visible()
    expect(page).to_have_url(re.compile(r"entry=\d+$"))
    assert axe_finds(page) == []
    go(page, page.url)
    drawer(page).get_by_role("button", name="Only about this").click()
    expect(drawer(page)).to_be_hidden()
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("button", name="About thing:7, remove filter")).to_be_visible()


def test_an_entry_of_another_workspace_is_not_there(signed_in: Page, console: Console) -> None:
    page = go(signed_in, "/audit?entry=1")
    expect(page.get_by_text("There is no such audit entry in this workspace.")).to_be_visible()
    expect(rows(page)).not_to_have_count(0)


def test_new_entries_announce_themselves(signed_in: Page, console: Console, place: Place) -> None:
    page = go(signed_in)
    count = rows(page).count()
    write(console, place, "thing.mended")
    page.get_by_role("button", name="1 new").click()
    expect(rows(page)).to_have_count(count + 1)


def test_many_entries_are_read_page_by_page(signed_in: Page, console: Console, place: Place) -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        for number in range(60):
            unit.record("thing.counted", f"thing:{number}")
    page = go(signed_in, "/audit?action=thing.counted")
    expect(rows(page)).to_have_count(50)
    page.get_by_role("button", name="Next").click()
    expect(rows(page)).to_have_count(10)


def test_verify_says_whether_the_log_is_whole(signed_in: Page) -> None:
    page = go(signed_in)
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("status").get_by_text("The log is whole")).to_be_visible()
    assert axe_finds(page) == []


def test_an_owner_takes_out_what_the_filters_show(signed_in: Page, console: Console, place: Place) -> None:
    write(console, place, "thing.mended", "thing:7")
    page = go(signed_in, "/audit?action=thing.mended")
    page.get_by_role("button", name="Export").click()
    assert axe_finds(page) == []
    with page.expect_download() as taken:
        page.get_by_role("dialog").get_by_role("button", name="Export").click()
    assert taken.value.suggested_filename.endswith(".csv")
    header, line, _ = taken.value.path().read_text().split("\n")
    assert header.startswith("number,at,actor")
    assert "thing.mended,thing:7" in line


def test_a_manager_reads_and_finds_no_way_to_take_it_out(open_as: OpenAs) -> None:
    page = go(open_as(Role.MANAGER))
    expect(page.get_by_role("button", name="Verify")).to_be_visible()
    expect(page.get_by_role("button", name="Export")).to_have_count(0)


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER, Role.SUPPORT])
def test_others_are_told_whose_it_is(open_as: OpenAs, role: Role) -> None:
    page = go(open_as(role))
    expect(page.get_by_role("heading", level=1)).to_have_text("Not for your role")


def test_on_a_phone_nothing_is_wider_than_the_screen(open_as: OpenAs) -> None:
    page = go(open_as(size=PHONE))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
