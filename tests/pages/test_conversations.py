"""The list of conversations and the page of one: filters in the address, costs, masks."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from data.enums import PlanName, Role
from tests.conftest import Place
from tests.console import Console
from tests.pages.books import Books, look
from tests.pages.conftest import PHONE, OpenAs, axe_finds, choose, ready


@pytest.fixture
def books(console: Console, place: Place) -> Books:
    return Books(console, place)


def go(page: Page, address: str = "/conversations") -> Page:
    page.goto(address)
    ready(page)
    return page


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Conversations").locator("tbody tr")


def test_without_conversations_the_page_says_what_opens_one(open_as: OpenAs) -> None:
    page = go(open_as())
    expect(page.get_by_text("No conversations yet")).to_be_visible()
    assert axe_finds(page) == []


def test_b8_the_list_is_narrowed_by_its_address_and_says_what_each_costs(
    open_as: OpenAs, books: Books
) -> None:
    books.change(plan=PlanName.STARTER)
    books.fill(120)
    month = f"{books.this_month:%Y-%m}"
    page = go(open_as(), f"/conversations?month={month}&charge=billed")
    expect(rows(page)).to_have_count(20)
    expect(rows(page).first).to_contain_text(re.compile(r"Mara Vogel.*\+49.*Billed.*0\.01 USD"))
    expect(page.get_by_role("status").filter(has_text="20 conversations")).to_be_visible()
    assert axe_finds(page) == []
    look(page, "conversations")
    choose(page, "Opened by", "You", exact=True)
    expect(page).to_have_url(re.compile(f"month={month}&charge=billed&by=business$"))
    expect(rows(page)).not_to_have_count(20)  # the address changes a moment before the rows
    ours = rows(page).count()
    assert 0 < ours < 20
    go(page, page.url)
    expect(rows(page)).to_have_count(ours)
    page.get_by_role("button", name="You, remove filter").click()
    expect(rows(page)).to_have_count(20)
    page.get_by_role("button", name="Clear all").click()
    expect(page).to_have_url(re.compile("/conversations$"))
    expect(page.get_by_role("status").filter(has_text="50+ conversations")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("button", name="Previous")).to_be_enabled()
    page.get_by_label("Search by number").fill("+49 1511 0000000")
    expect(page.get_by_text("No conversation matches")).to_be_visible()


def test_a_day_of_the_chart_is_a_list(open_as: OpenAs, books: Books) -> None:
    books.fill(62, last=True)
    page = go(open_as(), f"/conversations?day={books.last_month:%Y-%m-%d}")
    per_day = 62 / (books.this_month - books.last_month).days
    expect(rows(page)).to_have_count(round(per_day + 0.49))
    expect(page.get_by_role("button", name=re.compile("^Opened on 1 .*remove filter"))).to_be_visible()


def test_a_conversation_says_why_it_opened_what_it_costs_and_what_was_said(
    open_as: OpenAs, books: Books
) -> None:
    books.change(plan=PlanName.STARTER)
    ids = books.fill(102)
    page = go(open_as(), f"/conversations?charge=billed&month={books.this_month:%Y-%m}")
    rows(page).last.get_by_role("button").press("Enter")
    page.wait_for_url(f"**/conversations/{ids[100]}")
    ready(page)
    why = page.get_by_role("region", name="Why it opened")
    expect(why).to_contain_text("You wrote" if 100 % 3 == 2 else "The customer wrote")
    cost = page.get_by_role("region", name="What it costs")
    expect(cost).to_contain_text("Billed 0.01 USD: it is number 101 of")
    expect(page.get_by_role("table", name="Messages").locator("tbody tr")).to_contain_text(
        re.compile("It opened the conversation")
    )
    assert axe_finds(page) == []
    look(page, "conversation")
    go(page, f"/conversations/{ids[0]}")
    expect(cost).to_contain_text("Included: it is number 1 of")


def test_a_viewer_reads_masked_and_without_costs(open_as: OpenAs, books: Books) -> None:
    (conversation_id,) = books.fill(1)
    page = go(open_as(Role.VIEWER))
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("+49•••••")
    for words in ("Mara Vogel", "Included"):
        expect(rows(page)).not_to_contain_text(words)
    expect(page.get_by_label("Search by number")).to_have_count(0)
    go(page, "/conversations?charge=billed")
    expect(page.get_by_text("(billing.view)")).to_be_visible()
    go(page, f"/conversations/{conversation_id}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("+49•••••")
    expect(page.get_by_text("What it costs is for those who see billing.")).to_be_visible()


def test_p5_another_workspaces_conversation_is_not_there(open_as: OpenAs, books: Books) -> None:
    (stranger,) = Books(books.console, books.console.new_place()).fill(1)
    page = go(open_as(), f"/conversations/{stranger}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_on_a_phone_with_a_long_name(open_as: OpenAs, books: Books, dark: bool) -> None:
    ids = books.fill(3, name="Wolfeschlegelsteinhausenbergerdorff " * 4)
    page = go(open_as(size=PHONE, dark=dark))
    expect(rows(page)).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert axe_finds(page) == []
    look(page, "conversations")
    go(page, f"/conversations/{ids[2]}")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert axe_finds(page) == []
    look(page, "conversation")
