"""The page of dead letters: finding one, understanding it, doing something about it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from core.dead_letters import bulk, commands
from core.dead_letters.detail import letter_detail
from core.messaging import intake, settling
from core.messaging.claiming import claim, mark_sending
from core.messaging.requests import SendRequest, template_payload
from core.messaging.settling import Result
from core.phones.queries import choices
from core.ports.graph_replies import Reply, ReplyKind
from core.unit import Identity
from data.enums import LetterState, Role
from data.messages import DeadLetter, Message, ServiceWindow
from tests.conftest import Place
from tests.console import Console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, ready

WORKER = Identity(process="worker")
UNDELIVERABLE = Reply(ReplyKind.REFUSED, meta_code=131026, http_status=400, detail="Message undeliverable")
MISMATCH = Reply(
    ReplyKind.REFUSED, meta_code=132000, http_status=400, detail="body: expected 2 params, got 1"
)
MARA = "+4915112300001"
CLICK_AND_AT_ONCE_PRESS_R = """(button) => {
    button.click();
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "r", bubbles: true }));
}"""


def die(
    console: Console,
    place: Place,
    *,
    to: str = MARA,
    reply: Reply = UNDELIVERABLE,
    code: str | None = None,
) -> str:
    """The id of a new dead letter of ``place``: sent once and refused with that reply. ``code`` puts another
    error in its place, for those that Meta's answer alone does not bring about."""
    words = [{"type": "text", "text": word} for word in ("Mara", "NW-20418")]
    payload = template_payload(
        to, name="order_update", language="en_US", components=[{"type": "body", "parameters": words}]
    )
    runtime = console.runtime
    with runtime.unit(place.owner, write=True) as unit:
        request = SendRequest(payload=payload, phone_number_id=phone_of(console, place), queued=True)
        message_id = intake.store(unit, request).answer.message_id
    with runtime.unit(WORKER, write=True) as unit:
        taken = claim(unit, holder="test", in_flight={}, per_lane=100, in_all=100)
    ours = next(each for each in taken.claims if each.message_id == message_id)
    with runtime.unit(WORKER, write=True) as unit:
        mark_sending(unit, [ours], holder="test")
    with runtime.unit(WORKER, write=True) as unit:
        settling.settle(unit, [Result(ours.message_id, ours.attempt, reply)])
    with runtime.unit(place.owner, write=True) as unit:
        letter = unit.session.exec(unit.scoped(DeadLetter).where(DeadLetter.message_id == message_id)).one()
        if code is not None:
            letter.error_code = code
            letter.fingerprint = code
            unit.session.add(letter)
        return letter.id


def phone_of(console: Console, place: Place) -> str:
    with console.runtime.unit(place.owner) as unit:
        return choices(unit)[0].phone_number_id


def state_of(console: Console, place: Place, letter_id: str) -> LetterState:
    with console.runtime.unit(place.owner) as unit:
        return letter_detail(unit, letter_id).row.state


def drawer(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Dead letter")


def open_at(page: Page, letter_id: str) -> None:
    page.goto(f"/dead-letters?id={letter_id}")
    ready(page)
    expect(drawer(page).get_by_role("heading", level=2)).to_be_visible()


def test_without_letters_the_page_says_what_would_fill_it(signed_in: Page) -> None:
    signed_in.goto("/dead-letters")
    ready(signed_in)
    expect(signed_in.get_by_text("No open dead letters")).to_be_visible()
    assert axe_finds(signed_in) == []


def test_a_letter_is_found_by_its_cause_and_the_address_remembers(
    signed_in: Page, console: Console, place: Place
) -> None:
    die(console, place)
    die(console, place, to="+4915112300002", reply=MISMATCH)
    page = signed_in
    page.goto("/dead-letters")
    ready(page)
    expect(page.get_by_role("table", name="Dead letters").get_by_role("row")).to_have_count(3)
    causes, letters = (page.get_by_role("region", name=name).bounding_box() for name in ("Errors", "Letters"))
    assert causes is not None
    assert letters is not None
    assert causes["x"] + causes["width"] < letters["x"]
    page.get_by_role("region", name="Errors").get_by_role("button", name="Number of variables").click()
    expect(page.get_by_role("table", name="Dead letters").get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("button", name="+49 1511 2300002")).to_be_visible()
    expect(page).to_have_url(re.compile("group="))
    page.reload()
    ready(page)
    expect(page.get_by_role("table", name="Dead letters").get_by_role("row")).to_have_count(2)
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_role("table", name="Dead letters").get_by_role("row")).to_have_count(3)


def test_back_undoes_a_filter_and_closes_the_drawer_and_forward_brings_both_again(
    signed_in: Page, console: Console, place: Place
) -> None:
    die(console, place)
    letter_id = die(console, place, to="+4915112300002", reply=MISMATCH)
    page = signed_in
    page.goto("/dead-letters")
    ready(page)
    rows = page.get_by_role("table", name="Dead letters").get_by_role("row")
    page.get_by_role("region", name="Errors").get_by_role("button", name="Number of variables").click()
    expect(rows).to_have_count(2)
    expect(page).to_have_url(re.compile("group="))
    narrowed = page.url
    page.get_by_role("button", name="+49 1511 2300002").click()
    expect(drawer(page)).to_be_visible()
    expect(page).to_have_url(f"{narrowed}&id={letter_id}")
    page.go_back()
    expect(page).to_have_url(narrowed)
    expect(drawer(page)).to_be_hidden()
    expect(rows).to_have_count(2)
    ready(page)
    page.go_back()
    expect(page).to_have_url(re.compile("/dead-letters$"))
    expect(rows).to_have_count(3)
    page.go_forward()
    expect(page).to_have_url(narrowed)
    expect(rows).to_have_count(2)


def test_filters_that_match_nothing_say_so(signed_in: Page, console: Console, place: Place) -> None:
    die(console, place)
    signed_in.goto("/dead-letters?q=nothing-like-this&template=winter_sale")
    ready(signed_in)
    expect(signed_in.get_by_text("No dead letters match")).to_be_visible()
    signed_in.get_by_role("button", name="“nothing-like-this”, remove filter").click()
    expect(signed_in.get_by_role("button", name="nothing-like-this")).to_have_count(0)
    expect(signed_in.get_by_text("No dead letters match")).to_be_visible()
    signed_in.get_by_role("button", name="Template winter_sale, remove filter").click()
    expect(signed_in.get_by_role("table", name="Dead letters").get_by_role("row")).to_have_count(2)


def test_the_drawer_says_what_happened_what_it_means_and_what_to_do(
    signed_in: Page, console: Console, place: Place
) -> None:
    letter_id = die(console, place)
    page = signed_in
    page.goto("/dead-letters")
    ready(page)
    page.get_by_role("button", name="+49 1511 2300001").click()
    shown = drawer(page)
    expect(shown.get_by_text("Cannot be delivered to this number (131026)")).to_be_visible()
    expect(shown.get_by_text("Detail: Message undeliverable")).to_be_visible()
    expect(shown.get_by_text("Attempt 1 was refused")).to_be_visible()
    expect(shown.get_by_text("HTTP 400", exact=False)).to_be_visible()
    expect(shown.get_by_text("Meta refuses the same message again")).to_be_visible()
    expect(shown.get_by_role("link", name=re.compile("msg_"))).to_have_attribute(
        "href", re.compile("^/messages/msg_")
    )
    expect(page).to_have_url(re.compile(f"id={letter_id}"))
    assert axe_finds(page) == []
    page.keyboard.press("Escape")
    expect(shown).not_to_be_visible()
    expect(page.get_by_role("button", name="+49 1511 2300001")).to_be_focused()


def test_a_double_click_opens_one_drawer_with_one_letter(
    signed_in: Page, console: Console, place: Place
) -> None:
    die(console, place)
    signed_in.goto("/dead-letters")
    ready(signed_in)
    signed_in.get_by_role("button", name="+49 1511 2300001").dblclick()
    shown = drawer(signed_in)
    expect(shown.get_by_role("heading", name="Attempts")).to_be_visible()
    die(console, place, to="+4915112300002")
    expect(signed_in.get_by_role("button", name="1 new")).to_be_visible()
    expect(shown.get_by_role("heading", level=2)).to_have_count(1)


def test_links_of_other_pages_open_the_letter_too(signed_in: Page, console: Console, place: Place) -> None:
    letter_id = die(console, place)
    signed_in.goto(f"/dead-letters?open={letter_id}")
    ready(signed_in)
    expect(drawer(signed_in).get_by_role("heading", name="+49 1511 2300001")).to_be_visible()
    expect(signed_in).to_have_url(re.compile(f"[?]id={letter_id}"))


def test_an_address_of_no_letter_leaves_the_list_and_says_so(signed_in: Page) -> None:
    signed_in.goto("/dead-letters?id=dl_nothing")
    ready(signed_in)
    expect(signed_in.get_by_role("alert").get_by_text("There is no such dead letter")).to_be_visible()
    expect(signed_in.get_by_role("heading", name="Dead letters")).to_be_visible()


def test_a_letter_that_can_pass_is_redriven_with_one_click(
    signed_in: Page, console: Console, place: Place
) -> None:
    letter_id = die(console, place, code="meta_130429")
    open_at(signed_in, letter_id)
    drawer(signed_in).get_by_role("button", name="Redrive", exact=True).click()
    expect(signed_in.get_by_text("in the queue again, with a fresh set of attempts")).to_be_visible()
    expect(drawer(signed_in).get_by_text("Redriven", exact=True)).to_be_visible()
    expect(drawer(signed_in).get_by_role("button", name="Redrive", exact=True)).to_have_count(0)
    expect(drawer(signed_in).get_by_text("sent it again")).to_be_visible()
    assert axe_finds(signed_in) == []
    assert state_of(console, place, letter_id) is LetterState.REDRIVEN


def test_a_letter_that_fails_again_is_redriven_only_on_insisting(
    signed_in: Page, console: Console, place: Place
) -> None:
    letter_id = die(console, place)
    open_at(signed_in, letter_id)
    signed_in.keyboard.press("r")
    asked = signed_in.get_by_role("dialog", name="Redrive it as it is?")
    first = asked.element_handle()
    asked.get_by_role("button", name="Cancel").evaluate(CLICK_AND_AT_ONCE_PRESS_R)
    first.wait_for_element_state("hidden")
    assert state_of(console, place, letter_id) is LetterState.OPEN
    asked.get_by_role("button", name="Redrive anyway").click()
    expect(drawer(signed_in).get_by_text("Redriven", exact=True)).to_be_visible()
    assert state_of(console, place, letter_id) is LetterState.REDRIVEN


def test_an_edit_shows_what_changes_and_what_is_wrong_and_then_goes(
    signed_in: Page, console: Console, place: Place
) -> None:
    letter_id = die(console, place, reply=MISMATCH)
    open_at(signed_in, letter_id)
    signed_in.keyboard.press("e")
    form = signed_in.get_by_role("dialog", name="Edit and redrive")
    expect(form.get_by_text("Nothing yet: it goes as it is.")).to_be_visible()
    expect(form.get_by_text("Needs body: 1, 2")).to_be_visible()
    form.get_by_label("Recipient").fill("123")
    expect(form.locator("del")).to_have_text('  "to": "+4915112300001",')
    expect(form.locator("ins")).to_have_text('  "to": "123",')
    assert axe_finds(signed_in) == []
    form.get_by_role("button", name="Redrive edited message").click()
    expect(form.get_by_text("is not a phone number with its country code")).to_be_visible()
    form.get_by_label("Recipient").fill("+49 151 12300009")
    form.get_by_label("Components, as JSON").fill("[{]")
    expect(form.get_by_text("This is no JSON")).to_be_visible()
    expect(form.get_by_role("button", name="Redrive edited message")).to_be_disabled()
    form.get_by_label("Components, as JSON").fill("[]")
    form.get_by_role("button", name="Redrive edited message").click()
    expect(form.get_by_text("body needs 2 parameters, got 0")).to_be_visible()
    assert state_of(console, place, letter_id) is LetterState.OPEN
    form.get_by_label("Components, as JSON").fill(
        '[{"type": "body", "parameters": [{"type": "text", "text": "Mara"}, {"type": "text", "text": "B"}]}]'
    )
    form.get_by_role("button", name="Redrive edited message").click()
    expect(drawer(signed_in).get_by_text("edited it and sent it again")).to_be_visible()
    with console.runtime.unit(place.owner) as unit:
        letter = unit.find(DeadLetter, letter_id, called="dead letter")
        message = unit.find(Message, letter.message_id, called="message")
    assert message.recipient == "+4915112300009"
    assert message.payload["template"]["components"][0]["parameters"][1]["text"] == "B"


def test_a_text_takes_the_place_of_a_template_only_while_the_customers_window_is_open(
    signed_in: Page, console: Console, place: Place
) -> None:
    letter_id = die(console, place, reply=MISMATCH)
    open_at(signed_in, letter_id)
    drawer(signed_in).get_by_role("button", name="Edit and redrive").click()
    form = signed_in.get_by_role("dialog", name="Edit and redrive")
    form.get_by_role("button", name="Text", exact=True).click()
    expect(form.get_by_label("Components, as JSON")).not_to_be_visible()
    form.get_by_label("Text", exact=True).fill("Hello <b>Mara</b>")
    expect(form.locator("ins")).to_contain_text(['"text": "Hello <b>Mara</b>"'])
    form.get_by_role("button", name="Redrive edited message").click()
    expect(form.get_by_text("so Meta takes only templates")).to_be_visible()
    with console.runtime.unit(place.owner, write=True) as unit:
        letter = unit.find(DeadLetter, letter_id, called="dead letter")
        message = unit.find(Message, letter.message_id, called="message")
        unit.session.add(
            ServiceWindow(
                phone_number_id=letter.phone_number_id,
                contact_id=message.contact_id,
                last_inbound_at=unit.now,
            )
        )
    form.get_by_role("button", name="Redrive edited message").click()
    expect(drawer(signed_in).get_by_text("edited it and sent it again")).to_be_visible()


def test_a_discard_needs_a_reason_and_can_be_undone(signed_in: Page, console: Console, place: Place) -> None:
    letter_id = die(console, place)
    open_at(signed_in, letter_id)
    signed_in.keyboard.press("d")
    asked = signed_in.get_by_role("dialog", name="Discard this dead letter?")
    expect(asked.get_by_role("button", name="Discard")).to_be_disabled()
    asked.get_by_label("Reason").fill("Wrong number")
    asked.get_by_role("button", name="Discard").click()
    expect(drawer(signed_in).get_by_text("Wrong number")).to_be_visible()
    expect(drawer(signed_in).get_by_role("button", name="Restore")).to_be_visible()
    assert state_of(console, place, letter_id) is LetterState.DISCARDED
    signed_in.get_by_role("alert").get_by_role("button", name="Undo").click()
    expect(drawer(signed_in).get_by_role("button", name="Discard")).to_be_visible()
    assert state_of(console, place, letter_id) is LetterState.OPEN


def test_a_redrive_that_came_too_late_is_refused_and_the_letter_shown_as_it_is(
    signed_in: Page, console: Console, place: Place
) -> None:
    letter_id = die(console, place, code="meta_130429")
    open_at(signed_in, letter_id)
    redrive = drawer(signed_in).get_by_role("button", name="Redrive", exact=True)
    expect(redrive).to_be_visible()
    with console.runtime.unit(place.owner, write=True) as unit:
        commands.discard(unit, letter_id, reason="Somebody else was faster")
    expect(drawer(signed_in).get_by_text("Somebody else was faster")).to_be_visible()
    expect(redrive).to_have_count(0)


def test_a_note_is_kept_with_its_author(signed_in: Page, console: Console, place: Place) -> None:
    letter_id = die(console, place)
    open_at(signed_in, letter_id)
    drawer(signed_in).get_by_label("Add a note").fill("Asked <i>Mara</i> for her new number")
    drawer(signed_in).get_by_role("button", name="Add note").click()
    expect(drawer(signed_in).get_by_text("Asked <i>Mara</i> for her new number")).to_be_visible()
    expect(drawer(signed_in).get_by_label("Add a note")).to_have_value("")


def test_support_sees_no_number_and_no_text_and_may_redrive_one(
    open_as: OpenAs, console: Console, place: Place
) -> None:
    letter_id = die(console, place, code="meta_130429")
    page = open_as(Role.SUPPORT)
    open_at(page, letter_id)
    shown = drawer(page)
    expect(shown.get_by_role("heading", name="+49•••••0001")).to_be_visible()
    expect(shown.get_by_text("Hidden for your role.")).to_be_visible()
    expect(shown.get_by_role("button", name="Redrive", exact=True)).to_be_visible()
    expect(shown.get_by_role("button", name="Discard")).to_have_count(0)
    expect(shown.get_by_role("button", name="Edit and redrive")).to_have_count(0)
    expect(page.get_by_role("checkbox")).to_have_count(0)
    assert "15112300001" not in page.content()
    assert "NW-20418" not in page.content()


def test_support_searching_a_number_is_told_why_not(open_as: OpenAs, console: Console, place: Place) -> None:
    die(console, place)
    page = open_as(Role.SUPPORT)
    page.goto("/dead-letters")
    ready(page)
    page.get_by_label("Search dead letters").fill("+4915112300001")
    expect(page.get_by_text("Not searched by number")).to_be_visible()
    expect(page.get_by_text("(contacts.reveal)")).to_be_visible()


def test_an_agent_is_told_who_may(open_as: OpenAs) -> None:
    page = open_as(Role.AGENT)
    page.goto("/dead-letters")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(0)
    expect(page.get_by_role("navigation", name="Main").get_by_text("Dead letters")).to_have_count(0)


def test_keys_go_from_letter_to_letter(signed_in: Page, console: Console, place: Place) -> None:
    die(console, place, to="+4915112300001")
    die(console, place, to="+4915112300002")
    page = signed_in
    page.goto("/dead-letters")
    ready(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    heading = drawer(page).get_by_role("heading", level=2)
    expect(heading).to_have_text("+49 1511 2300002")
    page.keyboard.press("j")
    expect(heading).to_have_text("+49 1511 2300001")
    page.keyboard.press("k")
    expect(heading).to_have_text("+49 1511 2300002")


def test_new_letters_announce_themselves_and_move_nothing(
    signed_in: Page, console: Console, place: Place
) -> None:
    die(console, place, to="+4915112300001")
    page = signed_in
    page.goto("/dead-letters")
    ready(page)
    first = page.get_by_role("table", name="Dead letters").get_by_role("row").nth(1)
    expect(first).to_contain_text("+49 1511 2300001")
    die(console, place, to="+4915112300002")
    announced = page.get_by_role("button", name="1 new")
    expect(announced).to_be_visible()
    expect(first).to_contain_text("+49 1511 2300001")
    announced.click()
    expect(first).to_contain_text("+49 1511 2300002")


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_the_page_and_the_drawer_are_whole(
    open_as: OpenAs, console: Console, place: Place, dark: bool
) -> None:
    for code in ("meta_131016", "meta_132000", "meta_130472"):
        die(console, place, code=code)
    letter_id = die(console, place)
    page = open_as(size=PHONE, dark=dark)
    page.goto("/dead-letters")
    ready(page)
    expect(page.get_by_role("region", name="Errors").get_by_role("button")).to_have_count(5)
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    open_at(page, letter_id)
    assert axe_finds(page) == []
    box = drawer(page).bounding_box()
    assert box is not None
    assert box["width"] == PHONE[0]


def test_q10_all_that_match_are_redriven_after_a_dry_run_and_the_progress_is_seen(
    signed_in: Page, console: Console, place: Place
) -> None:
    sure = [die(console, place, to=f"+491511230000{n}", code="meta_130429") for n in (1, 2)]
    other = die(console, place, to="+4915112300003")
    page = signed_in
    page.goto("/dead-letters?code=meta_130429")
    ready(page)
    page.keyboard.press("j")
    page.keyboard.press("x")
    bar = page.get_by_role("region", name="Selection")
    expect(bar.get_by_text("1 dead letter selected")).to_be_visible()
    bar.get_by_role("button", name="Select all 2 that match").click()
    expect(bar.get_by_text("All 2 dead letters that match selected")).to_be_visible()
    assert axe_finds(page) == []
    page.keyboard.press("r")
    asked = page.get_by_role("dialog", name="Redrive these dead letters?")
    expect(asked.get_by_text("2 messages")).to_be_visible()
    assert axe_finds(page) == []
    asked.get_by_role("button", name="Redrive 2").click()
    works = page.get_by_role("region", name="Bulk work")
    expect(works.get_by_text("Running")).to_be_visible()
    expect(bar).to_be_hidden()
    works.get_by_role("button", name="Pause").click()
    expect(works.get_by_text("Paused")).to_be_visible()
    bulk.run_due(console.runtime)
    assert [state_of(console, place, each) for each in sure] == [LetterState.OPEN] * 2
    works.get_by_role("button", name="Resume").click()
    expect(works.get_by_text("Running")).to_be_visible()
    bulk.run_due(console.runtime)
    expect(works.get_by_text("2 of 2")).to_be_visible()
    assert axe_finds(page) == []
    assert [state_of(console, place, each) for each in sure] == [LetterState.REDRIVEN] * 2
    assert state_of(console, place, other) is LetterState.OPEN


def test_q10_letters_discarded_together_come_back_together(
    signed_in: Page, console: Console, place: Place
) -> None:
    letters = [die(console, place, to=f"+491511230000{n}") for n in (1, 2)]
    page = signed_in
    page.goto("/dead-letters")
    ready(page)
    for _ in letters:
        page.keyboard.press("j")
        page.keyboard.press("x")
    expect(page.get_by_text("2 dead letters selected")).to_be_visible()
    page.keyboard.press("d")
    asked = page.get_by_role("dialog", name="Discard 2 dead letters?")
    asked.get_by_label("Reason").fill("Old numbers")
    asked.get_by_role("button", name="Discard").click()
    works = page.get_by_role("region", name="Bulk work")
    expect(works.get_by_text("Running")).to_be_visible()
    bulk.run_due(console.runtime)
    works.get_by_role("button", name="Undo").click()
    expect(works.get_by_text("Restore 2 dead letters")).to_be_visible()
    bulk.run_due(console.runtime)
    expect(page.get_by_role("button", name="+49 1511 2300002")).to_be_visible()
    assert [state_of(console, place, each) for each in letters] == [LetterState.OPEN] * 2


def test_letters_are_assigned_and_found_by_class_and_by_who_looks_after_them(
    signed_in: Page, console: Console, place: Place
) -> None:
    die(console, place, to="+4915112300002")
    die(console, place, to="+4915112300001")
    page = signed_in
    rows = page.get_by_role("table", name="Dead letters").get_by_role("row")
    page.goto("/dead-letters")
    ready(page)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.get_by_role("region", name="Selection").get_by_role("button", name="Assign").click()
    asked = page.get_by_role("dialog", name="Who looks after 1 dead letter?")
    asked.get_by_role("button", name="Assign").click()
    expect(page.get_by_role("region", name="Bulk work").get_by_text("Running")).to_be_visible()
    bulk.run_due(console.runtime)
    page.goto("/dead-letters?assignee=me&class=permanent")
    ready(page)
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("+49 1511 2300001")
    page.get_by_role("button", name="With me, remove filter").click()
    expect(rows).to_have_count(3)
    page.goto("/dead-letters?assignee=none")
    ready(page)
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("+49 1511 2300002")
