"""The list of contacts and the page of one: thread, reply, opt-outs, export, erasure."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from core.contacts.commands import find_or_add, suppress
from core.contacts.detail import contact_detail
from core.errors import NotFound
from core.ids import new_id
from core.messaging.requests import text_payload
from core.messaging.threads import thread
from core.unit import Identity
from data.enums import Direction, MessageKind, MessageState, Role, SuppressionKind
from data.messages import Message, ServiceWindow
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place, make_place
from tests.console import Console, running_console
from tests.pages.conftest import PHONE, OpenAs, axe_finds, choose, ready

WEBHOOK = Identity(process="webhook")
# Each test has people of its own; the sandbox knows one workspace's phones only.
NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "محمد عبد الله",
    "\u202eevil",
    "A" * 200,
)
_next = iter(range(1000))


@pytest.fixture(scope="module")
def console(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, sandbox_url: str, password_hash: str
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("contacts")
    with running_console(folder, migrated_sqlite, sandbox_url, password_hash) as found:
        yield found


@pytest.fixture(scope="module")
def sending_place(console: Console) -> Place:
    return make_place(console.runtime, console.password_hash)


@pytest.fixture
def place(sending_place: Place) -> Place:
    return sending_place


class Person:
    """A contact, and what happens with them."""

    def __init__(self, console: Console, place: Place, name: str | None = "Mara Vogel") -> None:
        self.console, self.place = console, place
        self.wa_id = f"491511234{next(_next):04d}"
        with console.runtime.unit(WEBHOOK, write=True) as unit:
            self.id = find_or_add(unit, workspace_id=place.workspace.id, wa_id=self.wa_id, name=name).id

    @property
    def now(self) -> datetime:
        return self.console.runtime.clock.now()

    def writes(self, text: str, *, ago: timedelta = timedelta(0), phone: str = PHONE_ID) -> None:
        self._message(text, Direction.INBOUND, MessageState.RECEIVED, at=self.now - ago, phone=phone)
        with self.console.runtime.unit(WEBHOOK, write=True) as unit:
            window = unit.session.get(ServiceWindow, (phone, self.id))
            window = window or ServiceWindow(phone_number_id=phone, contact_id=self.id)
            window.last_inbound_at = self.now - ago
            unit.session.add(window)

    def is_sent(self, text: str, state: MessageState, *, ago: timedelta = timedelta(0), **facts: str) -> str:
        return self._message(text, Direction.OUTBOUND, state, at=self.now - ago, phone=PHONE_ID, **facts)

    def _message(
        self, text: str, direction: Direction, state: MessageState, *, at: datetime, phone: str, **facts: str
    ) -> str:
        with self.console.runtime.unit(WEBHOOK, write=True) as unit:
            message = Message(
                id=new_id("msg", at),
                workspace_id=self.place.workspace.id,
                phone_number_id=phone,
                contact_id=self.id,
                direction=direction,
                kind=MessageKind.TEXT,
                recipient=f"+{self.wa_id}",
                payload={"text": text},
                state=state,
                created_at=at,
                sent_at=at,
                **facts,
            )
            unit.session.add(message)
            return message.id

    def opts_out(self, kind: SuppressionKind = SuppressionKind.MARKETING) -> None:
        with self.console.runtime.unit(WEBHOOK, write=True) as unit:
            suppress(
                unit,
                workspace_id=self.place.workspace.id,
                contact_id=self.id,
                kind=kind,
                error_code="meta_131050",
            )


@pytest.fixture
def mara(console: Console, place: Place) -> Person:
    return Person(console, place)


def go(page: Page, address: str) -> Page:
    page.goto(address)
    ready(page)
    return page


def rows(page: Page) -> Locator:
    return page.get_by_role("table", name="Contacts").locator("tbody tr")


def bubbles(page: Page) -> Locator:
    return page.get_by_role("log", name="Messages").locator("li")


# ---- the list ----


def test_without_contacts_the_page_says_what_would_fill_it(open_as: OpenAs, console: Console) -> None:
    elsewhere = console.new_place()
    page = open_as(Role.OWNER)
    page.context.clear_cookies()
    page.context.add_cookies(
        [
            {
                "name": "waypost_session",
                "value": console.token_for(console.owner_email(elsewhere)),
                "url": console.url,
            }
        ]
    )
    go(page, "/contacts")
    expect(page.get_by_text("No contacts yet")).to_be_visible()
    assert axe_finds(page) == []


def test_the_list_is_searched_filtered_and_opened_and_its_state_is_the_address(
    open_as: OpenAs, console: Console, place: Place
) -> None:
    person = Person(console, place, "Zuzana Nováková")
    person.opts_out()
    person.writes("Hi")
    page = go(open_as(), "/contacts")
    expect(rows(page).first).to_contain_text(
        re.compile(r"Zuzana Nováková.*\+49 1511 234.*Open.*closes in 23 h.*No marketing")
    )
    page.get_by_label("Search contacts").fill("novak")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Opted out", exact=True).click()
    expect(page).to_have_url(re.compile(r"q=novak&show=opted-out$"))
    go(page, page.url)
    expect(rows(page)).to_have_count(1)
    assert axe_finds(page) == []
    page.get_by_label("Search contacts").fill("nobody-of-that-name")
    expect(page.get_by_text("No contact matches")).to_be_visible()
    page.get_by_role("button", name="Clear all").click()
    expect(page).to_have_url(re.compile(r"/contacts$"))
    page.get_by_label("Search contacts").fill(person.wa_id)
    expect(rows(page)).to_have_count(1)
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Zuzana Nováková").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Zuzana Nováková")


def test_a_newcomer_is_announced_and_nothing_moves(open_as: OpenAs, console: Console, place: Place) -> None:
    Person(console, place, "First")
    page = go(open_as(), "/contacts")
    expect(rows(page).first).to_contain_text("First")
    Person(console, place, "Newcomer")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    expect(rows(page).first).to_contain_text("First")
    page.get_by_role("button", name="1 new").click()
    expect(rows(page).first).to_contain_text("Newcomer")


@pytest.mark.parametrize("name", NAMES)
def test_names_are_only_ever_text(open_as: OpenAs, console: Console, place: Place, name: str) -> None:
    person = Person(console, place, name)
    person.writes(name)
    page = go(open_as(), f"/contacts/{person.id}")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(bubbles(page)).to_have_count(1)
    expect(bubbles(page).locator(".said")).to_have_text(name)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    go(page, "/contacts")
    expect(rows(page).first).to_contain_text(name)


# ---- the thread ----


def test_the_thread_shows_days_words_states_and_leads_to_each_message(open_as: OpenAs, mara: Person) -> None:
    mara.writes("Where is my *parcel*?", ago=timedelta(days=1, hours=1))
    message_id = mara.is_sent("On its way", MessageState.DELIVERED, ago=timedelta(days=1))
    mara.is_sent("Anything else?", MessageState.DEAD, error_code="meta_131026")
    page = go(open_as(), f"/contacts/{mara.id}")
    expect(bubbles(page)).to_have_count(3)
    asked, sent, dead = (bubbles(page).nth(index) for index in range(3))
    expect(asked.locator(".bold")).to_have_text("parcel")
    expect(sent).to_contain_text(re.compile("On its way.*Delivered"))
    expect(dead).to_contain_text(re.compile("Cannot be delivered to this number.*Dead"))
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    assert axe_finds(page) == []
    sent.get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"/messages/{message_id}$"))
    page.get_by_role("button", name="Contact", exact=True).click()
    expect(page).to_have_url(re.compile(f"/contacts/{mara.id}$"))


def test_older_messages_come_on_demand_and_what_is_read_stays(open_as: OpenAs, mara: Person) -> None:
    for index in range(120):
        mara.is_sent(f"Message {index}", MessageState.READ, ago=timedelta(minutes=200 - index))
    page = go(open_as(), f"/contacts/{mara.id}")
    expect(bubbles(page)).to_have_count(50)
    expect(bubbles(page).last).to_be_in_viewport()
    page.get_by_role("button", name="Show older messages").click()
    expect(bubbles(page)).to_have_count(100)
    expect(bubbles(page).first).to_contain_text("Message 20")
    mara.writes("A new one")
    expect(bubbles(page)).to_have_count(101)
    page.get_by_role("button", name="Show older messages").click()
    expect(bubbles(page)).to_have_count(121)
    expect(page.get_by_role("button", name="Show older messages")).to_be_hidden()


# ---- the reply ----


def test_inside_the_window_a_text_is_sent_and_stands_in_the_thread(
    open_as: OpenAs, console: Console, mara: Person
) -> None:
    mara.writes("Hello?")
    page = go(open_as(Role.AGENT), f"/contacts/{mara.id}")
    expect(page.get_by_text("Service window open.")).to_be_visible()
    expect(page.get_by_text(re.compile("in 23 h"))).to_be_visible()
    page.get_by_label("Reply").fill("We are *here*")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(bubbles(page)).to_have_count(2)
    expect(bubbles(page).last).to_contain_text(re.compile("We are here.*Sent"))
    expect(page.get_by_label("Reply")).to_have_value("")
    page.get_by_label("Reply").fill("And by key")
    page.get_by_label("Reply").press("Control+Enter")
    expect(bubbles(page)).to_have_count(3)
    with console.runtime.unit(mara.place.owner) as unit:
        found = thread(unit, mara.id).bubbles
        assert [bubble.said for bubble in found] == ["Hello?", "We are *here*", "And by key"]
        sent = unit.session.get_one(Message, found[1].row.id)
        assert sent.payload == text_payload(f"+{mara.wa_id}", text="We are *here*")


def test_a_refused_reply_says_why_and_keeps_what_was_typed(open_as: OpenAs, mara: Person) -> None:
    mara.writes("Hello?")
    page = go(open_as(), f"/contacts/{mara.id}")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Write something.")).to_be_visible()
    page.get_by_label("Reply").fill("x" * 4097)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("The text has 4,097 characters")).to_be_visible()
    expect(page.get_by_label("Reply")).to_have_value("x" * 4097)
    expect(bubbles(page)).to_have_count(1)


def test_outside_the_window_the_box_leads_to_a_template(open_as: OpenAs, mara: Person) -> None:
    mara.writes("Hello?", ago=timedelta(hours=25))
    page = go(open_as(), f"/contacts/{mara.id}")
    expect(page.get_by_text("Service window closed: only templates.")).to_be_visible()
    expect(page.get_by_label("Reply")).to_be_hidden()
    page.get_by_role("button", name="Send a template").click()
    page.wait_for_url(re.compile("/send"))
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["to"], asked["phone"]) == ([f"+{mara.wa_id}"], [PHONE_ID])
    expect(page.get_by_label("To", exact=True)).to_have_value(re.compile(r"\+49"))


def test_the_window_is_the_chosen_phones_and_the_choice_is_in_the_address(
    open_as: OpenAs, mara: Person
) -> None:
    mara.writes("Hello?")
    page = go(open_as(), f"/contacts/{mara.id}?phone={SECOND_PHONE_ID}")
    expect(page.get_by_text("This person has not written to this phone.")).to_be_visible()
    choose(page, "From", re.compile("Northwind 1"))
    expect(page.get_by_text("Service window open.")).to_be_visible()
    expect(page).to_have_url(re.compile(f"phone={PHONE_ID}$"))


def test_a_window_that_closes_takes_the_box_away_by_itself(open_as: OpenAs, mara: Person) -> None:
    mara.writes("Hello?", ago=timedelta(hours=24) - timedelta(seconds=4))
    page = go(open_as(), f"/contacts/{mara.id}")
    expect(page.get_by_text("Service window open.")).to_be_visible()
    expect(page.get_by_text("Service window closed: only templates.")).to_be_visible(timeout=10_000)
    expect(page.get_by_label("Reply")).to_be_hidden()


# ---- opt-outs, data ----


def test_an_opt_out_is_lifted_with_a_reason(open_as: OpenAs, mara: Person) -> None:
    mara.writes("Stop")
    mara.opts_out(SuppressionKind.ALL)
    page = go(open_as(Role.MANAGER), f"/contacts/{mara.id}")
    expect(page.get_by_text("They must not be sent messages")).to_be_visible()
    expect(page.get_by_label("Reply")).to_be_hidden()
    part = page.get_by_role("region", name="Opt-outs")
    expect(part).to_contain_text("This person opted out of your marketing")
    part.get_by_role("button", name="Lift").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Lift")).to_be_disabled()
    dialog.get_by_label("Reason").fill("Asked for it by phone")
    assert axe_finds(page) == []
    dialog.get_by_role("button", name="Lift").click()
    expect(part).to_contain_text(re.compile("Lifted by Manager Person.*“Asked for it by phone”"))
    expect(page.get_by_label("Reply")).to_be_visible()


def test_everything_is_taken_out_as_one_file(open_as: OpenAs, mara: Person) -> None:
    mara.writes("Remember me 🎉")
    page = go(open_as(), f"/contacts/{mara.id}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == f"{mara.id}.json"
    held = json.loads(Path(download.value.path()).read_text())
    assert held["messages"][0]["payload"] == {"text": "Remember me 🎉"}


def test_erasing_says_what_is_lost_and_wants_a_word_and_a_reason(
    open_as: OpenAs, console: Console, mara: Person
) -> None:
    message_id = mara.is_sent("Waiting", MessageState.QUEUED)
    page = go(open_as(Role.MANAGER), f"/contacts/{mara.id}")
    page.get_by_role("button", name="Erase").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile("Messages.*1 emptied.*1 given up unsent"))
    sure = dialog.get_by_role("button", name="Erase")
    dialog.get_by_label(re.compile("^Reason")).fill("Asked for it")
    expect(sure).to_be_disabled()
    dialog.get_by_label("Type erase to go on").fill("erase")
    assert axe_finds(page) == []
    sure.click()
    expect(page).to_have_url(re.compile("/contacts$"))
    with console.runtime.unit(mara.place.owner) as unit, pytest.raises(NotFound):
        contact_detail(unit, mara.id)
    go(page, f"/contacts/{mara.id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")
    go(page, f"/messages/{message_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("erased")
    expect(page.get_by_role("button", name="Contact", exact=True)).to_have_count(0)


# ---- who sees what ----


def test_a_viewer_reads_masked_and_is_offered_nothing(open_as: OpenAs, mara: Person) -> None:
    mara.writes("My code is 4711")
    mara.opts_out()
    page = go(open_as(Role.VIEWER), f"/contacts/{mara.id}")
    expect(bubbles(page)).to_contain_text(["Text hidden"])
    for name in ("Send", "Lift", "Export", "Erase"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    assert "4711" not in page.content()
    assert mara.wa_id[2:] not in page.content().replace(" ", "")
    go(page, "/contacts")
    page.get_by_label("Search contacts").fill(mara.wa_id)
    expect(page.get_by_text("(contacts.reveal)")).to_be_visible()


def test_support_does_not_see_contacts(open_as: OpenAs, mara: Person) -> None:
    page = go(open_as(Role.SUPPORT), f"/contacts/{mara.id}")
    expect(page.get_by_text("contacts.view").first).to_be_visible()


def test_another_workspaces_contact_is_not_there(open_as: OpenAs, console: Console) -> None:
    stranger = Person(console, console.new_place())
    page = go(open_as(), f"/contacts/{stranger.id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Page not found")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_on_a_phone(open_as: OpenAs, mara: Person, dark: bool) -> None:
    mara.writes("سلام، أين الطلب؟")
    mara.is_sent("https://example.com/" + "x" * 120, MessageState.RETRY_QUEUED, error_code="meta_131016")
    mara.opts_out()
    page = go(open_as(size=PHONE, dark=dark), f"/contacts/{mara.id}")
    expect(bubbles(page)).to_have_count(2)
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    go(page, "/contacts")
    expect(rows(page).first).to_be_visible()
    assert axe_finds(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
