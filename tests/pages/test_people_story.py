"""One person's whole way through a workspace: invited, mailed, in, raised, removed."""

import re

from playwright.sync_api import Page, expect

from core.access import granted
from core.mail.delivery import deliver_due
from core.mail.outbox import look
from core.team.names import hash_key
from core.unit import Identity
from data.enums import Role
from tests.conftest import Place
from tests.console import COOKIE, Console
from tests.pages.conftest import OpenAs, axe_finds, choose, ready

NAME = "Nils <b>Åkesson</b>"
PASSWORD = "nine purple lanterns"


def go(page: Page, address: str) -> Page:
    page.goto(address)
    ready(page)
    return page


def sign_in(page: Page, email: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def link_in_the_outbox(console: Console, place: Place, email: str) -> str:
    """The link of the newest mail to that address, once the mail is delivered."""
    assert deliver_due(console.runtime) > 0
    letters = look(console.runtime, place.owner)
    assert letters is not None
    letter = next(each for each in letters if each.to == email)
    found = re.search(r"https?://\S+/invite/\S+", letter.text)
    assert found is not None
    return found[0]


def test_invited_mailed_accepted_raised_and_removed(
    signed_in: Page, open_as: OpenAs, console: Console, place: Place
) -> None:
    owner = go(signed_in, "/team")
    owner.get_by_role("button", name="Invite people").click()
    owner.get_by_label("E-mail addresses").fill("nils@example.com")
    owner.get_by_role("button", name="Invite 1 person").click()
    row = owner.get_by_role("table", name="Team").locator("tbody tr", has_text="nils@example.com")
    expect(row).to_contain_text("Invited")

    nils = open_as(None)
    nils.goto(link_in_the_outbox(console, place, "nils@example.com"))
    assert axe_finds(nils) == []
    nils.get_by_label("Your name").fill(NAME)
    nils.get_by_label("Choose a password").fill(PASSWORD)
    nils.get_by_role("button", name="Join").click()
    ready(nils)
    nils.context.clear_cookies()
    nils.goto("/login")
    sign_in(nils, "nils@example.com")
    ready(nils)
    expect(nils.get_by_role("link", name="Send")).to_be_visible()
    expect(nils.get_by_role("link", name="Audit log")).to_have_count(0)
    expect(row).to_contain_text("Active")

    row.get_by_role("button").click()
    drawer = owner.get_by_role("complementary", name="Member")
    expect(drawer.get_by_role("heading", name=NAME, exact=True)).to_be_visible()
    choose(drawer, "Role", "Manager")
    owner.get_by_role("dialog").get_by_role("button", name="Make a manager").click()
    expect(row).to_contain_text("Manager")
    expect(nils.get_by_role("link", name="Audit log")).to_be_visible()

    go(nils, "/permissions")
    shown = {
        (cell.get_attribute("data-row") or "").partition(":")[0]
        for cell in nils.locator("td.marked .may.yes").all()
    }
    assert shown == granted(Role.MANAGER) == permissions_now(console, nils)

    go(owner, owner.url)
    drawer.get_by_role("button", name="Remove").click()
    owner.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_contain_text("Removed")
    expect(nils).to_have_url(re.compile("/login"))
    sign_in(nils, "nils@example.com")
    expect(nils.get_by_role("alert")).to_contain_text("not right")


def permissions_now(console: Console, page: Page) -> frozenset[str]:
    """What the database says that the person of this browser may do."""
    cookie = next(each["value"] for each in page.context.cookies() if each["name"] == COOKIE)
    with console.runtime.unit(Identity(session_hash=hash_key(cookie))) as unit:
        return unit.actor.permissions
