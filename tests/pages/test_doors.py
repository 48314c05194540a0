"""The plain forms around signing in, in a browser: seen by axe, used by keyboard."""

import os
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Page, expect

from core.team import second_factor
from core.team.invitations import invite
from data.enums import Role
from data.people import Workspace
from tests.conftest import PASSWORD, Place
from tests.console import Console
from tests.core.office import Office
from tests.pages.conftest import PHONE, WIDE, OpenAs, axe_finds

LONG = "Northwind Trading and Shipping Company of the Far North, Incorporated and Limited"


@pytest.fixture
def office(console: Console, place: Place) -> Office:
    return Office(console.runtime, place, console.password_hash)


@pytest.fixture(params=[(WIDE, False), (PHONE, True)], ids=["wide", "phone-dark"])
def stranger(open_as: OpenAs, request: pytest.FixtureRequest) -> Page:
    """A page of somebody who is not signed in."""
    size, dark = request.param
    return open_as(None, size=size, dark=dark)


def look(page: Page, name: str) -> None:
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if folder := os.environ.get("WAYPOST_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}-{page.viewport_size['width']}.png"), full_page=True)


def test_from_the_invitation_into_the_console(stranger: Page, office: Office) -> None:
    office.change(Workspace, office.place.workspace.id, name=LONG)
    email = f"mara{office.place.workspace.slug}@lind.example"
    office.do(office.owner().browser, invite, email=email, role=Role.AGENT)
    stranger.goto(f"/invite/{office.link_secret(email)}")
    expect(stranger.get_by_role("heading", name=f"Join {LONG}")).to_be_visible()
    look(stranger, "invite")
    stranger.keyboard.type("Mara Lind")
    stranger.keyboard.press("Tab")
    stranger.keyboard.type("password1234")
    expect(stranger.get_by_text("Guessed at once")).to_be_visible()
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("alert")).to_contain_text("among the first that are tried")
    look(stranger, "invite-refused")
    stranger.get_by_label("Choose a password").fill("four unrelated words here")
    expect(stranger.get_by_text("Strong")).to_be_visible()
    stranger.keyboard.press("Enter")
    stranger.wait_for_url("**/")
    expect(stranger.get_by_role("heading", level=1)).to_have_count(1)


def test_a_second_factor_is_set_up_on_the_way_in(stranger: Page, office: Office) -> None:
    agent = office.hire(Role.AGENT)
    office.change(Workspace, office.place.workspace.id, require_second_factor=True)
    stranger.goto("/login")
    look(stranger, "login")
    stranger.get_by_label("E-mail").fill(agent.email)
    stranger.get_by_label("Password", exact=True).fill(PASSWORD)
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    look(stranger, "set-up")
    secret = stranger.locator(".intro").inner_text().split("type ")[1].split(" into")[0].replace(" ", "")
    stranger.get_by_label("Code").fill(pyotp.TOTP(secret).now())
    stranger.get_by_role("button", name="Go on").click()
    expect(stranger.get_by_role("listitem")).to_have_count(second_factor.RECOVERY_CODES)
    look(stranger, "codes")
    code = stranger.get_by_role("listitem").first.inner_text()
    stranger.get_by_role("link", name="I have kept them").click()
    stranger.wait_for_url("**/")
    stranger.context.clear_cookies()
    stranger.goto("/login")
    stranger.get_by_label("E-mail").fill(agent.email)
    stranger.get_by_label("Password", exact=True).fill(PASSWORD)
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("heading", name="One more step")).to_be_visible()
    look(stranger, "code")
    stranger.get_by_label("Code").fill(code)
    stranger.keyboard.press("Enter")
    stranger.wait_for_url("**/")


def test_a_forgotten_password_is_replaced(stranger: Page, office: Office) -> None:
    agent = office.hire(Role.AGENT)
    stranger.goto("/login")
    stranger.get_by_role("link", name="Forgotten your password?").click()
    look(stranger, "forgot")
    stranger.get_by_label("E-mail").fill(agent.email)
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("heading", name="Look into your mail")).to_be_visible()
    look(stranger, "sent")
    stranger.goto(f"/reset/{office.link_secret(agent.email, kind='reset')}")
    look(stranger, "reset")
    stranger.get_by_label("New password").fill("four unrelated words here")
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("heading", name="Your password is changed")).to_be_visible()
    stranger.goto("/reset/none")
    look(stranger, "gone")
