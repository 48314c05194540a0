"""Monitoring: spans, phones and templates, a closer look, and the figures behind each picture."""

import math
import re
from collections import Counter
from datetime import timedelta

from playwright.sync_api import Page, expect

from core.traffic import folding
from core.traffic.measures import Timing, timed
from core.traffic.noting import Noted
from core.unit import Identity
from tests.conftest import Place
from tests.console import Console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, choose, ready, resize
from tests.pages.test_dead_letters import phone_of

# The second column of the table that is open, added up.
TAKEN = (
    "[...document.querySelectorAll('.chart tbody td:nth-child(2)')]"
    ".reduce((sum, cell) => sum + Number(cell.textContent), 0)"
)
# How high each bar is depends on the hour at which the test runs.
TALLEST = """(bars) => {
    const heights = bars.map((bar) => bar.getBoundingClientRect().height);
    return heights.indexOf(Math.max(...heights));
}"""
WORKER = Identity(process="worker")


def happen(console: Console, place: Place, *, minutes_ago: int, template: str | None, **counts: int) -> None:
    """So many of each counted then, each with times that grow with their number."""
    with console.runtime.unit(WORKER, write=True) as unit:
        unit.now = unit.now - timedelta(minutes=minutes_ago)
        noted = Noted()
        found = noted.of_message(place.workspace.id, phone_of(console, place), template)
        found.update(Counter({name.replace("__", ":"): n for name, n in counts.items()}))
        for n in range(counts.get("accepted", 0)):
            found[timed(Timing.TAKEN, 80_000 * (n + 1))] += 1
            found[timed(Timing.WAITED, 20_000 * (n + 1))] += 1
            found[timed(Timing.DELIVERED, 900_000 * (n + 1))] += 1
            found["busy_ms"] += 120
        of_all = noted.of_workspace(place.workspace.id)
        of_all["webhooks"] += 2 * counts.get("accepted", 0)
        of_all[timed(Timing.APPLIED, 45_000)] += 2 * counts.get("accepted", 0)
        noted.write(unit)


def add_up(console: Console) -> None:
    with console.runtime.unit(WORKER, write=True) as unit:
        while folding.add_up(unit):
            pass


def a_day(console: Console, place: Place) -> None:
    """Of ordinary sending, with an hour of trouble."""
    for quarter in range(96):
        wave = 6 + int(5 * math.sin(quarter / 15))
        trouble = 8 if 20 <= quarter < 26 else 1
        happen(
            console,
            place,
            minutes_ago=quarter * 15,
            template="order_update" if quarter % 3 else None,
            accepted=wave,
            passing=trouble,
            refused=quarter % 2,
            error__meta_131016=trouble,
            error__meta_131026=quarter % 2,
            retry__1=trouble,
            retry__2=trouble // 4,
        )
    add_up(console)


def test_without_traffic_the_pictures_are_empty_and_say_so(signed_in: Page) -> None:
    signed_in.goto("/monitoring")
    ready(signed_in)
    expect(signed_in.get_by_text("none in the span before").first).to_be_visible()
    expect(signed_in.get_by_text("Nothing was counted in this span.")).to_be_visible()
    assert axe_finds(signed_in) == []


def test_a_day_is_shown_narrowed_and_looked_at_closely(
    signed_in: Page, console: Console, place: Place
) -> None:
    a_day(console, place)
    page = signed_in
    page.goto("/monitoring")
    ready(page)
    sends = page.get_by_role("region", name="Tries to send, by outcome")
    expect(sends.locator(".bars svg path[fill='var(--brand)']")).not_to_have_count(0)
    expect(page.get_by_role("group", name="Key figures")).to_contain_text("Taken by Meta")
    errors = page.get_by_role("region", name="Errors, by code")
    expect(errors.get_by_text("131016 Service temporarily unavailable")).to_be_visible()
    assert axe_finds(page) == []

    sends.get_by_text("The same figures as a table").click()
    table = sends.get_by_role("table")
    expect(table.get_by_role("columnheader")).to_contain_text(["From", "Taken by Meta"])
    of_all = page.evaluate(TAKEN)
    assert axe_finds(page) == []
    choose(page, "Template", "Texts")
    expect(page).to_have_url(re.compile("template=-"))
    expect(page.get_by_role("group", name="Filters in force")).to_contain_text("Texts")
    page.wait_for_function(f"(before) => ({TAKEN}) < before", arg=of_all)
    page.get_by_role("button", name="Clear all").click()
    page.get_by_role("button", name="7 days").click()
    expect(page).to_have_url(re.compile("span=7d"))

    page.reload()
    ready(page)
    bars = sends.locator(".bars svg path[fill='var(--brand)']")
    expect(bars).not_to_have_count(0)
    bars.nth(bars.evaluate_all(TALLEST)).click()
    expect(page).to_have_url(re.compile(r"from=\d+&until=\d+"))
    expect(page.get_by_role("group", name="Filters in force")).to_contain_text(" to ")
    page.go_back()
    expect(page).to_have_url(re.compile("span=7d$"))


def test_on_a_phone_and_in_the_dark_it_is_whole(open_as: OpenAs, console: Console, place: Place) -> None:
    a_day(console, place)
    page = open_as(size=PHONE, dark=True)
    page.goto("/monitoring?span=24h&from=x&until=y")
    ready(page)
    expect(page.locator(".charts .bars svg path[fill='var(--brand)']")).not_to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert axe_finds(page) == []
    resize(page, (1440, 900))
