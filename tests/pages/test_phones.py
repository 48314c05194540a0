"""The numbers: what Meta says of each, in words; pause, sync, connect; one number's page."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from core.lanes.holding import hold
from core.phones import history
from core.phones.history import Word
from core.unit import Unit
from data.enums import ChangeSource, HoldCause, HoldScope, NodeAspect, Role
from data.phones import NodeChange
from data.sending import Lane, Phone, Waba
from tests.conftest import PHONE_ID, WABA_ID, Place
from tests.console import Console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, ready

LONG = "Northwind Trading and Logistics International Customer Care Centre Rhein-Main-Neckar"


def phones(console: Console, place: Place) -> list[Phone]:
    with console.runtime.unit(place.owner) as unit:
        return sorted(unit.session.exec(unit.scoped(Phone)), key=lambda phone: phone.id)


def change(console: Console, place: Place, work: Any) -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        work(unit)


def said(unit: Unit, phone_number_id: str, *words: tuple[NodeAspect, str], minutes: float = 30) -> None:
    """Meta said that of the number by webhook, that long ago."""
    phone = unit.session.get_one(Phone, phone_number_id)
    word = Word(unit.now - timedelta(minutes=minutes), ChangeSource.WEBHOOK)
    for aspect, state in words:
        history.change(unit, phone, aspect, state, word=word)


def more_numbers(unit: Unit, place: Place, count: int) -> None:
    waba = unit.session.exec(unit.scoped(Waba)).first()
    assert waba is not None
    for index in range(count):
        phone_id = str(int(waba.id) * 100 + index)
        unit.session.add(
            Phone(
                id=phone_id,
                workspace_id=place.workspace.id,
                waba_id=waba.id,
                display_number=f"+49 30 5557 {2000 + index}",
                verified_name=LONG if index == 0 else f"Branch {index:02}",
                quality="VIOLET" if index == 1 else "GREEN",
                throughput_level="STANDARD",
                status="SOMETHING_NEW" if index == 1 else "CONNECTED",
                synced_at=unit.now,
            )
        )
        unit.session.flush()
        unit.session.add(Lane(phone_number_id=phone_id, workspace_id=place.workspace.id))


def opened(page: Page, path: str = "/phones") -> Page:
    page.goto(path)
    ready(page)
    return page


def card(page: Page, name: str) -> Any:
    return page.get_by_role("list", name="Numbers").get_by_role("listitem").filter(has_text=name)


def test_a_card_says_what_meta_says_in_words(signed_in: Page, console: Console, place: Place) -> None:
    first, second = phones(console, place)

    def prepare(unit: Unit) -> None:
        said(unit, first.id, (NodeAspect.QUALITY, "RED"), (NodeAspect.TIER, "TIER_2K"))
        hold(
            unit,
            scope=HoldScope.LANE,
            subject=first.id,
            cause=HoldCause.PAYMENT,
            reason="Meta asks for a payment method.",
            workspace_id=place.workspace.id,
        )

    change(console, place, prepare)
    page = opened(signed_in)
    held = card(page, first.verified_name)
    for words in ("Held", "Low", "2,000 people a day", "0 of 30 a second", "Meta asks for a payment method."):
        expect(held).to_contain_text(words)
    well = card(page, second.verified_name)
    for words in ("Open", "High", "Connected", "Nothing has changed since it was connected"):
        expect(well).to_contain_text(words)
    expect(page.get_by_role("meter", name="Messages in the last second").first).to_have_attribute(
        "aria-valuemax", "30"
    )


def test_a_number_is_paused_with_a_reason_and_resumed(
    signed_in: Page, console: Console, place: Place
) -> None:
    name = phones(console, place)[1].verified_name
    page = opened(signed_in)
    page.get_by_role("button", name=f"Pause {name}").click()
    page.get_by_label("Reason").fill("Stocktaking")
    page.get_by_role("button", name="Pause number").click()
    expect(card(page, name)).to_contain_text("Paused")
    expect(card(page, name)).to_contain_text("Stocktaking")
    page.get_by_role("button", name=f"Resume {name}").click()
    expect(card(page, name)).to_contain_text("Open")


def test_a_change_appears_without_a_reload(signed_in: Page, console: Console, place: Place) -> None:
    first = phones(console, place)[0]
    page = opened(signed_in)
    expect(card(page, first.verified_name)).to_contain_text("High")
    change(console, place, lambda unit: said(unit, first.id, (NodeAspect.QUALITY, "YELLOW"), minutes=0))
    expect(card(page, first.verified_name)).to_contain_text("Medium")
    expect(card(page, first.verified_name)).to_contain_text("Quality went from high to medium")


def test_many_numbers_long_names_and_unknown_words(open_as: OpenAs, console: Console, place: Place) -> None:
    change(console, place, lambda unit: more_numbers(unit, place, 58))
    page = opened(open_as(size=PHONE))
    cards = page.get_by_role("list", name="Numbers").get_by_role("listitem")
    expect(cards).to_have_count(24)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    expect(page.get_by_text("24 of 60 numbers")).to_be_visible()
    page.get_by_role("button", name="Show 36 more numbers").click()
    expect(cards).to_have_count(60)
    page.wait_for_url("**/phones?show=120")
    page.get_by_label("Find a number").fill("branch 01")
    expect(cards).to_have_count(1)
    for words in ("Violet", "Something new"):
        expect(cards.first).to_contain_text(words)
    page.wait_for_url(re.compile(r"/phones\?.*q=branch"))
    page.get_by_label("Find a number").fill("nobody")
    expect(page.get_by_text("No number fits")).to_be_visible()


def test_no_number_yet_says_how_to_get_one(signed_in: Page, console: Console, place: Place) -> None:
    def empty(unit: Unit) -> None:
        for model in (NodeChange, Lane, Phone):
            for row in unit.session.exec(unit.scoped(model)):
                unit.session.delete(row)
            unit.session.flush()

    change(console, place, empty)
    page = opened(signed_in)
    expect(page.get_by_text("No number is connected yet")).to_be_visible()
    page.locator(".empty").get_by_role("button", name="Connect numbers").click()
    page.wait_for_url("**/phones/connect")


@pytest.mark.parametrize("role", [Role.MANAGER, Role.VIEWER])
def test_who_may_not_manage_sees_no_way_to(open_as: OpenAs, role: Role) -> None:
    page = opened(open_as(role))
    expect(page.get_by_role("list", name="Numbers").get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_role("button", name=re.compile("^Sync now"))).to_have_count(0)
    expect(page.get_by_role("button", name="Connect numbers")).to_have_count(0)
    pauses = 2 if role is Role.MANAGER else 0
    expect(page.get_by_role("button", name=re.compile("^Pause"))).to_have_count(pauses)
    page.goto("/phones/connect")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not for your role")


def test_a_numbers_page_tells_its_story(signed_in: Page, console: Console, place: Place) -> None:
    first = phones(console, place)[0]

    def prepare(unit: Unit) -> None:
        said(unit, first.id, (NodeAspect.TIER, "TIER_10K"), minutes=300)
        said(unit, first.id, (NodeAspect.TIER, "TIER_2K"), minutes=200)
        waba = unit.session.get_one(Waba, first.waba_id)
        waba.verification, waba.restriction = "rejected", "DISABLE"
        waba.described = {"subscribed_apps": {"data": []}, "currency": "EUR"}
        unit.session.add(waba)

    change(console, place, prepare)
    page = opened(signed_in)
    page.get_by_role("link", name=first.verified_name).click()
    page.wait_for_url(f"**/phones/{first.id}")
    ready(page)
    story = page.get_by_role("region", name="What changed").get_by_role("listitem")
    expect(story.nth(0)).to_contain_text(
        "Messaging limit went from 10,000 people a day to 2,000 people a day"
    )
    expect(story.nth(0)).to_contain_text("Told by webhook, 3 h later")
    for words in ("Meta disabled the account", "Meta sends no webhooks for this account"):
        expect(page.get_by_text(words, exact=False).first).to_be_visible()
    verification = page.get_by_role("region", name="Business verification")
    for words in ("Rejected", "Up to 250 different people a day", "send it in again"):
        expect(verification).to_contain_text(words)
    assert axe_finds(page) == []


def test_another_workspaces_number_is_not_there(signed_in: Page, console: Console) -> None:
    other = phones(console, console.new_place())[0]
    signed_in.goto(f"/phones/{other.id}")
    expect(signed_in.get_by_text("There is no such phone number in this workspace.")).to_be_visible()


@pytest.fixture
def meta(console: Console) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=console.sandbox_url, timeout=5, trust_env=False) as client:
        client.post("/sandbox/reset").raise_for_status()
        yield client


def test_connecting_checks_with_meta_first_then_syncs_and_asks_for_health(
    signed_in: Page, console: Console, place: Place, meta: httpx.Client
) -> None:
    page = opened(signed_in, "/phones/connect")
    waba_id, token = page.get_by_label("WhatsApp Business Account id"), page.get_by_label("Access token")
    expect(token).to_have_attribute("type", "password")
    page.get_by_role("button", name="Check and connect").click()
    expect(page.get_by_text("Enter digits only.")).to_be_visible()
    waba_id.fill("999")
    token.fill("a-secret-token")
    page.get_by_role("button", name="Check and connect").click()
    expect(page.get_by_text("Nothing was saved")).to_be_visible()
    expect(token).to_have_value("")
    waba_id.fill(WABA_ID)
    token.fill("a-secret-token")
    page.get_by_role("button", name="Check and connect").click()
    expect(page.get_by_text("2 numbers and")).to_be_visible()
    assert "a-secret-token" not in page.content()
    page.get_by_role("link", name="+49 30 5557 0142").click()
    page.wait_for_url(f"**/phones/{PHONE_ID}")
    ready(page)
    meta.patch(f"/sandbox/phones/{PHONE_ID}", json={"quality": "RED"})
    meta.patch(f"/sandbox/accounts/{WABA_ID}", json={"restriction": "DISABLE"})
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_text("Quality went from high to low")).to_be_visible()
    page.get_by_role("button", name="Ask Meta now").click()
    health = page.get_by_role("region", name="Can it send?")
    expect(health).to_contain_text("Meta lets this number send nothing.")
    expect(health).to_contain_text("131031")
    assert axe_finds(page) == []
