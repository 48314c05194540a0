"""Invoices: the list, one as a page that prints, finalise, void, verify, files, post."""

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from core.audit_log.queries import AuditFilter, list_entries
from core.billing.drafts import refresh
from core.billing.invoice_queries import InvoiceView, billing_email, invoice_view
from core.billing.invoices import finalise
from data.billing import BillingAccount, Invoice
from data.enums import InvoiceState, PlanName, Role
from tests.conftest import Place
from tests.console import Console
from tests.core.ledger import CLERK
from tests.pages.books import Books, look
from tests.pages.conftest import PHONE, OpenAs, axe_finds, ready

LONG = "Nordwind Handelsgesellschaft für überseeische Spezialitäten und Gewürze aus aller Welt mbH & Co. KG"


@pytest.fixture
def books(console: Console, place: Place) -> Books:
    return Books(console, place)


def go(page: Page, address: str = "/billing/invoices") -> Page:
    page.goto(address)
    ready(page)
    return page


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Invoices").locator("tbody tr")


def last_months(books: Books, count: int = 120) -> str:
    """The id of the last month's draft, of that many conversations on Starter."""
    books.change(plan=PlanName.STARTER)
    books.fill(count, last=True)
    with books.console.runtime.unit(books.place.owner, write=True) as unit:
        return refresh(unit, unit.workspace())[0].id


def view(books: Books, invoice_id: str) -> InvoiceView:
    with books.console.runtime.unit(books.place.owner) as unit:
        return invoice_view(unit, invoice_id)


def made_final(books: Books, count: int = 120) -> str:
    invoice_id = last_months(books, count)
    with books.console.runtime.unit(books.place.owner, write=True) as unit:
        finalise(unit, invoice_id)
    return invoice_id


def test_b10_the_owner_finalises_and_voids_and_each_step_is_said(open_as: OpenAs, books: Books) -> None:
    invoice_id = last_months(books)
    page = go(open_as())
    expect(rows(page)).to_have_count(2)
    expect(rows(page).last).to_contain_text(re.compile(r"Draft of.*Draft.*120.*20.*0\.20 USD"))
    assert axe_finds(page) == []
    look(page, "invoices")
    rows(page).last.get_by_role("button").press("Enter")
    page.wait_for_url(f"**/billing/invoices/{invoice_id}")
    ready(page)
    paper = page.get_by_role("region", name="Invoice")
    expect(paper).to_contain_text(re.compile(r"Conversations beyond.*20.*0\.01.*0\.20.*Total.*0\.20 USD"))
    assert axe_finds(page) == []
    page.get_by_role("button", name="Finalise").click()
    dialog = page.get_by_role("dialog", name="Finalise this invoice?")
    expect(dialog).to_contain_text(re.compile(r"Conversations.*120.*Billable.*20.*Amount.*0\.20 USD"))
    dialog.get_by_role("button", name="Finalise").click()
    expect(page.get_by_role("heading", level=2, name="Invoice 1")).to_be_visible()
    found = view(books, invoice_id)
    assert found.state is InvoiceState.FINALISED
    expect(paper).to_contain_text(found.hash or "none")
    look(page, "invoice")
    page.get_by_role("button", name="Void").click()
    dialog = page.get_by_role("dialog", name="Void this invoice?")
    expect(dialog.get_by_role("button", name="Void")).to_be_disabled()
    dialog.get_by_label("Reason").fill("Wrong plan")
    dialog.get_by_role("button", name="Void").click()
    expect(page.get_by_text("“Wrong plan”")).to_be_visible()
    page.get_by_role("link", name="The one in its place").click()
    expect(page.get_by_role("heading", level=2, name=re.compile("^Draft of"))).to_be_visible()
    expect(page.get_by_role("link", name="The void one")).to_be_visible()
    with books.console.runtime.unit(books.place.owner) as unit:
        actions = [row.action for row in list_entries(unit, AuditFilter()).items]
    assert actions[:2] == ["invoice.voided", "invoice.finalised"]


def test_b10_a_parked_invoice_says_why_and_goes_out_only_at_a_persons_word(
    open_as: OpenAs, books: Books
) -> None:
    invoice_id = last_months(books, 3)
    with books.console.runtime.unit(CLERK, write=True) as unit:  # three earlier months of one conversation
        for number in (1, 2, 3):
            standing = unit.session.get_one(Invoice, invoice_id)
            copied = standing.model_dump() | {
                "id": f"inv_{number}_{books.place.workspace.id}",
                "period": f"2019-0{number}",
                "state": InvoiceState.FINALISED,
                "number": number,
                "conversations": 1,
            }
            unit.session.add(Invoice(**copied))
    with books.console.runtime.unit(CLERK, write=True) as unit:
        unit.session.get_one(BillingAccount, books.place.workspace.id).last_number = 3
    books.fill(20, last=True)
    page = go(open_as(), f"/billing/invoices/{invoice_id}")
    expect(page.get_by_text("This draft is parked")).to_be_visible()
    expect(page.get_by_text(re.compile("over 10 times the usual month"))).to_be_visible()
    look(page, "invoice-parked")
    page.get_by_role("button", name="Finalise").click()
    dialog = page.get_by_role("dialog", name="Finalise this invoice?")
    expect(dialog).to_contain_text("It is parked:")
    dialog.get_by_role("button", name="Finalise").click()
    expect(page.get_by_role("heading", level=2, name="Invoice 4")).to_be_visible()


def test_the_invoice_is_taken_out_as_pdf_and_as_csv(open_as: OpenAs, books: Books) -> None:
    books.change(name=LONG)
    invoice_id = made_final(books)
    page = go(open_as(Role.MANAGER), f"/billing/invoices/{invoice_id}")
    with page.expect_download() as download:
        page.get_by_role("button", name="PDF").click()
    assert download.value.suggested_filename == f"invoice-1-{books.last_month:%Y-%m}.pdf"
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    lines = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert lines[-1]["amountUSD"] == "0.20"
    assert [line["quantity"] for line in lines[:-1]] == ["100", "20"]


def test_on_paper_there_is_the_invoice_and_nothing_else(open_as: OpenAs, books: Books) -> None:
    books.change(name=LONG)
    invoice_id = made_final(books)
    page = go(open_as(dark=True), f"/billing/invoices/{invoice_id}")
    page.emulate_media(media="print")
    expect(page.get_by_role("region", name="Invoice")).to_be_visible()
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(page.get_by_role("button", name="PDF")).to_be_hidden()
    ink = page.get_by_role("region", name="Invoice").evaluate("(each) => getComputedStyle(each).color")
    assert ink == "rgb(0, 0, 0)"
    at = page.get_by_role("region", name="Invoice").bounding_box()
    assert at is not None
    assert (at["x"], at["y"]) == (0, 0)
    look(page, "invoice-print")


def test_b10_verifying_says_what_is_not_as_it_was(open_as: OpenAs, books: Books) -> None:
    invoice_id = made_final(books)
    page = go(open_as(Role.MANAGER), f"/billing/invoices/{invoice_id}")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("dialog", name="Verified")).to_contain_text("The invoice is whole")
    assert axe_finds(page) == []


def test_an_invoice_is_mailed_again_and_the_address_is_changed(open_as: OpenAs, books: Books) -> None:
    invoice_id = made_final(books)
    with books.console.runtime.unit(CLERK, write=True) as unit:
        unit.session.get_one(Invoice, invoice_id).mailed_at = unit.now
    page = go(open_as(), f"/billing/invoices/{invoice_id}")
    expect(page.get_by_role("region", name="Invoice")).to_contain_text("Mailed")
    page.get_by_role("button", name="Mail again").click()
    expect(page.get_by_role("region", name="Invoice")).not_to_contain_text("Mailed")
    assert view(books, invoice_id).mailed_at is None
    go(page)
    post = page.get_by_role("region", name="Post")
    expect(post).to_contain_text("To every owner of the workspace.")
    post.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog", name="Where invoices are mailed to")
    dialog.get_by_label("E-mail").fill("books@northwind.example")
    dialog.get_by_role("button", name="Save").click()
    expect(post).to_contain_text("To books@northwind.example.")
    with books.console.runtime.unit(books.place.owner) as unit:
        assert billing_email(unit) == "books@northwind.example"


def test_a_manager_reads_and_is_offered_no_change(open_as: OpenAs, books: Books) -> None:
    invoice_id = last_months(books, 2)
    page = go(open_as(Role.MANAGER), f"/billing/invoices/{invoice_id}")
    expect(page.get_by_role("button", name="PDF")).to_be_visible()
    for name in ("Finalise", "Void", "Mail again"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_the_state_is_in_the_address_and_an_empty_one_says_so(open_as: OpenAs, books: Books) -> None:
    page = go(open_as(), "/billing/invoices?state=void")
    expect(page.get_by_text("No invoice is in this state")).to_be_visible()
    page.get_by_role("button", name="All", exact=True).click()
    expect(page).to_have_url(re.compile("/billing/invoices$"))
    expect(rows(page)).to_have_count(1)


def test_p5_another_workspaces_invoice_is_not_there(open_as: OpenAs, books: Books) -> None:
    stranger = last_months(Books(books.console, books.console.new_place()), 1)
    page = go(open_as(), f"/billing/invoices/{stranger}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")
    assert page.request.get(f"/billing/invoices/{stranger}/pdf").status == 404


def test_files_are_for_those_who_may_take_them_out(open_as: OpenAs, books: Books) -> None:
    invoice_id = last_months(books, 1)
    answer = open_as(Role.AGENT).request.get(f"/billing/invoices/{invoice_id}/csv")
    assert answer.status == 403
    assert "billing.export" in answer.text()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_on_a_phone_with_a_long_name(open_as: OpenAs, books: Books, dark: bool) -> None:
    books.change(name=LONG)
    invoice_id = made_final(books, 101)
    page = go(open_as(size=PHONE, dark=dark), f"/billing/invoices/{invoice_id}")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert axe_finds(page) == []
    look(page, "invoice")
    go(page)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    look(page, "invoices")
