"""The whole story, clicked through over web, worker, clock and sandbox: a template is sent by hand, fails in
passing, is tried again, dies, is redriven by a person, and arrives."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from core.sandbox.config import SandboxConfig
from core.sandbox.server import running
from tests.conftest import APP_SECRET, Place, make_place
from tests.console import Console, running_console
from tests.pages.conftest import choose, ready

RECIPIENT = "+4915112340042"
PATIENCE_MS = 20_000  # for what a worker does in its own time


@pytest.fixture
def sandbox_url() -> Iterator[str]:
    """A Meta that reports each message as sent and delivered, within a quarter of a second."""
    config = SandboxConfig(
        app_secret=APP_SECRET,
        verify_token="test-verify-token",
        answer_delay_s=(0.0, 0.0),
        status_delays_s=(0.05, 0.2, 0.3),
        read_share=0.0,
    )
    with running(config) as url:
        yield url


@pytest.fixture
def console(tmp_path: Path, migrated_sqlite: Path, sandbox_url: str, password_hash: str) -> Iterator[Console]:
    with running_console(
        tmp_path, migrated_sqlite, sandbox_url, password_hash, command="serve", retry_delays="0.3,0.3"
    ) as found:
        tell(sandbox_url, "webhook", {"url": f"{found.url}/webhooks/whatsapp"})
        yield found


@pytest.fixture
def place(console: Console) -> Place:
    """The phone is one that the sandbox knows."""
    return make_place(console.runtime, console.password_hash)


def tell(sandbox_url: str, what: str, body: dict[str, object]) -> str:
    """The id of what the sandbox made of it, if it has one."""
    answer = httpx.post(f"{sandbox_url}/sandbox/{what}", json=body).raise_for_status()
    return str(answer.json().get("id", ""))


def go(page: Page, address: str) -> Page:
    page.goto(address)
    ready(page)
    return page


def test_a_message_fails_in_passing_dies_is_redriven_and_arrives(signed_in: Page, sandbox_url: str) -> None:
    fault = tell(sandbox_url, "faults", {"kind": "error", "code": 131016, "match": {"to": RECIPIENT}})

    page = go(signed_in, "/send")
    choose(page, "Template", "order_update")
    page.get_by_label("To", exact=True).fill(RECIPIENT)
    page.get_by_label("Variable 1").fill("Mara")
    page.get_by_label("Variable 2").fill("NW-20418")
    page.get_by_role("button", name="Send", exact=True).click()
    answer = page.get_by_role("region", name="Answer")
    expect(answer.get_by_text("It failed, and is tried again by itself")).to_be_visible()
    expect(answer.get_by_text("Service temporarily unavailable (131016)")).to_be_visible()
    expect(answer.get_by_text("Dead", exact=True)).to_be_visible(timeout=PATIENCE_MS)

    answer.get_by_role("link", name="Open the message").click()
    ready(page)
    story = page.locator(".timeline li")
    # A busy worker may miss the moment that an attempt was given: that one was stopped, and made anew.
    failed = story.filter(has_text=re.compile(r"Attempt \d: failed, but that can pass"))
    expect(failed).to_have_count(3)
    expect(story.first).to_contain_text("HTTP 500")
    expect(story.last).to_contain_text("Created by")
    expect(page.get_by_text("Waits for a person, among the dead letters.")).to_be_visible()

    page.get_by_role("button", name="Dead letter", exact=True).click()
    letter = page.get_by_role("complementary", name="Dead letter")
    expect(letter.get_by_role("heading", level=2)).to_be_visible()
    httpx.patch(f"{sandbox_url}/sandbox/faults/{fault}", json={"enabled": False}).raise_for_status()
    letter.get_by_role("button", name="Redrive", exact=True).click()
    expect(letter.get_by_text("Redriven", exact=True)).to_be_visible()

    page = go(page, "/messages?direction=outbound")
    row = page.get_by_role("table", name="Messages").locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Delivered", timeout=PATIENCE_MS)
    row.get_by_role("button").click()
    message = page.get_by_role("complementary", name="Message")
    expect(message.get_by_text("Nothing more: it was delivered.")).to_be_visible()
    expect(message.get_by_text(re.compile(r"^Attempt \d: Meta took it"))).to_be_visible()
    expect(message.locator(".timeline li").nth(0)).to_contain_text("Delivered")
    expect(message.get_by_text("Dead letter: redriven")).to_be_visible()
