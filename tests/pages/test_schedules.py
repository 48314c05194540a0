"""Schedules: the failing first; run now, pause and resume by those who may; each with its history."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import col, select, update

from core.monitoring.commands import CLOCK, lead
from core.schedules import running
from core.schedules.running import Ended, Line
from core.unit import Identity
from data.enums import Role
from data.operations import Heartbeat, Lease
from data.schedules import Schedule
from tests.conftest import Place
from tests.console import Console
from tests.pages.conftest import PHONE, WIDE, OpenAs, axe_finds, ready
from tests.pages.people import make_platform_admin

PROCESS = Identity(process="clock")
HOLDER = "host-with-a-very-long-name.internal.example:4711"
TABLE = (
    Line("close conversations", "Writes down which have ended", 300.0, 0.0),
    Line("mail", "Sends mail that is due", 2.0),
    Line("purge", "Forgets what is older than its retention", 86_400.0, 9000.0),
    Line("token sweep", "Has every token looked at", 21_600.0, 0.0),
)
WHY = "The mail server at the other end of a long name does not answer, and has not for a good while now."


@pytest.fixture(autouse=True)
def clock(console: Console) -> None:
    """A clock that led, ran one, failed at another, and is gone."""
    with console.runtime.unit(PROCESS, write=True) as unit:
        for lease in unit.session.exec(select(Lease)):
            unit.session.delete(lease)
        for row in unit.session.exec(select(Schedule)):
            unit.session.delete(row)
    with console.runtime.unit(PROCESS, write=True) as unit:
        assert lead(unit, name=CLOCK, holder=HOLDER)
        running.take_the_lead(unit, TABLE)
        row = unit.session.get_one(Schedule, "token sweep")
        row.due_at = unit.now - timedelta(seconds=1)
        unit.session.add(row)
    with console.runtime.unit(PROCESS, write=True) as unit:
        begun = running.begin(unit, "token sweep", holder=HOLDER)
        assert begun is not None
        running.end(unit, begun.run_id, Ended(unit.now, 0.25, "2 tokens to look at"))
        for _ in range(3):
            running.note_failed_tick(unit, "mail", Ended(unit.now, 0.1, WHY, True), holder=HOLDER)


def opened(page: Page) -> Page:
    page.goto("/schedules")
    ready(page)
    return page


def test_an_owner_sees_what_fails_runs_one_now_and_pauses_another(
    signed_in: Page, console: Console, place: Place
) -> None:
    make_platform_admin(console, console.owner_email(place))
    page = opened(signed_in)
    silence = page.get_by_text("No clock is alive")
    expect(silence).to_have_count(0)
    with console.runtime.unit(PROCESS, write=True) as unit:
        is_clock = col(Heartbeat.kind) == CLOCK
        unit.session.exec(update(Heartbeat).where(is_clock).values(beat_at=unit.now - timedelta(minutes=2)))
    expect(silence).to_be_visible()
    rows = page.get_by_role("table", name="Schedules").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Mail")
    expect(rows.nth(1)).to_contain_text("3 in a row")
    expect(page.get_by_role("row", name="Purge")).to_contain_text("Daily at 02:30 UTC")

    page.get_by_role("button", name="Token sweep").click()
    drawer = page.get_by_role("complementary", name="Schedule")
    expect(drawer).to_contain_text("At 00:00, 06:00, 12:00 and 18:00 UTC")
    expect(drawer).to_contain_text("Done in 250 ms")
    expect(drawer).to_contain_text("2 tokens to look at")
    drawer.get_by_role("button", name="Run now").press("Enter")
    expect(drawer.get_by_role("button", name="Close")).to_be_focused()  # what was pressed is offered no more
    expect(page.get_by_text("The clock takes it up at once")).to_be_visible()
    expect(page.get_by_role("row", name="Token sweep")).to_contain_text("asked for")

    drawer.get_by_role("button", name="Pause").click()
    dialog = page.get_by_role("dialog", name="Pause token sweep?")
    dialog.get_by_label("Reason").fill("Meta moves house")
    dialog.get_by_role("button", name="Pause").click()
    expect(dialog).to_be_hidden()
    expect(drawer).to_contain_text("Paused until somebody resumes it")
    expect(page.get_by_role("row", name="Token sweep")).to_contain_text("Meta moves house")
    with console.runtime.unit(PROCESS) as unit:
        row = unit.session.get_one(Schedule, "token sweep")
        assert (row.asked_at is not None, row.pause_reason) == (True, "Meta moves house")
    drawer.get_by_role("button", name="Resume").click()
    expect(drawer.get_by_role("button", name="Pause")).to_be_visible()


def test_a_manager_only_looks(open_as: OpenAs) -> None:
    page = opened(open_as(Role.MANAGER))
    page.get_by_role("button", name="Mail").click()
    drawer = page.get_by_role("complementary", name="Schedule")
    expect(drawer).to_contain_text("Failed 3 times")
    expect(drawer.get_by_role("button", name="Run now")).to_have_count(0)
    expect(drawer.get_by_role("button", name="Pause")).to_have_count(0)


@pytest.mark.parametrize(("size", "dark"), [(WIDE, False), (PHONE, True)])
def test_axe_finds_nothing_in_the_drawer(open_as: OpenAs, size: tuple[int, int], dark: bool) -> None:
    page = open_as(size=size, dark=dark)
    page.goto("/schedules?open=mail")
    ready(page)
    expect(page.get_by_role("complementary", name="Schedule")).to_contain_text("Failed 3 times")
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
