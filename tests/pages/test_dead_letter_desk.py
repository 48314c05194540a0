"""The dead letters as a desk: causes, orders, views, files, one letter's story, and all of it by keyboard."""

import csv
import json
import re
import socket
from pathlib import Path

from playwright.sync_api import Locator, Page, expect
from sqlalchemy import text
from sqlmodel import col, select

from core.dead_letters import bulk, commands
from core.team.queries import colleagues
from data.enums import LetterState, Role
from data.messages import Attempt, DeadLetter
from tests.conftest import Place
from tests.console import COOKIE, Console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, choose, copied, ready, resize
from tests.pages.test_dead_letters import MISMATCH, die, drawer, open_at, state_of


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Dead letters").locator("tbody tr")


def test_a_cause_says_since_when_for_whom_and_what_to_do_and_is_redriven_as_a_whole(
    signed_in: Page, console: Console, place: Place
) -> None:
    for n in (1, 2):
        die(console, place, to=f"+491511230000{n}", reply=MISMATCH)
    die(console, place, to="+4915112300003")
    page = signed_in
    page.goto("/dead-letters")
    ready(page)
    cause = page.get_by_role("region", name="This error")
    expect(cause).to_be_hidden()
    listed = page.get_by_role("region", name="Errors").get_by_role("button", name="Number of variables")
    expect(listed).to_contain_text("Needs a fix")
    expect(listed).to_contain_text("2 in 24 hours")
    expect(listed.locator("svg.trend path")).to_have_count(1)
    listed.click()
    expect(cause.get_by_text("correct the variables and redrive")).to_be_visible()
    expect(cause.locator("dd").nth(2)).to_have_text("2")
    expect(cause.get_by_text("order_update (2)")).to_be_visible()
    assert axe_finds(page) == []
    resize(page, PHONE)
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    assert axe_finds(page) == []
    cause.get_by_role("button", name="Redrive 2 letters").click()
    asked = page.get_by_role("dialog", name="Redrive these dead letters?")
    expect(asked.get_by_text("2 messages")).to_be_visible()


def test_the_list_is_ordered_and_narrowed_and_the_address_says_how(
    signed_in: Page, console: Console, place: Place
) -> None:
    first, second, third = (die(console, place, to=f"+491511230000{n}") for n in (1, 2, 3))
    with console.runtime.unit(place.owner, write=True) as unit:
        unit.find(DeadLetter, second, called="dead letter").attempts = 4
        (owner,) = colleagues(unit)
        commands.annotate(unit, third, assignee_id=owner)
    page = signed_in
    page.goto("/dead-letters")
    ready(page)
    expect(rows(page)).to_contain_text(["2300003", "2300002", "2300001"])
    page.get_by_role("button", name="Died").click()
    expect(page.get_by_role("columnheader", name="Died")).to_have_attribute("aria-sort", "ascending")
    expect(rows(page)).to_contain_text(["2300001", "2300002", "2300003"])
    page.get_by_role("button", name="Attempts", exact=True).click()
    expect(page.get_by_role("columnheader", name="Attempts")).to_have_attribute("aria-sort", "descending")
    expect(rows(page)).to_contain_text(["2300002", "2300003", "2300001"])
    expect(page).to_have_url(re.compile("sort=mostAttempts"))
    more = page.get_by_role("button", name="More", exact=True)
    expect(more).to_have_attribute("aria-expanded", "false")
    more.click()
    choose(page, "Order", "Fewest attempts first")
    expect(rows(page)).to_contain_text(["2300001", "2300003", "2300002"])
    choose(page, "Attempts", "4 attempts")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("2300002")
    expect(page).to_have_url(re.compile("attempts=4"))
    page.reload()
    ready(page)
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="4 attempts, remove filter").click()
    expect(rows(page)).to_have_count(3)
    choose(page, "Template", "order_update")
    choose(page, "Assignee", "With me")
    expect(page).to_have_url(re.compile("template=order_update.*assignee=me"))
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("2300003")
    assert state_of(console, place, first) is LetterState.OPEN


def test_words_that_are_searched_for_are_listed_by_date_and_it_is_said(
    signed_in: Page, console: Console, place: Place
) -> None:
    die(console, place)
    page = signed_in
    page.goto("/dead-letters?q=undeliverable&sort=mostAttempts")
    ready(page)
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("columnheader", name="Died")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="Attempts", exact=True).click()
    expect(page.get_by_text("What is found by its words is listed by date.")).to_be_visible()


def test_what_the_address_says_wrongly_narrows_nothing(
    signed_in: Page, console: Console, place: Place
) -> None:
    die(console, place)
    signed_in.goto("/dead-letters?attempts=many&from=yesterday&class=odd&sort=up&range=1y&state=lost")
    ready(signed_in)
    expect(rows(signed_in)).to_have_count(1)
    expect(signed_in.get_by_role("group", name="Filters in force")).to_be_hidden()


def test_a_view_is_saved_for_the_team_opened_by_another_and_deleted(
    signed_in: Page, open_as: OpenAs, console: Console, place: Place
) -> None:
    die(console, place)
    die(console, place, to="+4915112300002", reply=MISMATCH)
    page = signed_in
    page.goto("/dead-letters?code=meta_132000&range=24h")
    ready(page)
    page.get_by_role("button", name="Views").click()
    dialog = page.get_by_role("dialog", name="Views")
    dialog.get_by_role("button", name="Save view").click()
    expect(dialog.get_by_text("Give it a name of at most 80 characters.")).to_be_visible()
    dialog.get_by_label("Name").fill("Variables today")
    choose(dialog, "Who finds it", "Everyone in the team")
    assert axe_finds(page) == []
    dialog.get_by_role("button", name="Save view").click()
    expect(page.get_by_text("The view is saved")).to_be_visible()

    other = open_as(Role.MANAGER)
    other.goto("/dead-letters?state=discarded")
    ready(other)
    other.get_by_role("button", name="Views").click()
    other.get_by_role("button", name="Variables today", exact=True).click()
    expect(other).to_have_url(
        re.compile(r"/dead-letters\?(code=meta_132000&range=24h|range=24h&code=meta_132000)$")
    )
    expect(rows(other)).to_have_count(1)
    expect(rows(other)).to_contain_text("2300002")

    page.get_by_role("button", name="Views").click()
    dialog.get_by_role("button", name="Delete the view Variables today").click()
    expect(dialog.get_by_text("Variables today")).to_have_count(0)


def test_what_matches_is_taken_out_as_a_file(
    signed_in: Page, console: Console, place: Place, tmp_path: Path
) -> None:
    die(console, place)
    wanted = die(console, place, to="+4915112300002", reply=MISMATCH)
    page = signed_in
    page.goto("/dead-letters?code=meta_132000")
    ready(page)
    expect(rows(page)).to_have_count(1)
    for form, ending in (("CSV, for spreadsheets", "csv"), ("JSON lines, for scripts", "jsonl")):
        page.get_by_role("button", name="Export").click()
        asked = page.get_by_role("dialog", name="Export 1 dead letter")
        choose(asked, "Format", form)
        with page.expect_download() as download:
            asked.get_by_role("button", name="Export").click()
        assert download.value.suggested_filename.endswith(ending)
        path = tmp_path / ending
        download.value.save_as(path)
        written = path.read_text(encoding="utf-8-sig")
        found = (
            list(csv.DictReader(written.splitlines()))
            if ending == "csv"
            else [json.loads(line) for line in written.splitlines()]
        )
        assert [line["id"] for line in found] == [wanted]
        expect(asked).to_have_count(0)


def test_a_large_file_says_how_far_it_is_until_it_is_through_or_given_up(
    signed_in: Page, console: Console, place: Place
) -> None:
    letter_id = die(console, place)
    with console.runtime.unit(place.owner, write=True) as unit:
        columns = ", ".join(column.name for column in DeadLetter.__table__.columns)
        again = columns.replace("id,", "id || '_' || n,", 1).replace("round", "n")
        unit.session.execute(
            text(
                "WITH RECURSIVE many(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM many WHERE n < 20000) "
                f"INSERT INTO dead_letter ({columns}) SELECT {again} FROM dead_letter, many WHERE id = :id"
            ),
            {"id": letter_id},
        )
    page = signed_in
    page.goto("/dead-letters")
    ready(page)
    under_way = page.get_by_role("region", name="Exports")
    expect(under_way).to_be_hidden()
    cookie = next(each["value"] for each in page.context.cookies() if each["name"] == COOKIE)
    host, port = console.url.removeprefix("http://").split(":")
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # it reads a little, and waits
        reader.connect((host, int(port)))
        reader.sendall(
            f"GET /dead-letters/export?format=json HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Cookie: {COOKIE}={cookie}\r\n\r\n".encode()
        )
        assert reader.recv(64).startswith(b"HTTP/1.1 200")
        expect(under_way.get_by_text(re.compile(r"^[\d,]+ of 20,000 dead letters$"))).to_be_visible()
        assert axe_finds(page) == []
    expect(under_way).to_be_hidden()


def test_the_drawer_leads_to_the_same_error_elsewhere_and_gives_trace_and_request_to_copy(
    signed_in: Page, console: Console, place: Place
) -> None:
    for n in (2, 3):
        die(console, place, to=f"+491511230000{n}")
    letter_id = die(console, place)
    with console.runtime.unit(place.owner, write=True) as unit:
        message_id = unit.find(DeadLetter, letter_id, called="dead letter").message_id
        unit.session.exec(
            select(Attempt).where(col(Attempt.message_id) == message_id)
        ).one().trace_id = "AbC123"
    page = signed_in
    open_at(page, letter_id)
    shown = drawer(page)
    assert copied(shown.get_by_role("button", name="Copy Meta’s trace id")) == "AbC123"
    request = copied(shown.get_by_role("button", name="Copy as curl"))
    assert request.startswith("curl ")
    assert "Authorization: Bearer $WHATSAPP_TOKEN" in request
    body = json.loads(request.rpartition("-d '")[2].removesuffix("'"))
    assert (body["to"], body["biz_opaque_callback_data"]) == ("+4915112300001", message_id)
    assert axe_finds(page) == []
    expect(shown.get_by_role("link", name="Open the conversation")).to_have_attribute(
        "href", re.compile("^/contacts/")
    )
    shown.get_by_role("link", name="2 other open letters with this error").click()
    expect(page).to_have_url(re.compile(r"\?group="))
    expect(rows(page)).to_have_count(3)


def test_support_gets_neither_request_nor_export(open_as: OpenAs, console: Console, place: Place) -> None:
    letter_id = die(console, place)
    page = open_as(Role.SUPPORT)
    open_at(page, letter_id)
    expect(drawer(page).get_by_text("Hidden for your role.")).to_be_visible()
    expect(drawer(page).get_by_role("button", name="Copy as curl")).to_have_count(0)
    expect(page.get_by_role("button", name="Export")).to_have_count(0)


def test_triage_needs_no_mouse(signed_in: Page, console: Console, place: Place) -> None:
    kept, redriven, given_up = (
        die(console, place, to=f"+491511230000{n}", code="meta_130429") for n in (3, 2, 1)
    )
    page = signed_in
    press = page.keyboard.press
    page.goto("/dead-letters")
    ready(page)

    press("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    for words in (
        "Next and previous row",
        "Select the row",
        "Redrive the dead letter, or those selected",
        "Assign the dead letter",
    ):
        expect(keys.get_by_text(words)).to_be_visible()
    press("Escape")

    press("/")
    page.keyboard.type("4915112300001")
    expect(rows(page)).to_have_count(1)
    press("Escape")
    press("/")
    press("Backspace")
    expect(rows(page)).to_have_count(3)
    press("Escape")

    press("j")
    press("Enter")
    expect(drawer(page).get_by_role("heading", name="+49 1511 2300001")).to_be_visible()
    press("a")
    asked = page.get_by_role("dialog", name="Who looks after this dead letter?")
    asked.get_by_role("button", name="Assign").press("Enter")
    expect(drawer(page).get_by_text("With Owner")).to_be_visible()
    press("d")
    page.get_by_role("dialog", name="Discard this dead letter?").get_by_label("Reason").press("O")
    page.keyboard.type("ld number")
    press("Tab")
    press("Tab")
    press("Enter")
    expect(drawer(page).get_by_text("Discarded", exact=True)).to_be_visible()
    press("j")
    expect(drawer(page).get_by_role("heading", name="+49 1511 2300002")).to_be_visible()
    press("r")
    expect(drawer(page).get_by_text("Redriven", exact=True)).to_be_visible()
    press("Escape")
    expect(page).to_have_url(re.compile("/dead-letters$"))
    assert state_of(console, place, given_up) is LetterState.DISCARDED
    assert state_of(console, place, redriven) is LetterState.REDRIVEN

    page.reload()
    ready(page)
    expect(rows(page)).to_have_count(1)
    press("j")
    press("x")
    press("r")
    asked = page.get_by_role("dialog", name="Redrive these dead letters?")
    asked.get_by_role("button", name="Redrive 1").press("Enter")
    expect(page.get_by_role("region", name="Bulk work").get_by_text("Running")).to_be_visible()
    bulk.run_due(console.runtime)
    assert state_of(console, place, kept) is LetterState.REDRIVEN


def test_the_palette_searches_for_what_is_typed_and_goes_to_other_workspaces(
    signed_in: Page, console: Console, place: Place
) -> None:
    die(console, place)
    page = signed_in
    page.goto("/")
    ready(page)
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search pages and commands")
    field.fill("2300001")
    expect(page.get_by_role("option")).to_have_text(
        [
            "Search messages for “2300001”",
            "Search dead letters for “2300001”",
            "Search contacts for “2300001”",
        ]
    )
    assert axe_finds(page) == []
    field.fill("undeliverable")
    page.get_by_role("option", name="Search dead letters").click()
    expect(page).to_have_url(re.compile("q=undeliverable"))
    expect(rows(page)).to_have_count(1)


def test_everything_that_ran_out_of_attempts_is_one_list(
    signed_in: Page, console: Console, place: Place
) -> None:
    page = signed_in
    page.goto("/failures")
    ready(page)
    expect(page.get_by_text("Nothing ran out of attempts")).to_be_visible()
    letter_id = die(console, place)
    failed = page.get_by_role("table", name="Failures").locator("tbody tr")
    expect(failed).to_contain_text(["+49 1511 2300001"])
    expect(failed).to_contain_text(["Cannot be delivered to this number"])
    assert axe_finds(page) == []
    page.get_by_role("button", name="Webhooks", exact=True).click()
    expect(page.get_by_text("Nothing ran out of attempts")).to_be_visible()
    expect(page).to_have_url(re.compile("kind=webhook"))
    page.get_by_role("button", name="Messages", exact=True).click()
    page.get_by_role("button", name="+49 1511 2300001").click()
    expect(page).to_have_url(re.compile(f"/dead-letters[?]id={letter_id}"))
    expect(drawer(page).get_by_role("heading", level=2)).to_be_visible()
