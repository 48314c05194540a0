"""Where one works and as what: the switcher, viewing as a lesser role, and support from the platform."""

import re

import pytest
from playwright.sync_api import Page, expect

from core.audit_log.queries import AuditFilter, list_entries
from data.enums import Role
from tests.conftest import Place
from tests.console import Console
from tests.pages.conftest import PHONE, WIDE, OpenAs, axe_finds, ready
from tests.pages.people import join, make_platform_admin


def go(page: Page, address: str = "/") -> Page:
    page.goto(address)
    ready(page)
    return page


def actions(console: Console, place: Place) -> list[str]:
    with console.runtime.unit(place.owner) as unit:
        found = [row.action for row in list_entries(unit, AuditFilter()).items]
    # A page that is left may still say something after its person became another: that is refused.
    return [action for action in found if action != "socket.refused"]


def view_as(page: Page, role: str) -> None:
    page.get_by_role("button", name="your account").click()
    page.locator(".viewas summary").click()
    page.get_by_role("button", name=role, exact=True).click()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_one_switches_between_ones_workspaces(
    open_as: OpenAs, console: Console, place: Place, size: tuple[int, int]
) -> None:
    second = console.new_place()
    join(console, console.owner_email(place), second, Role.VIEWER)
    page = go(open_as(size=size))
    if size == WIDE:
        page.get_by_role("button", name=place.workspace.name).click()
    else:
        page.get_by_role("button", name="your account").click()
        page.get_by_role("button", name="Switch workspace").click()
    assert axe_finds(page) == []
    page.get_by_role("button", name=f"{second.workspace.name} Viewer").click()
    expect(page.locator("#person .who")).to_contain_text(f"Viewer · {second.workspace.name}")
    expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
    assert actions(console, second)[0] == "workspace.switched"


def test_with_one_workspace_there_is_nothing_to_switch_to(signed_in: Page, place: Place) -> None:
    page = go(signed_in)
    expect(page.get_by_role("button", name=place.workspace.name)).to_have_count(0)


def test_view_as_restricts_changes_nothing_and_says_so(
    signed_in: Page, console: Console, place: Place
) -> None:
    page = go(signed_in)
    view_as(page, "Agent")
    expect(page.get_by_text("You see what an agent sees.")).to_be_visible()
    expect(page.get_by_role("link", name="Audit log")).to_have_count(0)
    assert axe_finds(page) == []
    go(page, "/audit")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not for your role")
    go(page, "/account")
    page.get_by_role("button", name="Leave the workspace").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave", exact=True).click()
    expect(page.get_by_role("alert").get_by_text("You see the console as agent does")).to_be_visible()
    page.get_by_role("button", name="Back to your own view").click()
    expect(page.get_by_role("link", name="Audit log")).to_be_visible()
    assert actions(console, place)[:3] == ["view_as.ended", "refused", "view_as.began"]


def test_a_viewer_has_nobody_to_view_as(open_as: OpenAs) -> None:
    page = go(open_as(Role.VIEWER))
    page.get_by_role("button", name="your account").click()
    expect(page.get_by_role("link", name="Your account")).to_be_visible()
    expect(page.locator(".viewas")).to_have_count(0)


def test_a_form_of_another_site_changes_nothing(signed_in: Page, console: Console, place: Place) -> None:
    page = go(signed_in)
    answer = page.request.post(
        "/auth/view-as", form={"role": "viewer"}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status == 403
    assert "view_as.began" not in actions(console, place)


def test_p5_one_does_not_switch_to_a_workspace_of_others(
    signed_in: Page, console: Console, place: Place
) -> None:
    page = go(signed_in)
    for workspace_id in (console.new_place().workspace.id, "ws_none", ""):
        answer = page.request.post("/auth/switch", form={"workspace": workspace_id})
        assert answer.status == 404
        assert "There is no such workspace of yours." in answer.text()
    go(page)
    expect(page.locator("#person .who")).to_contain_text(place.workspace.name)


def test_view_as_never_extends(open_as: OpenAs) -> None:
    page = go(open_as(Role.AGENT))
    for role in ("owner", "manager", "agent", "support"):
        assert page.request.post("/auth/view-as", form={"role": role}).status == 403
    go(page)
    expect(page.locator(".placebar")).to_have_count(0)


@pytest.mark.parametrize("path", ["/auth/switch", "/auth/view-as", "/auth/leave-support"])
def test_without_a_session_one_is_sent_to_sign_in(open_as: OpenAs, path: str) -> None:
    page = open_as()
    page.context.clear_cookies()
    answer = page.request.post(path, max_redirects=0)
    assert (answer.status, answer.headers["location"]) == (303, "/login")


def test_p8_the_platform_enters_with_a_reason_masked_and_every_look_is_written(
    signed_in: Page, console: Console, place: Place
) -> None:
    second = console.new_place()
    make_platform_admin(console, console.owner_email(place))
    page = go(signed_in, f"/workspaces?q={second.workspace.name}")
    row = page.get_by_role("table", name="Workspaces").locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("All is well")
    assert axe_finds(page) == []
    row.get_by_role("button").click()
    page.get_by_role("button", name="Enter as support").click()
    asked = page.get_by_role("dialog")
    expect(asked.get_by_role("button", name="Enter")).to_be_disabled()
    asked.get_by_label("Reason").fill("Ticket 4711")
    asked.get_by_role("button", name="Enter").click()
    expect(page.get_by_text(f"You look into {second.workspace.name} for the platform.")).to_be_visible()
    ready(page)
    go(page, "/messages")
    assert axe_finds(page) == []
    page.get_by_role("button", name="Leave").click()
    expect(page).to_have_url(re.compile("/workspaces$"))
    expect(page.get_by_text("for the platform.")).to_have_count(0)
    written = actions(console, second)
    assert written[0] == "support.left"
    assert "support.looked" in written
    assert "support.entered" in written


def test_p8_others_find_no_page_of_workspaces(signed_in: Page) -> None:
    page = go(signed_in)
    expect(page.get_by_role("link", name="Workspaces")).to_have_count(0)
    go(page, "/workspaces")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not for your role")
