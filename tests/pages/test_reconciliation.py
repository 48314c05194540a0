"""B12 on its page: both ledgers by day and category, and Meta's rates entered and imported."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from core.billing.rates import list_rates
from data.enums import PlanName, Role
from data.messages import Message, MessageStatus
from tests.conftest import Place
from tests.console import Console
from tests.core.ledger import CLERK
from tests.pages.books import Books, look
from tests.pages.conftest import PHONE, OpenAs, axe_finds, ready

REGULAR = {"billable": True, "pricing_model": "PMP", "category": "utility", "type": "regular"}


@pytest.fixture
def books(console: Console, place: Place) -> Books:
    return Books(console, place)


def go(page: Page, address: str = "/billing/reconciliation") -> Page:
    page.goto(address)
    ready(page)
    return page


def rows(page: Page, name: str = "By day and category") -> Locator:
    return page.get_by_role("table", name=name).locator("tbody tr")


def figures(page: Page) -> Locator:
    return page.get_by_role("group", name="Key figures")


def priced(books: Books, pricing: dict[str, object]) -> None:
    """Three conversations of last month, the last opened by us and delivered at Meta's price."""
    books.change(plan=PlanName.STARTER)
    ids = books.fill(3, last=True)
    with books.console.runtime.unit(CLERK, write=True) as unit:
        sent = unit.session.get_one(Message, ids[2].replace("cnv_", "msg_"))
        assert sent.sent_at is not None
        unit.session.add(
            MessageStatus(
                wamid=sent.wamid or "",
                status="delivered",
                at=sent.sent_at,
                message_id=sent.id,
                received_at=sent.sent_at,
                pricing=pricing,
            )
        )


def last_month(books: Books) -> str:
    return f"/billing/reconciliation?month={books.last_month:%Y-%m}"


def test_b12_without_a_rate_nothing_is_made_up_and_with_one_there_is_a_difference(
    open_as: OpenAs, books: Books
) -> None:
    priced(books, REGULAR)
    page = go(open_as(), last_month(books))
    expect(page.get_by_text("1 message without a rate", exact=True)).to_be_visible()
    expect(rows(page).filter(has_text="Utility")).to_contain_text(
        re.compile("1 message, 1 without a rate.*–.*–")
    )
    expect(rows(page, "Meta's rates")).to_have_count(0)
    assert axe_finds(page) == []
    page.get_by_role("button", name="Enter a rate").click()
    dialog = page.get_by_role("dialog", name="Enter a rate")
    dialog.get_by_label("Category").fill("utility")
    dialog.get_by_label("Market").fill("Germany")
    dialog.get_by_label("From").fill("2020-01-01")
    dialog.get_by_label("USD a message").fill("0.0456")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("The market must be two letters")
    assert axe_finds(page) == []
    dialog.get_by_label("Market").fill("*")
    dialog.get_by_role("button", name="Save").click()
    expect(rows(page, "Meta's rates")).to_contain_text(
        re.compile(r"Utility.*All others.*2020-01-01.*0\.0456")
    )
    expect(figures(page)).to_contain_text(re.compile(r"Meta charges\s*0\.05 USD"))
    expect(figures(page)).to_contain_text(re.compile(r"Difference\s*\u22120\.05 USD"))
    look(page, "reconciliation")
    rows(page).first.get_by_role("button").press("Enter")
    page.wait_for_url(f"**/conversations?day={books.last_month:%Y-%m}-01")


def test_rates_are_imported_all_or_none(open_as: OpenAs, books: Books) -> None:
    page = go(open_as())
    expect(page.get_by_text("Nothing to set side by side")).to_be_visible()
    expect(page.get_by_text("none are made up here")).to_be_visible()
    page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("dialog", name="Import rates")
    head = "category,market,validFrom,amountUSD"
    dialog.get_by_label("Lines").fill(f"{head}\nmarketing,DE,2026-10-01,0.1131\nmarketing,FR,soon,0.1")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Line 3: must have a day such as 2026-10-01")
    with books.console.runtime.unit(books.place.owner) as unit:
        assert list_rates(unit) == []
    many = "\n".join(f"marketing,{one}{two},2026-10-01,0.1" for one in "ABCDEFGH" for two in "ABCDEFGH")
    dialog.get_by_label("Lines").fill(f"{head}\n{many}")
    dialog.get_by_role("button", name="Save").click()
    expect(rows(page, "Meta's rates")).to_have_count(50)
    expect(page.get_by_text("50 of 64 rates")).to_be_visible()
    page.get_by_role("region", name="Meta's rates").get_by_role("button", name="Next").click()
    expect(rows(page, "Meta's rates")).to_have_count(14)


def test_b12_a_kind_of_price_that_we_do_not_know_is_said(open_as: OpenAs, books: Books) -> None:
    priced(books, REGULAR | {"type": "lunar"})
    page = go(open_as(Role.MANAGER, size=PHONE, dark=True), last_month(books))
    expect(page.get_by_text("“lunar”, on 1 message.")).to_be_visible()
    for name in ("Enter a rate", "Import"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    look(page, "reconciliation")


def test_an_agent_is_told_who_could_let_them_in(open_as: OpenAs) -> None:
    page = go(open_as(Role.AGENT))
    expect(page.get_by_text("billing.view").first).to_be_visible()
