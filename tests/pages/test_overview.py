"""The overview and the frame around it, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from core.alerts.commands import raise_alert, resolve_alert
from core.messaging import intake
from core.messaging.requests import SendRequest, template_payload
from core.phones.queries import choices
from core.team.owners import COMMAND
from data.enums import Role, Severity
from tests.conftest import PASSWORD, PHONE_ID, Place
from tests.console import Console
from tests.pages.conftest import PHONE, WIDE, OpenAs, axe_finds, ready


def queue_one(console: Console, place: Place, to: str = "+4915112345678") -> None:
    """A message that waits: no worker runs beside these tests."""
    with console.runtime.unit(place.owner, write=True) as unit:
        phone = choices(unit)[0].phone_number_id
        payload = template_payload(to, name="hello_world", language="en_US", components=[])
        intake.store(unit, SendRequest(payload=payload, phone_number_id=phone, queued=True))


def test_the_overview_says_that_all_is_well(signed_in: Page) -> None:
    signed_in.goto("/")
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("Overview")
    expect(signed_in.get_by_text("All is well.")).to_be_visible()
    expect(signed_in.get_by_text("No messages yet")).to_be_visible()


def test_the_overview_says_that_an_alert_is_open_as_soon_as_it_is(
    signed_in: Page, console: Console, place: Place
) -> None:
    signed_in.goto("/")
    ready(signed_in)
    about = {"kind": "lane_held", "subject": PHONE_ID, "title": "A number sends nothing", "detail": "Held"}
    with console.runtime.unit(COMMAND, write=True) as unit:
        raise_alert(unit, **about, severity=Severity.CRITICAL, workspace_id=place.workspace.id)
    expect(signed_in.get_by_text("1 alert to look at.")).to_be_visible()
    with console.runtime.unit(COMMAND, write=True) as unit:
        resolve_alert(unit, kind="lane_held", subject=PHONE_ID, workspace_id=place.workspace.id)
    expect(signed_in.get_by_text("All is well.")).to_be_visible()


def test_what_is_committed_elsewhere_appears_by_itself(
    signed_in: Page, console: Console, place: Place
) -> None:
    signed_in.goto("/")
    ready(signed_in)
    queue_one(console, place)
    expect(signed_in.get_by_role("button", name="+49 1511 2345678")).to_be_visible()
    expect(signed_in.get_by_role("link", name="Waiting")).to_contain_text("1")
    expect(signed_in.locator("[data-count=waiting]")).to_have_text("1")
    expect(signed_in.locator("[data-fresh]")).to_have_text(re.compile("Live|Updated"))


def test_a_page_says_when_its_updates_have_stopped(signed_in: Page) -> None:
    signed_in.goto("/")
    ready(signed_in)
    signed_in.evaluate("window.socket.disconnect()")
    expect(signed_in.locator("[data-fresh]")).to_have_text(
        re.compile("Updates stopped 1[0-9] s ago"), timeout=20_000
    )


def test_one_signs_in_and_out(open_as: OpenAs, console: Console, place: Place) -> None:
    page = open_as()
    page.context.clear_cookies()
    page.goto("/queue")
    expect(page).to_have_url(re.compile(r"/login\?next=/queue$"))
    page.get_by_label("E-mail").fill(console.owner_email(place))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/queue$"))
    second = page.context.new_page()
    second.goto("/")
    ready(second)
    page.get_by_role("button", name="your account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(r"/login$"))
    expect(second).to_have_url(re.compile(r"/login$"))


def test_a_role_finds_only_its_pages(open_as: OpenAs) -> None:
    page = open_as(Role.VIEWER)
    page.goto("/")
    navigation = page.get_by_role("navigation", name="Main")
    expect(navigation.get_by_role("link", name="Messages")).to_be_visible()
    expect(navigation.get_by_role("link", name="Dead letters")).to_have_count(0)
    page.goto("/dead-letters")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not for your role")
    expect(page.get_by_text("It is called dead_letters.view.")).to_be_visible()
    expect(page.get_by_text("can make a viewer a manager")).to_be_visible()
    assert axe_finds(page) == []


def test_the_palette_leads_to_pages_by_keyboard_alone(signed_in: Page) -> None:
    signed_in.goto("/")
    ready(signed_in)
    signed_in.keyboard.press("Control+k")
    field = signed_in.get_by_role("combobox", name="Search pages and commands")
    expect(field).to_be_focused()
    field.fill("mess")
    expect(signed_in.get_by_role("option", selected=True)).to_have_text("Go to Messages")
    assert axe_finds(signed_in) == []
    signed_in.keyboard.press("Enter")
    expect(signed_in).to_have_url(re.compile("/messages$"))


def test_the_theme_is_kept_and_shown_before_anything_is_drawn(signed_in: Page) -> None:
    signed_in.goto("/")
    ready(signed_in)
    dark = signed_in.locator("html.dark")
    expect(dark).to_have_count(0)
    signed_in.get_by_role("button", name="Dark mode").click()
    expect(dark).to_have_count(1)
    signed_in.reload(wait_until="commit")
    expect(dark).to_have_count(1)
    expect(signed_in.get_by_role("button", name="Dark mode")).to_have_attribute("aria-pressed", "true")


def test_what_arrives_leaves_the_theme_as_it_was_chosen(
    signed_in: Page, console: Console, place: Place
) -> None:
    signed_in.goto("/")
    ready(signed_in)
    signed_in.get_by_role("button", name="Dark mode").click()
    queue_one(console, place)
    expect(signed_in.get_by_role("button", name="+49 1511 2345678")).to_be_visible()
    expect(signed_in.locator("html.dark body.body--dark")).to_have_count(1)


def test_the_theme_follows_the_system_until_one_is_chosen(signed_in: Page) -> None:
    signed_in.emulate_media(color_scheme="dark")
    signed_in.goto("/")
    ready(signed_in)
    expect(signed_in.locator("html.dark body.body--dark")).to_have_count(1)
    signed_in.emulate_media(color_scheme="light")
    expect(signed_in.locator("html:not(.dark) body.body--light")).to_have_count(1)
    signed_in.get_by_role("button", name="Dark mode").click()
    signed_in.emulate_media(color_scheme="dark")
    signed_in.emulate_media(color_scheme="light")
    expect(signed_in.locator("html.dark body.body--dark")).to_have_count(1)


def test_on_a_phone_the_navigation_is_a_drawer(open_as: OpenAs) -> None:
    page = open_as(size=PHONE)
    page.goto("/")
    ready(page)
    link = page.get_by_role("link", name="Messages", exact=True)
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Open navigation").click()
    expect(link).to_be_visible()
    assert axe_finds(page) == []
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(page.get_by_role("button", name="Open navigation")).to_be_focused()


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(
    open_as: OpenAs, console: Console, place: Place, size: tuple[int, int], dark: bool
) -> None:
    queue_one(console, place)
    page = open_as(size=size, dark=dark)
    page.goto("/")
    ready(page)
    assert axe_finds(page) == []
    page.goto("/no-such-page")
    assert axe_finds(page) == []
