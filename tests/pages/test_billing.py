"""The billing page: a month at a glance, other plans, the plan's change, the budget."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from core.audit_log.queries import AuditFilter, list_entries
from core.billing.money import exact, rounded
from core.billing.queries import MonthView, current_month
from data.billing import Conversation
from data.enums import BudgetMode, PlanName, Role
from tests.conftest import Place
from tests.console import Console
from tests.core.ledger import CLERK
from tests.pages.books import Books, look
from tests.pages.conftest import PHONE, OpenAs, axe_finds, choose, ready


@pytest.fixture
def books(console: Console, place: Place) -> Books:
    return Books(console, place)


def go(page: Page, address: str = "/billing") -> Page:
    page.goto(address)
    ready(page)
    return page


def part(page: Page, name: str | re.Pattern[str]) -> Locator:
    return page.get_by_role("region", name=name)


def month(books: Books) -> MonthView:
    with books.console.runtime.unit(books.place.owner) as unit:
        return current_month(unit)


def test_b8_a_month_at_a_glance(open_as: OpenAs, books: Books) -> None:
    books.change(plan=PlanName.STARTER)
    books.fill(120)
    page = go(open_as())
    used = part(page, "Included conversations")
    expect(used).to_contain_text(re.compile(r"100\s*of 100 used\s*and 20 beyond"))
    expect(used).to_contain_text("included 100, used 120, billable 20 × 0.01 = 0.20 USD")
    found = month(books)
    expect(used).to_contain_text(f"{found.forecast.total:,} conversations by ")
    figures = page.get_by_role("group", name="Key figures")
    expect(figures).to_contain_text(re.compile(r"Amount so far\s*0\.20 USD"))
    expect(figures).to_contain_text(f"{rounded(found.forecast.amount_micros):,.2f} USD")
    expect(page.get_by_text(re.compile(r"^As of \d"))).to_be_visible()
    assert axe_finds(page) == []
    look(page, "billing")


def test_every_total_is_one_click_from_its_list(open_as: OpenAs, books: Books) -> None:
    books.fill(12)
    page = go(open_as())
    name = month(books).period.name
    openers = page.get_by_role("table", name="Conversations by who opened them")
    expect(openers.get_by_role("row", name="Customers")).to_contain_text("8")
    expect(openers.get_by_role("row", name="You", exact=False).get_by_role("link")).to_have_attribute(
        "href", f"/conversations?month={name}&by=business"
    )
    numbers = page.get_by_role("table", name="Conversations by number")
    expect(numbers.get_by_role("link", name="9", exact=True)).to_have_attribute(
        "href", f"/conversations?month={name}&phone={books.phones[0]}"
    )
    expect(page.get_by_role("link", name=re.compile("^Conversations 12"))).to_have_attribute(
        "href", f"/conversations?month={name}"
    )


def test_the_chart_has_the_same_figures_as_a_table_and_leads_to_each_day(
    open_as: OpenAs, books: Books
) -> None:
    books.fill(90, last=True)
    start = books.last_month
    page = go(open_as(), f"/billing?month={start:%Y-%m}")
    chart = part(page, "By day")
    expect(chart.locator(".bars svg")).to_be_visible()
    expect(chart.locator(".bars svg")).to_contain_text("Conversations")
    chart.locator(".bars").hover()
    tip = page.locator(".charttip")
    expect(tip).to_contain_text(re.compile(rf"\d+ {start:%B}.*Opened by customers\s*\d.*Opened by you"))
    chart.get_by_text("The same figures as a table").press("Enter")
    rows = chart.get_by_role("table").locator("tbody tr")
    expect(rows).to_have_count((books.this_month - start).days)
    expect(rows.first).to_contain_text(f"1 {start:%B}")
    together = rows.locator("td:last-child").all_inner_texts()
    assert sum(int(figure) for figure in together) == 90
    rows.first.get_by_role("link").click()
    page.wait_for_url(f"**/conversations?day={start:%Y-%m}-01")


def test_another_month_and_another_plan_are_a_look_away_and_change_nothing(
    open_as: OpenAs, books: Books
) -> None:
    books.fill(120, last=True)
    with books.console.runtime.unit(CLERK) as unit:
        before = unit.session.get_one(type(books.place.workspace), books.place.workspace.id).plan
    page = go(open_as(Role.MANAGER))
    expect(page.get_by_text("No conversations in")).to_be_visible()
    assert axe_finds(page) == []
    look(page, "billing-empty")
    choose(page, "Month", f"{books.last_month:%B %Y}")
    page.wait_for_url(f"**/billing?month={books.last_month:%Y-%m}")
    ready(page)
    plans = page.get_by_role("table", name="What the month would cost on each plan")
    expect(plans.get_by_role("row", name=re.compile("^Starter"))).to_contain_text(
        re.compile(r"100.*0\.01 USD.*20.*0\.20 USD.*0\.20 USD more")
    )
    expect(plans.get_by_role("row", name=re.compile("^Pro"))).to_contain_text(
        re.compile(r"Your plan.*500.*0\.005 USD.*0.*0\.00 USD.*the same")
    )
    expect(page.get_by_role("button", name="Starter")).to_have_count(0)
    with books.console.runtime.unit(CLERK) as unit:
        assert unit.session.get_one(type(books.place.workspace), books.place.workspace.id).plan is before


def test_the_owner_changes_the_plan_and_sees_before_what_it_changes(open_as: OpenAs, books: Books) -> None:
    books.change(plan=PlanName.STARTER)
    books.fill(120)
    page = go(open_as())
    page.get_by_role("button", name="Pro", exact=True).click()
    dialog = page.get_by_role("dialog", name="Change the plan to Pro?")
    expect(dialog).to_contain_text(re.compile(r"Included.*100 → \d+.*Amount so far.*0\.20 USD →"))
    assert axe_finds(page) == []
    look(page, "billing-plan")
    dialog.get_by_role("button", name="Change to Pro").click()
    expect(page.get_by_role("row", name=re.compile("^Pro"))).to_contain_text("Your plan")
    included = month(books).rating.included
    assert 100 <= included < 500
    expect(part(page, "Included conversations")).to_contain_text(f"of {included} used")
    with books.console.runtime.unit(books.place.owner) as unit:
        assert list_entries(unit, AuditFilter()).items[0].action == "workspace.changed"


def test_b11_the_owner_sets_a_hard_budget_and_the_page_says_when_it_is_reached(
    open_as: OpenAs, books: Books
) -> None:
    books.change(plan=PlanName.STARTER)
    books.fill(120)
    page = go(open_as())
    part(page, "Budget").get_by_role("button", name="Set a budget").click()
    dialog = page.get_by_role("dialog", name="Budget")
    dialog.get_by_label("Amount, USD").fill("a lot")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Write an amount such as 50")
    dialog.get_by_label("Amount, USD").fill("0.10")
    choose(dialog, "When it is reached", re.compile("^Hard"))
    assert axe_finds(page) == []
    dialog.get_by_role("button", name="Save").click()
    expect(part(page, "Budget")).to_contain_text("0.10 USD a month. Hard")
    expect(page.get_by_text("The month's budget of 0.10 USD is reached")).to_be_visible()
    expect(page.get_by_text("Sends that would open a new conversation are refused.")).to_be_visible()
    look(page, "billing-budget")
    found = month(books)
    assert (exact(found.budget_micros or 0), found.budget_mode) == ("0.10", BudgetMode.HARD)
    part(page, "Budget").get_by_role("button", name="Remove").click()
    expect(part(page, "Budget")).to_contain_text("No budget is set")


def test_b7_the_free_plan_at_its_stop_says_what_still_goes(open_as: OpenAs, books: Books) -> None:
    books.change(plan=PlanName.FREE)
    books.fill(101)
    page = go(open_as(size=PHONE, dark=True))
    expect(page.get_by_text("The free plan's conversations are used up")).to_be_visible()
    expect(page.get_by_text("customers can always write")).to_be_visible()
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    look(page, "billing-free")


def test_what_happens_meanwhile_comes_by_itself(open_as: OpenAs, books: Books) -> None:
    books.fill(3)
    page = go(open_as())
    expect(part(page, "Included conversations")).to_contain_text(re.compile(r"3\s*of 500 used"))
    books.fill(2)
    expect(part(page, "Included conversations")).to_contain_text(re.compile(r"5\s*of 500 used"))
    expect(page.get_by_role("row", name=re.compile("^Together"))).to_contain_text("5")


def test_a_manager_looks_and_is_offered_no_change(open_as: OpenAs, books: Books) -> None:
    books.fill(3)
    page = go(open_as(Role.MANAGER))
    expect(part(page, "Budget")).to_contain_text("An owner can change it.")
    for name in ("Set a budget", "Enterprise"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_an_agent_is_told_who_could_let_them_in(open_as: OpenAs) -> None:
    page = go(open_as(Role.AGENT))
    expect(page.get_by_text("billing.view").first).to_be_visible()


def test_a_month_that_is_none_is_refused_in_words(open_as: OpenAs) -> None:
    page = go(open_as(), "/billing?month=yesterday")
    expect(page.get_by_text("2026-11")).to_be_visible()


def test_p5_another_workspaces_conversations_are_not_counted(open_as: OpenAs, books: Books) -> None:
    Books(books.console, books.console.new_place()).fill(4)
    page = go(open_as())
    expect(part(page, "Included conversations")).to_contain_text(re.compile(r"0\s*of 500 used"))
    with books.console.runtime.unit(books.place.owner) as unit:
        assert unit.session.exec(unit.scoped(Conversation)).first() is None


def test_b8_any_days_on_any_plan_are_worked_out_and_nothing_is_written(open_as: OpenAs, books: Books) -> None:
    books.change(plan=PlanName.PRO)
    books.fill(31, last=True)
    page = go(open_as())
    form = part(page, "Other days")
    first, last = form.get_by_label("From"), form.get_by_label("To, included")
    first.fill(f"{books.this_month:%Y-%m-%d}")
    last.fill(f"{books.last_month:%Y-%m-%d}")
    form.get_by_role("button", name="Work it out").click()
    expect(form.get_by_text("Must not be earlier than the first day.")).to_be_visible()
    first.fill(f"{books.last_month:%Y-%m-%d}")
    choose(form, "Plan", "Starter")
    form.get_by_role("button", name="Work it out").click()
    answer = form.get_by_role("status")
    expect(answer).to_contain_text("on Starter: 0.00 USD")
    expect(answer).to_contain_text(re.compile(r"Included\s*3\s*Billable\s*0"))
    expect(answer).to_contain_text("Part of a month is in it")
    assert month(books).plan is PlanName.PRO
    assert axe_finds(page) == []
    look(page, "what-if")
