"""Writing templates: checked while one writes, shown as a phone shows it, followed to Meta's verdict."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from core.templates import submissions
from core.templates.drafts import components_of
from data.enums import SubmissionKind, SubmissionState
from data.sending import Waba
from data.templates import TemplateSubmission
from tests.conftest import Place, make_place
from tests.console import Console
from tests.core.templates.test_draft_rules import GOOD
from tests.pages.conftest import PHONE, OpenAs, axe_finds, ready
from tests.webhooks import hear

OTHER_WABA = "100200300400600"  # one that the sandbox has
WORDS = "Hello {{1}}, your *parcel* comes today. Please be at home."


@pytest.fixture(scope="module")
def writers(console: Console) -> Place:
    return make_place(
        console.runtime, console.password_hash, name="Writers", waba_id=OTHER_WABA, first=90_000
    )


@pytest.fixture
def place(writers: Place, console: Console) -> Place:
    console.beat()
    return writers


def field(within: Page | Locator, name: str) -> Locator:
    return within.get_by_role("textbox", name=re.compile(f"^{re.escape(name)}"))


def opened(page: Page, path: str) -> Page:
    page.goto(path)
    ready(page)
    return page


def judge(console: Console, name: str, **verdict: Any) -> None:
    """Meta has its verdict, and tells it by webhook."""
    said = {"status": verdict["event"], "wabaId": OTHER_WABA}
    sandbox = f"{console.sandbox_url}/sandbox/templates/{name}/status"
    httpx.post(sandbox, json=said, trust_env=False).raise_for_status()
    value = {"message_template_name": name, "message_template_language": "en_US", **verdict}
    change = {"field": "message_template_status_update", "value": value}
    hear(console.runtime, {"entry": [{"id": OTHER_WABA, "changes": [change]}]})


def test_a_template_is_written_submitted_rejected_mended_and_submitted_again(
    signed_in: Page, console: Console
) -> None:
    page = opened(signed_in, "/templates/new")
    field(page, "Name").fill("Parcel News")
    expect(page.get_by_text("Use small letters a to z")).to_be_visible()
    field(page, "Name").fill("pending_parcel")
    expect(page.get_by_text("Use small letters a to z")).to_be_hidden()
    field(page, "Body").fill("Hello {{1}}")
    expect(page.get_by_text("It cannot end with a variable")).to_be_visible()
    field(page, "Body").fill(WORDS)
    expect(page.get_by_text("It cannot end with a variable")).to_be_hidden()
    expect(page.get_by_text(f"{len(WORDS)} / 1024")).to_be_visible()
    preview = page.get_by_role("region", name="Preview")
    expect(preview.get_by_text("{{1}}")).to_be_visible()
    page.get_by_role("button", name="Submit to Meta").click()
    expect(page.get_by_text("Give an example of {{1}}")).to_be_visible()
    expect(page.get_by_text("1 thing to mend first")).to_be_visible()
    field(page, "{{1}}").fill("Mara")
    expect(preview.get_by_text("{{1}}")).to_be_hidden()
    page.get_by_role("button", name="Website").click()
    first = page.get_by_role("group", name="Button 1")
    field(first, "Text").fill("Follow it")
    field(first, "Address").fill("https://shop.example.com/{{1}}")
    field(first, "Example of the end").fill("NW-20418")
    expect(preview.get_by_text("Follow it")).to_be_visible()
    assert axe_finds(page) == []
    page.get_by_role("button", name="Submit to Meta").click()
    page.wait_for_url(re.compile("/templates/tpl_"))
    expect(page.get_by_text("In review at Meta")).to_be_visible()
    ready(page)
    judge(
        console,
        "pending_parcel",
        event="REJECTED",
        reason="PROMOTIONAL",
        rejection_info={"reason": "PROMOTIONAL", "recommendation": "Submit it as marketing."},
    )
    said = page.get_by_role("region", name="What Meta said")
    expect(said).to_contain_text("Submit it as marketing.")
    expect(page.get_by_text("It advertises, which its category does not allow").first).to_be_visible()
    page.get_by_role("button", name="Edit").click()
    page.wait_for_url("**/edit")
    ready(page)
    expect(field(page, "Body")).to_have_value(WORDS)
    page.get_by_role("group", name="Category").get_by_role("button", name="Marketing").click()
    field(page, "Body").fill(WORDS.replace("today", "tomorrow"))
    expect(preview).to_contain_text("comes tomorrow")
    page.get_by_role("button", name="Submit the edit").click()
    page.wait_for_url(re.compile("/templates/tpl_[^/]+$"))
    versions = page.get_by_role("region", name="Versions")
    expect(versions.locator("ins")).to_have_text([WORDS.replace("today", "tomorrow")])
    expect(versions.locator("del")).to_have_text([WORDS])


def test_a_template_is_duplicated_and_deleted_at_its_name(signed_in: Page, console: Console) -> None:
    page = opened(signed_in, "/templates")
    page.get_by_role("row").filter(has_text="spring_sale").click()
    page.get_by_role("button", name="Duplicate").click()
    page.wait_for_url("**/templates/new?like=*")
    ready(page)
    expect(field(page, "Name")).to_have_value("spring_sale_copy")
    field(page, "Name").fill("pending_copy")
    page.get_by_role("button", name="Submit to Meta").click()
    page.wait_for_url(re.compile("/templates/tpl_"))
    ready(page)
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Waiting in the queue")
    expect(dialog.get_by_role("button", name="Delete template")).to_be_disabled()
    field(dialog, "Type pending_copy").fill("pending_copy")
    dialog.get_by_role("button", name="Delete template").click()
    page.wait_for_url("**/templates")
    ready(page)
    expect(page.get_by_role("row").filter(has_text="pending_copy")).to_contain_text("Deleted")


def test_the_preview_stands_as_on_a_phone_and_codes_are_worded_by_meta(open_as: OpenAs) -> None:
    page = opened(open_as(size=PHONE, dark=True), "/templates/new")
    page.get_by_role("group", name="Header").get_by_role("button", name="Text", exact=True).click()
    field(page, "Header text").fill("Order NW-20418")
    field(page, "Body").fill("Your *parcel* comes today.\n\n" + "A very_long_word_without_end" * 8)
    field(page, "Footer").fill("Northwind Logistics")
    page.get_by_role("button", name="Quick reply").click()
    field(page.get_by_role("group", name="Button 1"), "Text").fill("Thank you")
    chat = page.get_by_role("region", name="Preview").locator(".chatbody")
    expect(chat.locator(".reply")).to_have_text("Thank you")
    expect(chat.locator(".bold")).to_have_text("parcel")
    parts = [chat.locator(each).bounding_box() for each in (".header", ".body", ".footer", ".reply")]
    whole, bubble = chat.bounding_box(), chat.locator(".bubble").bounding_box()
    assert whole is not None
    assert bubble is not None
    tops = [part["y"] for part in parts if part is not None]
    assert tops == sorted(tops)
    assert len(tops) == 4
    assert bubble["x"] >= whole["x"]
    assert bubble["x"] + bubble["width"] <= whole["x"] + whole["width"] <= PHONE[0]
    reply = parts[-1]
    assert reply is not None
    assert reply["y"] >= bubble["y"] + bubble["height"]
    assert abs(reply["x"] - bubble["x"]) < 1
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert axe_finds(page) == []
    page.get_by_role("group", name="Header").get_by_role("button", name="Image").click()
    picked = {"name": "a.gif", "mimeType": "image/gif", "buffer": b"GIF89a"}
    page.get_by_label("Example for Meta's reviewers").set_input_files(picked)
    expect(page.get_by_text("Choose a file of type JPEG or PNG.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    page.get_by_role("group", name="Category").get_by_role("button", name="Authentication").click()
    expect(chat).to_contain_text("123456 is your verification code.")
    field(page, "The code ends after").fill("91")
    expect(page.get_by_text("From 1 to 90 minutes.")).to_be_visible()
    field(page, "The code ends after").fill("10")
    expect(chat).to_contain_text("This code expires in 10 minutes.")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert axe_finds(page) == []
    page.get_by_role("group", name="Category").get_by_role("button", name="Utility").click()
    expect(field(page, "Footer")).to_have_value("Northwind Logistics")


def test_what_got_lost_on_its_way_is_opened_again(signed_in: Page, console: Console, place: Place) -> None:
    with console.runtime.unit(place.owner, write=True) as unit:
        lost = submissions.open_one(
            unit,
            unit.session.get_one(Waba, OTHER_WABA),
            kind=SubmissionKind.CREATE,
            name="lost_news",
            language="en_US",
            category="MARKETING",
            components=components_of(GOOD),
        )
        lost.asked_at = unit.now - timedelta(minutes=5)
        lost_id = lost.id
    page = opened(signed_in, "/templates")
    expect(page.get_by_text("It is not known yet whether Meta has lost_news (en_US)")).to_be_visible()
    with console.runtime.unit(place.owner, write=True) as unit:
        unit.session.get_one(TemplateSubmission, lost_id).state = SubmissionState.LOST
    expect(page.get_by_text("lost_news (en_US) got lost on its way to Meta")).to_be_visible()
    assert axe_finds(page) == []
    page.get_by_role("button", name="Open again").click()
    page.wait_for_url("**/templates/new?again=*")
    ready(page)
    expect(field(page, "Body")).to_have_value(GOOD.body)
    expect(field(page, "{{2}}")).to_have_value("NW-1")
    opened(page, "/templates").get_by_role("button", name="Put aside").click()
    expect(page.get_by_text("lost_news")).to_have_count(0)
