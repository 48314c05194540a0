"""One's own account: password, second factor, sessions, leaving."""

import re

import pyotp
from playwright.sync_api import Page, expect

from core.team.sign_in import sign_in
from core.unit import ANONYMOUS
from data.enums import Role
from tests.conftest import PASSWORD, Place
from tests.console import Console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, ready

NEW = "quite another battery staple"


def go(page: Page, address: str = "/account") -> Page:
    page.goto(address)
    ready(page)
    return page


def test_the_password_changes_and_other_browsers_are_signed_out(
    open_as: OpenAs, console: Console, place: Place
) -> None:
    page = go(open_as())
    other = go(open_as())
    page.get_by_label("Present password").fill("not that one")
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("Your present password is not right.")).to_be_visible()
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_label("New password").fill("short")
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("A password needs at least 12 characters.")).to_be_visible()
    assert axe_finds(page) == []
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("The new password counts from now on")).to_be_visible()
    expect(other).to_have_url(re.compile("/login"))
    sign_in(console.runtime, ANONYMOUS, email=console.owner_email(place), password=NEW, agent="test")


def test_another_browser_of_ones_own_is_signed_out_from_here(open_as: OpenAs) -> None:
    page = go(open_as())
    other = go(open_as())
    devices = page.get_by_role("region", name="Where you are signed in").get_by_role("listitem")
    expect(devices).to_have_count(2)
    expect(devices.filter(has_text="This browser")).to_have_count(1)
    page.get_by_role("button", name="Sign out", exact=True).and_(page.locator(".devices button")).click()
    expect(devices).to_have_count(1)
    expect(other).to_have_url(re.compile("/login"))
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def test_a_second_factor_is_set_up_with_a_code_and_gives_ten_recovery_codes(signed_in: Page) -> None:
    page = go(signed_in)
    page.get_by_role("button", name="Set it up").click()
    asked = page.get_by_role("dialog", name="Set up the second factor")
    expect(asked.get_by_role("img", name="QR code for the authenticator")).to_be_visible()
    assert axe_finds(page) == []
    secret = asked.locator("pre").inner_text()
    asked.get_by_label("Code", exact=True).fill("000000")
    asked.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_text("That code is not right.")).to_be_visible()
    asked.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    asked.get_by_role("button", name="Switch it on").click()
    codes = page.get_by_role("dialog", name="Keep these recovery codes now")
    expect(codes).to_be_visible()
    assert len(codes.locator("pre").inner_text().split()) == 10
    assert axe_finds(page) == []
    codes.get_by_role("button", name="I have kept them").click()
    factor = page.get_by_role("region", name="Second factor")
    expect(factor.get_by_text("10 recovery codes left")).to_be_visible()
    page.get_by_role("button", name="Take it away").click()
    page.get_by_role("dialog").get_by_role("button", name="Take it away").click()
    expect(factor.get_by_role("button", name="Set it up")).to_be_visible()


def test_whoever_leaves_is_signed_out_and_no_longer_in_the_team(
    open_as: OpenAs, console: Console, place: Place
) -> None:
    page = go(open_as(Role.AGENT))
    page.get_by_role("button", name="Leave the workspace").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave", exact=True).click()
    expect(page).to_have_url(re.compile("/login"))


def test_p3_the_last_owner_cannot_leave(signed_in: Page) -> None:
    page = go(signed_in)
    page.get_by_role("button", name="Leave the workspace").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave", exact=True).click()
    expect(page.get_by_text("This is the last owner.")).to_be_visible()


def test_on_a_phone_nothing_is_wider_than_the_screen(open_as: OpenAs) -> None:
    page = go(open_as(size=PHONE))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
