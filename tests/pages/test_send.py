"""Sending by hand: the form, what it will look like, and what came of it."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect
from sqlmodel import col, select

from core.messaging.queries import MessageFilter, list_messages
from data.enums import Role
from data.messages import Contact, ServiceWindow
from data.sending import AccessToken
from tests.conftest import PHONE_ID, Place, make_place
from tests.console import Console, running_console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, choose, ready

# The sandbox knows this number of its phones only, so the tests share one workspace.
NAME = "Northwind"


@pytest.fixture(scope="module")
def console(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, sandbox_url: str, password_hash: str
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("sending")
    with running_console(folder, migrated_sqlite, sandbox_url, password_hash, demo=True) as found:
        yield found


@pytest.fixture(scope="module")
def sending_place(console: Console) -> Place:
    return make_place(console.runtime, console.password_hash, name=NAME)


@pytest.fixture
def place(sending_place: Place) -> Place:
    return sending_place


@pytest.fixture
def page(open_as: OpenAs) -> Page:
    return go(open_as())


def go(page: Page, address: str = "/send") -> Page:
    page.goto(address)
    ready(page)
    return page


def fill(page: Page, to: str, *words: str) -> None:
    page.get_by_label("To", exact=True).fill(to)
    for index, word in enumerate(words, start=1):
        page.get_by_label(f"Variable {index}", exact=True).fill(word)


def send(page: Page) -> Locator:
    """The part of the page that holds the answer."""
    page.get_by_role("button", name="Send", exact=True).click()
    return page.get_by_role("region", name="Answer")


def stored(console: Console, place: Place) -> int:
    with console.runtime.unit(place.owner) as unit:
        return len(list_messages(unit, MessageFilter(), limit=200).items)


def test_a_template_is_sent_and_the_form_stays_for_the_next(page: Page) -> None:
    choose(page, "Template", "order_update · en_US")
    fill(page, "+4915112340001", "Mara", "NW-20418")
    preview = page.get_by_role("region", name="Preview")
    expect(preview.get_by_text("Hello Mara, your order NW-20418 is on its way.")).to_be_visible()
    answer = send(page)
    expect(answer.get_by_text("Meta took it")).to_be_visible()
    expect(answer.get_by_text(re.compile("^wamid"))).to_be_visible()
    expect(page.get_by_label("To", exact=True)).to_have_value("+49 1511 2340001")
    expect(page.get_by_label("Variable 2")).to_have_value("NW-20418")
    assert axe_finds(page) == []
    fill(page, "+4915112340002")
    send(page)
    expect(answer.get_by_role("link", name="Open the message")).to_have_count(2)
    answer.get_by_role("link", name="Open the message").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("+49 1511 2340002")


def test_the_request_beside_the_form_is_the_one_that_goes_to_meta(page: Page, sandbox_url: str) -> None:
    choose(page, "Template", "order_update · en_US")
    fill(page, "+4915112340003", "Mara", "NW-3")
    request = page.get_by_role("region", name="Request")
    expect(request).to_contain_text("NW-3")
    shown = json.loads(request.get_by_role("group").inner_text())
    expect(send(page).get_by_text("Meta took it")).to_be_visible()
    (got,) = httpx.get(f"{sandbox_url}/sandbox/received?to=4915112340003").json()["received"]
    assert shown.pop("biz_opaque_callback_data") == "msg_…"
    assert got["body"].pop("biz_opaque_callback_data").startswith("msg_")
    assert got["body"] == shown


def test_what_is_missing_is_said_at_its_field_and_nothing_is_sent(
    page: Page, console: Console, place: Place
) -> None:
    before = stored(console, place)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Who gets it? Give a number with its country code.")).to_be_visible()
    expect(page.get_by_text("Choose a template.")).to_be_visible()
    expect(page.get_by_label("To", exact=True)).to_be_focused()
    choose(page, "Template", "order_update · en_US")
    fill(page, "+4915112340001", "Mara")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Fill this in: Meta takes no empty variable.")).to_have_count(1)
    expect(page.get_by_label("Variable 2")).to_be_focused()
    assert stored(console, place) == before
    assert axe_finds(page) == []


def test_a_number_is_written_as_its_country_does_and_a_wrong_one_is_told(page: Page) -> None:
    field = page.get_by_label("To", exact=True)
    field.fill("0151")
    field.blur()
    expect(page.get_by_text("“0151” is not a phone number with its country code.")).to_be_visible()
    field.fill("447700900105")
    expect(page.get_by_text("is not a phone number")).to_have_count(0)
    field.blur()
    expect(field).to_have_value("+44 7700 900105")


def test_a_template_that_cannot_be_sent_is_refused_in_cores_words(page: Page) -> None:
    choose(page, "Template", "spring_sale · en_US · paused")
    fill(page, "+4915112340001")
    expect(page.get_by_text("It would be refused now")).to_be_visible()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("is paused at Meta and cannot be sent")).to_have_count(1)


def test_text_goes_only_while_the_window_is_open(page: Page, console: Console, place: Place) -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        contact = Contact(
            id=unit.new_id("con"),
            workspace_id=place.workspace.id,
            wa_id="4915112340007",
            name="Elif Şahin",
            created_at=unit.now,
        )
        unit.session.add(contact)
        unit.session.flush()
        unit.session.add(
            ServiceWindow(
                phone_number_id=PHONE_ID, contact_id=contact.id, last_inbound_at=unit.now - timedelta(hours=1)
            )
        )
    page.get_by_role("button", name="Text", exact=True).click()
    page.get_by_label("Text", exact=True).fill("Hello *you*, see order_update_x")
    fill(page, "+4915112340008")
    expect(page.get_by_text("Service window closed: only templates.")).to_be_visible()
    expect(page.locator(".bubble .bold")).to_have_text("you")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Meta takes only templates. Send a template instead.")).to_have_count(1)
    fill(page, "+4915112340007")
    expect(page.get_by_text("+49 1511 2340007, Elif Şahin")).to_be_visible()
    field = page.get_by_label("To", exact=True)
    field.evaluate("(field) => { field.blur(); setTimeout(() => field.focus()) }")
    expect(page.get_by_text("Elif Şahin", exact=True)).to_be_visible()
    expect(field).to_have_value("+4915112340007")  # nothing is written where somebody types
    field.blur()
    expect(field).to_have_value("+49 1511 2340007")
    expect(page.get_by_text("Service window open until")).to_be_visible()
    expect(page.get_by_text("in 22 h")).to_be_visible()
    expect(send(page).get_by_text("Meta took it")).to_be_visible()


def test_a_failure_says_whether_it_can_pass_and_what_comes_next(page: Page) -> None:
    choose(page, "Template", "hello_world")
    page.get_by_text("Numbers with a fixed fate in the sandbox").click()
    page.get_by_role("button", name="Fails always with 131016").click()
    expect(page.get_by_label("To", exact=True)).to_be_focused()
    expect(page.get_by_role("button", name="Fails always with 131016")).to_be_hidden()
    answer = send(page)
    expect(answer.get_by_text("It failed, and is tried again by itself")).to_be_visible()
    expect(answer.get_by_text("Service temporarily unavailable (131016)")).to_be_visible()
    expect(answer.get_by_text(re.compile("next attempt in (59 s|1 min)"))).to_be_visible()
    fill(page, "+4915110000003")
    send(page)
    expect(answer.get_by_text("It failed for good")).to_be_visible()
    expect(answer.get_by_text("Cannot be delivered to this number (131026)")).to_be_visible()
    expect(answer.get_by_role("listitem")).to_contain_text("Retry queued")


def test_what_is_no_fields_fault_stands_in_place_of_the_answer(
    page: Page, console: Console, place: Place
) -> None:
    def break_token(sealed: bytes | None) -> bytes:
        with console.runtime.unit(place.owner, write=True) as unit:
            token = unit.session.exec(
                select(AccessToken).where(col(AccessToken.workspace_id) == place.workspace.id)
            ).one()
            before, token.sealed = token.sealed, sealed or b"nobody can open this"
            unit.session.add(token)
        return before

    choose(page, "Template", "hello_world")
    fill(page, "+4915112340001")
    before = break_token(None)
    answer = send(page)
    expect(answer.get_by_text("Not sent, and nothing was stored")).to_be_visible()
    expect(answer.get_by_text("Connect the account again.")).to_be_visible()
    break_token(before)
    send(page)
    expect(answer.get_by_text("Meta took it")).to_be_visible()
    expect(answer.get_by_text("Not sent, and nothing was stored")).to_have_count(0)


def test_phone_kind_and_template_stand_in_the_address(page: Page) -> None:
    choose(page, "Template", "winter_sale · en_US")
    page.get_by_role("radio", name=f"{NAME} 2").check()
    expect(page.get_by_role("region", name="Preview").get_by_text(f"{NAME} 2")).to_be_visible()
    expect(page).to_have_url(re.compile(r"template=winter_sale%2Fen_US&phone=\d+$"))
    go(page, page.url)
    expect(page.get_by_role("radio", name=f"{NAME} 2")).to_be_checked()
    expect(page.get_by_label("Variable 1")).to_be_visible()
    page.get_by_role("button", name="Text", exact=True).click()
    expect(page).to_have_url(re.compile("kind=text"))


def test_one_who_may_not_send_is_told_who_may(open_as: OpenAs) -> None:
    page = go(open_as(Role.VIEWER))
    expect(page.get_by_role("heading", level=1)).to_have_text("Not for your role")
    expect(page.get_by_text("Only owners, managers and agents can send messages.")).to_be_visible()


def test_on_a_phone_in_the_dark(open_as: OpenAs) -> None:
    page = go(open_as(size=PHONE, dark=True), "/send?template=order_update/en_US")
    fill(page, "+4915112340001", "Mara", "NW-1")
    expect(send(page).get_by_text("Meta took it")).to_be_visible()
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
