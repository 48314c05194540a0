"""The workspace's settings."""

from playwright.sync_api import Page, expect

from core.team.workspace import workspace_view
from data.enums import Role
from tests.conftest import Place
from tests.console import Console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, ready
from tests.pages.people import CORPUS


def go(page: Page, address: str = "/settings") -> Page:
    page.goto(address)
    ready(page)
    return page


def test_an_owner_changes_the_name_and_a_zone_counts_from_the_next_period(
    signed_in: Page, console: Console, place: Place
) -> None:
    page = go(signed_in)
    assert axe_finds(page) == []
    page.get_by_label("Name", exact=True).fill("Northwind Trading")
    zone = page.get_by_role("combobox", name="Time zone")
    zone.click()
    zone.fill("Berlin")
    page.get_by_role("option", name="Europe/Berlin").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    expect(page.get_by_text("Europe/Berlin, from 1")).to_be_visible()
    with console.runtime.unit(place.owner) as unit:
        view = workspace_view(unit)
    assert (view.name, view.timezone, view.pending_timezone) == ("Northwind Trading", "UTC", "Europe/Berlin")


def test_a_name_that_is_none_is_refused_in_words(signed_in: Page) -> None:
    page = go(signed_in)
    page.get_by_label("Name", exact=True).fill("   ")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("A workspace needs a name")).to_be_visible()


def test_whoever_has_no_second_factor_cannot_require_it_of_everybody(signed_in: Page) -> None:
    page = go(signed_in)
    page.get_by_role("button", name="Require it of everybody").click()
    page.get_by_role("dialog").get_by_role("button", name="Require it").click()
    expect(page.get_by_text("Set up your own second factor first")).to_be_visible()
    expect(page.get_by_text("By choice")).to_be_visible()


def test_others_read_the_settings_and_cannot_change_them(open_as: OpenAs) -> None:
    page = go(open_as(Role.MANAGER))
    expect(page.get_by_label("Name", exact=True)).to_be_disabled()
    expect(page.get_by_text("You see the settings and cannot change them")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    expect(page.get_by_role("button", name="Require it of everybody")).to_have_count(0)
    assert axe_finds(page) == []


def test_the_name_of_a_workspace_is_text_on_every_page(
    signed_in: Page, console: Console, place: Place
) -> None:
    page = go(signed_in)
    for name in CORPUS:
        go(page)
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved").first).to_be_visible()
        go(page, "/account")
        expect(page.get_by_role("heading", name=f"Leave {name}", exact=True)).to_be_visible()
        expect(
            page.get_by_role("navigation", name="Breadcrumb").get_by_text(name, exact=True)
        ).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_on_a_phone_nothing_is_wider_than_the_screen(open_as: OpenAs) -> None:
    page = go(open_as(size=PHONE))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
