"""The alerts page and the bell, in a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from core.alerts.commands import raise_alert, resolve_alert
from core.lanes.commands import pause
from core.lanes.holding import active_holds, hold, release
from core.messaging import intake
from core.phones.queries import choices
from core.team.owners import COMMAND
from data.alerts import Alert
from data.enums import HoldCause, HoldScope, Role, Severity
from tests.conftest import PHONE_ID, Place
from tests.console import Console
from tests.core.desk import order
from tests.pages.conftest import PHONE, WIDE, OpenAs, axe_finds, ready


def raise_one(console: Console, place: Place, **said: Any) -> str:
    about: dict[str, Any] = {
        "kind": "lane_held",
        "subject": PHONE_ID,
        "severity": Severity.CRITICAL,
        "title": "A number sends nothing",
        "detail": "Payment is missing (131042).",
        "link": "/queue",
    }
    with console.runtime.unit(COMMAND, write=True) as unit:
        return raise_alert(unit, **about | said, workspace_id=place.workspace.id).id


def resolve(console: Console, place: Place) -> None:
    with console.runtime.unit(COMMAND, write=True) as unit:
        assert resolve_alert(unit, kind="lane_held", subject=PHONE_ID, workspace_id=place.workspace.id)


def table(page: Page) -> Locator:
    return page.get_by_role("table", name="Alerts").get_by_role("row")


def bell(page: Page) -> Locator:
    return page.get_by_role("banner").get_by_role("button", name=re.compile("open alerts?$"))


def drawer(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Alert")


def test_an_alert_that_is_raised_elsewhere_rings_and_appears(
    signed_in: Page, console: Console, place: Place
) -> None:
    page = signed_in
    page.goto("/alerts?state=resolved")
    expect(page.get_by_text("No resolved alerts")).to_be_visible()
    page.goto("/alerts")
    ready(page)
    expect(page.get_by_text("No open alerts", exact=True)).to_be_visible()
    expect(bell(page)).to_have_accessible_name("No open alerts")
    raise_one(console, place)
    expect(page.get_by_role("button", name="A number sends nothing")).to_be_visible()
    expect(bell(page)).to_have_accessible_name("1 open alert")
    expect(bell(page)).to_have_text("1")
    resolve(console, place)
    expect(bell(page)).to_have_accessible_name("No open alerts")


def test_the_bell_shows_the_newest_from_every_page_live_and_leads_there(
    signed_in: Page, console: Console, place: Place
) -> None:
    raise_one(console, place)
    page = signed_in
    page.goto("/")
    ready(page)
    expect(bell(page)).to_have_text("1")
    bell(page).focus()
    page.keyboard.press("Enter")
    menu = page.get_by_role("region", name="Newest alerts")
    expect(menu.get_by_role("link", name="A number sends nothing")).to_contain_text("Payment is missing")
    for index in range(6):
        raise_one(console, place, subject=str(index), title=f"Trouble {index}")
    expect(menu.get_by_role("listitem")).to_have_count(5)
    expect(menu.get_by_role("listitem").first).to_contain_text("Trouble 5")
    expect(bell(page)).to_have_text("7")
    assert axe_finds(page) == []
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    bell(page).click()
    menu.get_by_role("link", name="Trouble 5").click()
    expect(drawer(page).get_by_role("heading", name="Trouble 5")).to_be_visible()


def test_the_drawer_says_what_it_means_and_what_to_do_and_is_acknowledged(
    signed_in: Page, console: Console, place: Place
) -> None:
    alert_id = raise_one(console, place)
    page = signed_in
    page.goto("/alerts")
    ready(page)
    page.get_by_role("button", name="A number sends nothing").click()
    shown = drawer(page)
    expect(shown.get_by_text("Payment is missing (131042).")).to_be_visible()
    expect(shown.get_by_text("Messages wait and use up no retry")).to_be_visible()
    expect(shown.get_by_text("Read the reason on the Queue page")).to_be_visible()
    expect(page).to_have_url(re.compile(f"open={alert_id}"))
    assert axe_finds(page) == []
    shown.get_by_role("button", name="Acknowledge").click()
    expect(shown.get_by_text("Acknowledged", exact=True)).to_be_visible()
    expect(shown.get_by_role("button", name="Acknowledge")).to_have_count(0)
    expect(table(page).nth(1)).to_contain_text("with owner")
    with console.runtime.unit(COMMAND) as unit:
        assert unit.session.get_one(Alert, alert_id).acknowledged_at is not None
    shown.get_by_role("button", name="Go there").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")


def test_an_open_drawer_follows_what_happens(signed_in: Page, console: Console, place: Place) -> None:
    alert_id = raise_one(console, place)
    signed_in.goto(f"/alerts?open={alert_id}")
    ready(signed_in)
    expect(drawer(signed_in).get_by_role("button", name="Acknowledge")).to_be_visible()
    resolve(console, place)
    expect(drawer(signed_in).get_by_text("Resolved", exact=True).first).to_be_visible()
    expect(drawer(signed_in).get_by_role("button", name="Acknowledge")).to_have_count(0)


def test_q7_what_its_end_let_go_is_said_and_a_pause_that_remains_can_be_ended_there(
    signed_in: Page, console: Console, place: Place
) -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        phone = choices(unit)[0].phone_number_id
        for index in range(3):
            to = f"+491511237{index:04d}"
            intake.store(unit, order(to, phone_number_id=phone, queued=True))
        lane: dict[str, Any] = {"scope": HoldScope.LANE, "subject": phone}
        about = {"reason": "Payment is missing.", "workspace_id": place.workspace.id}
        hold(unit, **lane, cause=HoldCause.PAYMENT, **about)
        pause(unit, phone_number_id=phone, reason="Stocktaking")
        unit.session.flush()
        release(unit, **lane, cause=HoldCause.PAYMENT)
    page = signed_in
    page.goto("/alerts?state=resolved")
    ready(page)
    page.get_by_role("button", name="A number sends nothing").click()
    shown = drawer(page)
    expect(shown.get_by_text("Payment fixed; the number is paused, so 3 messages wait on.")).to_be_visible()
    expect(shown.get_by_text("3 messages can go")).to_be_visible()
    assert axe_finds(page) == []
    shown.get_by_role("button", name="Resume this number").click()
    expect(shown.get_by_text("3 messages can go")).to_have_count(0)
    with console.runtime.unit(place.owner) as unit:
        assert active_holds(unit, HoldScope.LANE, phone) == []


def test_filters_are_in_the_address(signed_in: Page, console: Console, place: Place) -> None:
    raise_one(console, place, title="Gone again")
    resolve(console, place)
    raise_one(console, place, title="Still there", subject="1")
    raise_one(console, place, title="Mild", subject="2", severity=Severity.INFO)
    page = signed_in
    page.goto("/alerts")
    ready(page)
    expect(table(page)).to_have_count(3)
    page.get_by_role("button", name="All", exact=True).click()
    expect(table(page)).to_have_count(4)
    expect(page).to_have_url(re.compile("state=all"))
    page.goto("/alerts?state=resolved")
    expect(table(page)).to_have_count(2)
    expect(page.get_by_role("button", name="Gone again")).to_be_visible()
    page.goto("/alerts?severity=info")
    expect(table(page)).to_have_count(2)
    page.goto("/alerts?severity=warning")
    expect(page.get_by_text("No alert matches")).to_be_visible()
    page.goto("/alerts?state=nonsense&severity=nonsense")
    expect(table(page)).to_have_count(3)


def test_words_of_people_are_text(signed_in: Page, console: Console, place: Place) -> None:
    evil = "<img src=x onerror=alert(1)>"
    alert_id = raise_one(console, place, title=evil, detail=evil, subject=evil)
    signed_in.goto(f"/alerts?open={alert_id}")
    ready(signed_in)
    expect(drawer(signed_in).get_by_role("heading", name=evil)).to_be_visible()
    assert signed_in.locator("img").count() == 0


def test_keys_alone_open_and_close_an_alert(signed_in: Page, console: Console, place: Place) -> None:
    raise_one(console, place)
    signed_in.goto("/alerts")
    ready(signed_in)
    signed_in.keyboard.press("j")
    signed_in.keyboard.press("Enter")
    expect(drawer(signed_in)).to_be_visible()
    signed_in.keyboard.press("Escape")
    expect(drawer(signed_in)).not_to_be_visible()


def test_who_may_not_see_alerts_has_neither_page_nor_bell(
    open_as: OpenAs, console: Console, place: Place
) -> None:
    raise_one(console, place)
    page = open_as(Role.VIEWER)
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    expect(bell(page)).to_have_count(0)
    assert page.goto("/alerts").status == 403  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_in_a_full_list(
    open_as: OpenAs, console: Console, place: Place, size: tuple[int, int]
) -> None:
    for index, severity in enumerate(Severity):
        raise_one(console, place, subject=str(index), severity=severity)
    page = open_as(size=size)
    page.goto("/alerts")
    ready(page)
    expect(table(page)).to_have_count(4)
    assert axe_finds(page) == []
