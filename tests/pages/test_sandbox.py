"""The page of the sandbox, over a sandbox that can be stopped."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from core.inbox.lane import apply_due
from core.sandbox.config import SandboxConfig
from core.sandbox.server import running
from data.enums import Direction, Role
from data.messages import Message
from tests.conftest import APP_SECRET, PHONE_ID, make_place
from tests.console import Console, running_console
from tests.pages.conftest import OpenAs, choose, ready

CONFIG = SandboxConfig(
    app_secret=APP_SECRET, verify_token="test-verify-token", statuses=False, answer_delay_s=(0.0, 0.0)
)
FAULTS = "5 % of messages fail once: service unavailable"


@dataclass
class Stage:
    """A sandbox that comes and goes at one address."""

    url: str = ""
    running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        self.url = self.running.enter_context(running(CONFIG, port=port))

    def stop(self) -> None:
        self.running.close()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    found = Stage()
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def console(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, stage: Stage, password_hash: str
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("demo")
    with running_console(folder, migrated_sqlite, stage.url, password_hash, demo=True) as found:
        yield found


@pytest.fixture
def page(open_as: OpenAs, stage: Stage) -> Page:
    httpx.post(f"{stage.url}/sandbox/reset").raise_for_status()
    found = open_as()
    found.goto("/sandbox")
    ready(found)
    return found


def send(stage: Stage, to: str = "+4915112340001", text: str = "Hello") -> None:
    body = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}}
    httpx.post(
        f"{stage.url}/v23.0/{PHONE_ID}/messages", json=body, headers={"Authorization": "Bearer test-token"}
    )


def test_a_switch_puts_a_fault_in_force(page: Page, stage: Stage) -> None:
    switch = page.get_by_role("switch", name=FAULTS)
    expect(switch).to_have_attribute("aria-checked", "false")
    switch.click()
    expect(page.get_by_role("switch", name=FAULTS)).to_have_attribute("aria-checked", "true")
    faults = httpx.get(f"{stage.url}/sandbox/state").json()["faults"]
    assert [each["id"] for each in faults if each["enabled"]] == ["demo-unavailable"]


def test_a_new_fault_strikes_and_can_be_removed(page: Page, stage: Stage) -> None:
    page.get_by_label("Meta's code").fill("131026")
    expect(page.get_by_text("Cannot be delivered to this number", exact=True)).to_be_visible()
    page.get_by_role("textbox", name=re.compile("^Recipient")).fill("0001")
    page.get_by_role("button", name="Add fault").click()
    title = "Error 131026 to …0001"
    expect(page.get_by_role("switch", name=title)).to_have_attribute("aria-checked", "true")
    expect(page.get_by_text("Every message to …0001.")).to_be_visible()
    send(stage)
    row = page.get_by_role("row").filter(has_text="+49 1511 2340001")
    expect(row).to_contain_text("Refused")
    expect(row).to_contain_text("131026")
    page.get_by_role("button", name=f"Remove: {title}").click()
    expect(page.get_by_role("switch", name=title)).to_have_count(0)


def test_a_fault_that_cannot_be_is_told_at_its_field(page: Page) -> None:
    page.get_by_label("Share").fill("120")
    page.get_by_role("button", name="Add fault").click()
    expect(page.get_by_text("Per cent, from 1 to 100")).to_be_visible()
    expect(page.get_by_role("switch")).to_have_count(5)


def test_a_request_opens_with_its_body(page: Page, stage: Stage) -> None:
    send(stage, text="Where is <b>my</b> parcel?")
    row = page.get_by_role("row").filter(has_text="Where is <b>my</b> parcel?")
    row.get_by_role("button").click()
    drawer = page.get_by_role("complementary", name="Request")
    expect(drawer).to_contain_text('"body": "Where is <b>my</b> parcel?"')
    expect(page).to_have_url(re.compile("open="))
    page.keyboard.press("Escape")
    expect(drawer).not_to_be_visible()


def test_a_customer_who_writes_arrives_by_webhook(
    open_as: OpenAs, console: Console, stage: Stage, password_hash: str
) -> None:
    place = make_place(console.runtime, password_hash, name="Harbour")
    httpx.post(
        f"{stage.url}/sandbox/webhook", json={"url": f"{console.url}/webhooks/whatsapp"}
    ).raise_for_status()
    page = open_as()
    page.goto("/sandbox")
    ready(page)
    page.get_by_label("Text").fill("Is there anybody?")
    page.get_by_role("button", name="Write").click()
    expect(page.get_by_text("Written. It arrives by webhook")).to_be_visible()
    expect(page.locator(".stat", has_text="Webhooks sent").locator(".val")).to_have_text("1")
    assert apply_due(console.runtime) == 1  # no worker runs here
    with console.runtime.unit(place.owner) as unit:
        found = unit.session.exec(select(Message).where(Message.workspace_id == place.workspace.id)).all()
    assert [(each.direction, each.payload["text"]) for each in found] == [
        (Direction.INBOUND, "Is there anybody?")
    ]


def test_meta_changes_its_mind_about_a_number_and_an_account(page: Page, stage: Stage) -> None:
    form = page.get_by_role("region", name="Meta changes its mind")

    choose(form, "It says", "Quality is low", exact=True)
    form.get_by_role("button", name="Change").click()
    expect(page.get_by_text("Quality is low. Its webhook arrives in a moment.")).to_be_visible()
    choose(form, "About", "Account Waypost Demo", exact=True)
    choose(form, "It says", "Verification is rejected", exact=True)
    form.get_by_role("button", name="Change").click()
    expect(page.get_by_text("Verification is rejected. Its webhook arrives")).to_be_visible()
    choose(form, "About", "Template order_update, en_US", exact=True)
    choose(form, "It says", "The template is paused", exact=True)
    form.get_by_role("button", name="Change").click()
    expect(page.get_by_text("The template is paused. Its webhook arrives")).to_be_visible()
    told = httpx.get(f"{stage.url}/sandbox/state").json()
    assert (told["phones"][0]["quality"], told["accounts"][0]["verification"]) == ("RED", "rejected")
    assert (told["templates"][0]["name"], told["templates"][0]["status"]) == ("order_update", "PAUSED")


def test_a_sandbox_that_is_gone_is_told_and_found_again(page: Page, stage: Stage) -> None:
    stage.stop()
    expect(page.get_by_text("The sandbox does not answer")).to_be_visible()
    stage.start()
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_role("switch", name=FAULTS)).to_be_visible()


def test_only_an_owner_of_the_demo_gets_in(open_as: OpenAs) -> None:
    page = open_as(Role.MANAGER)
    page.goto("/sandbox")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not for your role")
    expect(page.get_by_role("link", name="Sandbox")).to_have_count(0)
