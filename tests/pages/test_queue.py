"""The queue page: what it says, pause and resume, and a list that stands still."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import col, select, update

from core.lanes.commands import EVERYTHING
from core.lanes.holding import hold, release
from core.messaging import intake
from core.team.owners import COMMAND
from data.enums import HoldCause, HoldScope, MessageState, Role, WaitingFor
from data.messages import Message
from data.operations import Heartbeat
from data.sending import Hold, Phone
from tests.conftest import Place
from tests.console import Console
from tests.core.desk import order
from tests.pages.conftest import OpenAs, axe_finds, choose, ready
from tests.pages.people import make_platform_admin


def queue(console: Console, place: Place, count: int = 1, *, first: int = 0, **values: Any) -> list[str]:
    """The ids of that many queued messages from the first phone, with those columns set."""
    phone_number_id = phones(console, place)[0]
    ids = []
    with console.runtime.unit(place.owner, write=True) as unit:
        for index in range(first, first + count):
            request = order(f"+49151123{index:05d}", phone_number_id=phone_number_id, queued=True)
            ids.append(intake.store(unit, request).answer.message_id)
        if values:
            unit.session.flush()
            unit.session.execute(update(Message).where(col(Message.id).in_(ids)).values(**values))
    return ids


def phones(console: Console, place: Place) -> list[str]:
    with console.runtime.unit(place.owner) as unit:
        return list(unit.session.exec(unit.scoped(Phone).order_by(col(Phone.id)).with_only_columns(Phone.id)))


def active_holds(console: Console, place: Place) -> list[tuple[str, str]]:
    with console.runtime.unit(place.owner) as unit:
        found = unit.session.exec(
            select(Hold).where(col(Hold.released_at).is_(None), Hold.workspace_id == place.workspace.id)
        )
        return [(hold.scope.value, hold.reason) for hold in found]


def opened(page: Page, path: str = "/queue") -> Page:
    page.goto(path)
    ready(page)
    return page


def tile(page: Page, name: str) -> Any:
    return page.locator(".stat", has_text=name).locator(".val")


def test_tiles_and_rows_say_what_waits_and_what_happens_next(
    signed_in: Page, console: Console, place: Place
) -> None:
    due_at = console.runtime.clock.now() + timedelta(minutes=12, seconds=30)
    retry = {"state": MessageState.RETRY_QUEUED, "waiting_for": WaitingFor.RUNG, "due_at": due_at, "rung": 3}
    failed = {"attempt": 3, "error_code": "meta_131016", "may_duplicate": True}
    queue(console, place, 2)
    queue(console, place, first=10, **retry, **failed)
    queue(console, place, first=20, state=MessageState.UNKNOWN, waiting_for=WaitingFor.PERSON, due_at=None)
    page = opened(signed_in)
    for name, count in (("Ready", "2"), ("Waiting for a retry", "1"), ("Unknown", "1"), ("Dead", "0")):
        expect(tile(page, name)).to_have_text(count)
    expect(page.get_by_text("next in 12 min")).to_be_visible()
    rows = page.get_by_role("table", name="Messages in the queue").get_by_role("row")
    expect(rows).to_have_count(5)
    expect(rows.nth(1)).to_contain_text("Waits for a person's word")
    expect(rows.nth(2)).to_contain_text("Waits for its turn")
    expect(rows.nth(4)).to_contain_text("Retry 3 of 4 in 12 min")
    expect(rows.nth(4)).to_contain_text("Service temporarily unavailable131016 · may arrive twice")
    expect(rows.nth(4)).to_contain_text("3 of 5")


def test_pause_asks_why_and_resume_says_what_will_go(signed_in: Page, console: Console, place: Place) -> None:
    queue(console, place, 12)
    page = opened(signed_in)
    page.get_by_role("button", name="Pause the queue").click()
    dialog = page.get_by_role("dialog")
    confirm = dialog.get_by_role("button", name="Pause the queue")
    expect(confirm).to_be_disabled()
    dialog.get_by_label("Reason").fill("Stocktaking")
    confirm.click()
    expect(page.get_by_text(re.compile(r"^Paused by owner.* just now: Stocktaking\.$", re.I))).to_be_visible()
    expect(tile(page, "Held")).to_have_text("12")
    expect(page.get_by_text("Waits: the queue is paused").first).to_be_visible()
    assert active_holds(console, place) == [("workspace", "Stocktaking")]
    page.get_by_role("button", name="Resume the queue").click()
    expect(page.get_by_role("dialog")).to_contain_text("12 messages will go.")
    page.get_by_role("dialog").get_by_role("button", name="Resume, 12 go").click()
    expect(tile(page, "Held")).to_have_text("0")
    assert active_holds(console, place) == []


def test_a_pause_may_have_an_end_which_is_shown(signed_in: Page, console: Console, place: Place) -> None:
    queue(console, place, 3)
    page = opened(signed_in)
    page.get_by_role("button", name="Pause the queue").click()
    dialog = page.get_by_role("dialog", name="Pause the queue?")
    expect(dialog).to_contain_text("Waits now3 messages")
    dialog.get_by_label("Reason").fill("Stocktaking")
    choose(page, "Ends", "In an hour")
    dialog.get_by_role("button", name="Pause the queue").click()
    expect(page.locator(".wellness")).to_contain_text("Stocktaking · ends in")
    name = f"{place.workspace.name} 1"
    page.get_by_role("button", name=f"Pause {name}").click()
    page.get_by_label("Reason").fill("New name")
    choose(page, "Ends", "In 15 minutes")
    page.get_by_role("button", name="Pause phone").click()
    expect(
        page.get_by_role("list", name="Phones").get_by_text(re.compile("New name · ends in"))
    ).to_be_visible()
    with console.runtime.unit(place.owner) as unit:
        holds = unit.session.exec(unit.scoped(Hold).order_by(col(Hold.held_at))).all()
    assert [one.until - one.held_at for one in holds if one.until] == [
        timedelta(hours=1),
        timedelta(minutes=15),
    ]
    page.goto("/phones")
    expect(page.get_by_text(re.compile("New name · ends in"))).to_be_visible()


def test_a_template_is_held_from_here_with_what_waits_of_it(
    signed_in: Page, console: Console, place: Place
) -> None:
    queue(console, place, 2)
    page = opened(signed_in)
    page.get_by_role("button", name="Pause a template").click()
    choose(page, "Template, and what waits of it now", "order_update (en_US) · 2 messages")
    page.get_by_label("Reason").fill("Wrong price")
    assert axe_finds(page) == []
    page.get_by_role("button", name="Pause template").click()
    expect(page.get_by_text("order_update (en_US) is paused")).to_be_visible()
    held = page.get_by_role("list", name="Holds")
    expect(held).to_contain_text("order_update (en_US)")
    expect(held).to_contain_text("Wrong price")
    assert active_holds(console, place) == [("template", "Wrong price")]
    page.get_by_role("button", name="Pause a template").click()
    page.get_by_role("combobox", name="Template, and what waits of it now").click()
    expect(page.get_by_role("option", name="hello_world")).to_be_visible()
    expect(page.get_by_role("option", name="order_update")).to_have_count(0)


def test_the_platforms_admin_pauses_everything_and_nobody_else_can(
    open_as: OpenAs, console: Console, place: Place
) -> None:
    page = opened(open_as(Role.MANAGER))
    expect(page.get_by_role("button", name="Pause everything")).to_have_count(0)
    make_platform_admin(console, console.owner_email(place))
    page = opened(open_as(Role.OWNER))
    try:
        page.get_by_role("button", name="Pause everything").click()
        dialog = page.get_by_role("dialog", name="Pause everything?")
        expect(dialog).to_contain_text("Stops")
        dialog.get_by_label("Reason").fill("Meta asks us to stop")
        dialog.get_by_role("button", name="Pause everything").click()
        expect(page.locator(".wellness")).to_contain_text("For everybody, sending is paused")
        page.get_by_role("button", name="Release Every workspace").click()
        page.get_by_role("dialog").get_by_role("button", name="Release").click()
        expect(page.get_by_text("For everybody, sending is paused")).to_have_count(0)
    finally:
        with console.runtime.unit(COMMAND, write=True) as unit:
            release(unit, scope=HoldScope.EVERYTHING, subject=EVERYTHING)


def test_a_phone_is_paused_and_resumed_alone(signed_in: Page, console: Console, place: Place) -> None:
    queue(console, place, 3)
    name = f"{place.workspace.name} 1"
    page = opened(signed_in)
    page.get_by_role("button", name=f"Pause {name}").click()
    page.get_by_label("Reason").fill("New name")
    page.get_by_role("button", name="Pause phone").click()
    card = page.get_by_role("list", name="Phones").get_by_role("listitem").filter(has_text=name)
    expect(card).to_contain_text("Paused")
    expect(card).to_contain_text("New name")
    assert active_holds(console, place) == [("lane", "New name")]
    page.get_by_role("button", name=f"Resume {name}").click()
    expect(page.get_by_text(f"{name} is resumed. 3 messages will go.")).to_be_visible()
    assert active_holds(console, place) == []


def test_tabs_and_phone_stand_in_the_address(signed_in: Page, console: Console, place: Place) -> None:
    queue(console, place, 2)
    page = opened(signed_in, "/queue?show=held")
    expect(page.get_by_text("Nothing is held")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Ready")).click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("button", name=f"{place.workspace.name} 2", exact=True).click()
    expect(page.get_by_text("Nothing of this phone is here")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"/queue\?show=ready&phone={phones(console, place)[1]}$"))
    page.get_by_role("button", name=f"From {place.workspace.name} 2, remove filter").click()
    expect(page.get_by_role("row")).to_have_count(3)


def test_a_missing_worker_is_told_with_what_waits(signed_in: Page, console: Console, place: Place) -> None:
    queue(console, place, 3)
    with console.runtime.unit(COMMAND, write=True) as unit:
        unit.session.execute(
            update(Heartbeat)
            .where(col(Heartbeat.kind) == "worker")
            .values(beat_at=unit.now - timedelta(minutes=2))
        )
    page = opened(signed_in)
    expect(page.get_by_role("alert")).to_contain_text("No worker seen for 2 min")
    expect(page.get_by_text("3 due messages are waiting.")).to_be_visible()
    expect(page.get_by_text("Running.")).to_be_hidden()
    console.beat()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_the_list_follows_but_stands_still_under_the_pointer(
    signed_in: Page, console: Console, place: Place
) -> None:
    queue(console, place, 2)
    page = opened(signed_in)
    rows = page.get_by_role("table", name="Messages in the queue").get_by_role("row")
    expect(rows).to_have_count(3)
    queue(console, place, 1, first=10)
    expect(rows).to_have_count(4)
    rows.nth(2).hover()
    queue(console, place, 2, first=20)
    new = page.get_by_role("button", name="2 new")
    expect(new).to_be_visible()
    expect(rows).to_have_count(4)
    new.click()
    expect(rows).to_have_count(6)


def test_a_row_leads_to_its_message(signed_in: Page, console: Console, place: Place) -> None:
    (message_id,) = queue(console, place)
    page = opened(signed_in)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/messages/{message_id}")


def test_support_sees_masked_rows_and_cannot_pause(open_as: OpenAs, console: Console, place: Place) -> None:
    queue(console, place)
    page = opened(open_as(Role.SUPPORT))
    row = page.get_by_role("row").nth(1)
    expect(row).to_contain_text("+49•••••0000")
    expect(row).to_contain_text("Text hidden")
    expect(page.get_by_role("button", name=re.compile("^Pause"))).to_have_count(0)


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER])
def test_who_may_not_see_the_queue_is_told(open_as: OpenAs, role: Role) -> None:
    page = open_as(role)
    page.goto("/queue")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not for your role")


def test_what_is_held_says_why_and_how_much_and_is_released_there(
    signed_in: Page, console: Console, place: Place
) -> None:
    queue(console, place, 3)
    page = opened(signed_in)
    holds = page.get_by_role("region", name="What is held")
    expect(holds).to_be_hidden()
    phone = phones(console, place)[0]
    with console.runtime.unit(place.owner, write=True) as unit:
        hold(
            unit,
            scope=HoldScope.LANE,
            subject=phone,
            cause=HoldCause.RESTRICTION,
            reason="Number restricted for spam.",
            workspace_id=place.workspace.id,
        )
    row = holds.get_by_role("listitem")
    expect(row).to_contain_text(f"{place.workspace.name} 1")
    expect(row).to_contain_text("Number restricted for spam.")
    expect(row).to_contain_text("3 messages wait")
    assert axe_finds(page) == []
    row.get_by_role("button", name=f"Release {place.workspace.name} 1").click()
    expect(page.get_by_role("dialog")).to_contain_text("3 messages will go.")
    page.get_by_role("dialog").get_by_role("button", name="Release").click()
    expect(holds).to_be_hidden()
    assert active_holds(console, place) == []
