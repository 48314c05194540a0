"""The list of messages, its drawer, and the page of one message."""

import re

from playwright.sync_api import Locator, Page, expect

from core.messaging import intake, settling
from core.messaging.claiming import claim, mark_sending
from core.messaging.queries import message_detail
from core.messaging.requests import SendRequest, template_payload
from core.messaging.settling import Result
from core.phones.queries import choices
from core.ports.graph_replies import Reply
from core.unit import Identity
from data.enums import Role
from tests import webhooks
from tests.conftest import Place, with_settings
from tests.console import Console
from tests.core.desk import HOPELESS, PASSING, TIMEOUT, accepted
from tests.pages.conftest import PHONE, OpenAs, axe_finds, choose, copied, ready

WORKER = Identity(process="worker")
MARA = "+4915112300101"


def queue(console: Console, place: Place, to: str = MARA, name: str = "order_update") -> str:
    """The id of a new message that waits: no worker runs beside these tests."""
    words = [{"type": "text", "text": word} for word in ("Mara", "NW-20418")]
    components = [{"type": "body", "parameters": words}] if name == "order_update" else []
    payload = template_payload(to, name=name, language="en_US", components=components)
    with console.runtime.unit(place.owner, write=True) as unit:
        request = SendRequest(payload=payload, phone_number_id=phone_of(console, place), queued=True)
        return intake.store(unit, request).answer.message_id


def phone_of(console: Console, place: Place) -> str:
    with console.runtime.unit(place.owner) as unit:
        return choices(unit)[0].phone_number_id


def answer(console: Console, message_id: str, reply: Reply) -> str:
    """The message's next attempt was made, and Meta answered so. Unknown outcomes are held for a person."""
    runtime = with_settings(console.runtime, waypost_unknown_outcome="hold")
    with runtime.unit(WORKER, write=True) as unit:
        taken = claim(unit, holder="test", in_flight={}, per_lane=1000, in_all=1000)
    ours = next(each for each in taken.claims if each.message_id == message_id)
    with runtime.unit(WORKER, write=True) as unit:
        mark_sending(unit, [ours], holder="test")
    with runtime.unit(WORKER, write=True) as unit:
        settling.settle(unit, [Result(message_id, ours.attempt, reply)])
    return message_id


def hear(console: Console, place: Place, text: str) -> None:
    """Elif writes to the workspace's first phone."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "1", "phone_number_id": phone_of(console, place)},
        "contacts": [{"profile": {"name": "Elif Şahin"}, "wa_id": "4915112300103"}],
        "messages": [
            {
                "from": "4915112300103",
                "id": f"wamid.{place.workspace.slug}",
                "timestamp": str(int(console.runtime.clock.now().timestamp())),
                "type": "text",
                "text": {"body": text},
            }
        ],
    }
    envelope = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
    }
    webhooks.hear(console.runtime, envelope)


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Messages").locator("tbody tr")


def drawer(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Message")


def go(page: Page, address: str) -> Page:
    page.goto(address)
    ready(page)
    return page


def test_without_messages_the_page_says_what_would_fill_it(signed_in: Page) -> None:
    go(signed_in, "/messages")
    expect(signed_in.get_by_text("No messages yet")).to_be_visible()
    assert axe_finds(signed_in) == []


def test_a_row_says_who_what_where_it_stands_and_why(signed_in: Page, console: Console, place: Place) -> None:
    answer(console, queue(console, place), PASSING)
    hear(console, place, "Where is my parcel?")
    page = go(signed_in, "/messages")
    expect(rows(page)).to_have_count(2)
    heard, failed = rows(page).nth(0), rows(page).nth(1)
    expect(heard).to_contain_text(
        re.compile(r"From\s*Elif Şahin.*\+49 1511 2300103.*Where is my parcel\?.*Received")
    )
    expect(failed).to_contain_text(
        re.compile(r"To\s*\+49 1511 2300101.*order_update.*Mara · NW-20418.*Retry queued")
    )
    expect(failed).to_contain_text(re.compile(r"retry in (59 s|1 min), 3 retries left"))
    expect(failed).to_contain_text("131016Service temporarily unavailable")
    expect(failed.locator(".tries i")).to_have_count(5)
    expect(failed.locator(".tries i.f")).to_have_count(1)
    assert axe_finds(page) == []


def test_filters_stand_in_the_address_and_each_has_a_way_out(
    signed_in: Page, console: Console, place: Place
) -> None:
    answer(console, queue(console, place), HOPELESS)
    queue(console, place, "+447700900105", "hello_world")
    hear(console, place, "Hello")
    page = go(signed_in, "/messages")
    page.get_by_role("button", name="Sent", exact=True).click()
    expect(rows(page)).to_have_count(2)
    choose(page, "Status", "Dead")
    expect(rows(page)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"direction=outbound&status=dead$"))
    go(page, page.url)
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("button", name="Sent", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Dead, remove filter").click()
    expect(rows(page)).to_have_count(2)
    page.get_by_label("Search messages").fill("hello_world")
    expect(rows(page)).to_have_count(1)
    page.get_by_label("Search messages").fill("nothing-like-this")
    expect(page.get_by_text("No message matches")).to_be_visible()
    page.get_by_role("button", name="Clear all").click()
    expect(rows(page)).to_have_count(3)
    expect(page).to_have_url(re.compile(r"/messages$"))


def test_an_address_may_ask_for_an_error_and_a_time(signed_in: Page, console: Console, place: Place) -> None:
    answer(console, queue(console, place), HOPELESS)
    page = go(signed_in, "/messages?error=meta_131026&time=1h")
    expect(rows(page)).to_have_count(1)
    expect(
        page.get_by_role("button", name="131026 · Cannot be delivered to this number, remove filter")
    ).to_be_visible()
    go(page, "/messages?error=meta_131047")
    expect(page.get_by_text("No message matches")).to_be_visible()


def test_new_messages_announce_themselves_and_nothing_moves(
    signed_in: Page, console: Console, place: Place
) -> None:
    first = queue(console, place)
    page = go(signed_in, "/messages")
    expect(rows(page)).to_have_count(1)
    queue(console, place, "+447700900105", "hello_world")
    queue(console, place, "+447700900106", "hello_world")
    expect(page.get_by_role("button", name="2 new")).to_be_visible()
    expect(rows(page)).to_have_count(1)
    answer(console, first, PASSING)
    expect(rows(page).first).to_contain_text("Retry queued")
    page.get_by_role("button", name="2 new").click()
    expect(rows(page)).to_have_count(3)
    expect(rows(page).first).to_contain_text("+44 7700 900106")
    expect(page.get_by_role("button", name="2 new")).to_be_hidden()


def test_new_messages_push_none_off_the_page_that_is_read(
    signed_in: Page, console: Console, place: Place
) -> None:
    for index in range(51):
        queue(console, place, f"+4915112310{index:03d}", "hello_world")
    page = go(signed_in, "/messages")
    expect(rows(page)).to_have_count(50)
    queue(console, place, "+447700900105", "hello_world")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(page.locator("tr.gone")).to_have_count(0)
    page.get_by_role("button", name="Next").click()
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text("+49 1511 2310000")


def test_the_drawer_has_an_address_keys_and_gives_the_focus_back(
    signed_in: Page, console: Console, place: Place
) -> None:
    older = queue(console, place, "+447700900105", "hello_world")
    newer = answer(console, queue(console, place), HOPELESS)
    page = go(signed_in, "/messages")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(drawer(page).get_by_role("heading", name="+49 1511 2300101")).to_be_visible()
    expect(page).to_have_url(re.compile(f"open={newer}$"))
    expect(drawer(page).get_by_text("Waits for a person, among the dead letters.")).to_be_visible()
    expect(drawer(page).get_by_text("Cannot be delivered to this number (131026)")).to_be_visible()
    expect(drawer(page).get_by_role("button", name="Dead letter")).to_be_visible()
    assert axe_finds(page) == []
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile(f"open={older}$"))
    go(page, page.url)
    expect(drawer(page).get_by_role("heading", name="+44 7700 900105")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer(page)).to_be_hidden()
    expect(page).to_have_url(re.compile("/messages$"))
    expect(page.get_by_role("button", name="+44 7700 900105")).to_be_focused()


def test_an_open_drawer_follows_and_keeps_its_place(signed_in: Page, console: Console, place: Place) -> None:
    message_id = queue(console, place)
    page = go(signed_in, f"/messages?open={message_id}")
    body = drawer(page).get_by_role("group", name="Details")
    expect(body.get_by_text("Waits for its turn to be sent.")).to_be_visible()
    body.evaluate("it => { it.scrollTop = 120; it.dataset.same = 'yes' }")
    answer(console, message_id, accepted("wamid.drawer"))
    expect(body.get_by_text("Attempt 1: Meta took it")).to_be_attached()
    assert body.evaluate("it => it.dataset.same === 'yes' && it.scrollTop >= 120")


def test_the_page_of_a_message_tells_its_story_newest_first(
    signed_in: Page, console: Console, place: Place
) -> None:
    message_id = queue(console, place)
    answer(console, message_id, accepted("wamid.story"))
    page = go(signed_in, f"/messages/{message_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("+49 1511 2300101")
    story = page.locator(".timeline li")
    expect(story).to_have_count(2)
    expect(story.nth(0)).to_contain_text(re.compile(r"Attempt 1: Meta took it.*HTTP 200.*wamid\.story"))
    expect(story.nth(1)).to_contain_text("Created by Test")
    assert '"name": "order_update"' in copied(page.get_by_role("button", name="Copy"))
    assert axe_finds(page) == []
    expect(page.get_by_role("button", name="Copy payload")).to_be_visible()


def test_another_workspaces_message_is_not_there(signed_in: Page, console: Console) -> None:
    message_id = queue(console, console.new_place())
    go(signed_in, f"/messages/{message_id}")
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("Page not found")


def test_a_person_settles_what_nobody_knows(signed_in: Page, console: Console, place: Place) -> None:
    message_id = answer(console, queue(console, place), TIMEOUT)
    page = go(signed_in, f"/messages/{message_id}")
    expect(page.get_by_text("It waits for a person's word.")).to_be_visible()
    expect(page.get_by_role("button", name="Send again")).to_be_visible()
    expect(page.get_by_role("button", name="Give up")).to_be_visible()
    page.get_by_role("button", name="It was sent").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("Mara confirmed by phone")
    dialog.get_by_role("button", name="It was sent").click()
    expect(page.get_by_text("Meta has taken it.")).to_be_visible()
    expect(page.get_by_role("button", name="Send again")).to_have_count(0)
    with console.runtime.unit(place.owner) as unit:
        assert message_detail(unit, message_id).row.status == "sent"


def test_a_viewer_reads_masked_and_may_not_search_by_number(
    open_as: OpenAs, console: Console, place: Place
) -> None:
    message_id = answer(console, queue(console, place), TIMEOUT)
    page = go(open_as(Role.VIEWER), "/messages")
    expect(rows(page).first).to_contain_text(re.compile(r"\+49•••••0101.*Text hidden"))
    expect(page.get_by_role("button", name="Send a message")).to_have_count(0)
    page.get_by_label("Search messages").fill("+4915112300101")
    expect(page.get_by_text("can see full numbers and text (contacts.reveal)")).to_be_visible()
    go(page, f"/messages/{message_id}")
    expect(page.get_by_text("Hidden: your role does not include contacts.reveal.")).to_be_visible()
    expect(page.get_by_role("button", name="It was sent")).to_have_count(0)
    assert "2300101" not in page.content()


def test_on_a_phone_in_the_dark(open_as: OpenAs, console: Console, place: Place) -> None:
    answer(console, queue(console, place), HOPELESS)
    page = go(open_as(size=PHONE, dark=True), "/messages")
    expect(rows(page)).to_have_count(1)
    assert axe_finds(page) == []
    page.get_by_role("button", name="+49 1511 2300101").click()
    expect(drawer(page).get_by_text("What happened")).to_be_visible()
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
