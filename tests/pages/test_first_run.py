"""A first start without demo, by keyboard: from the link in the terminal to a number that can send."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.team.beginning import offer_beginning
from core.team.owners import COMMAND
from tests.conftest import PASSWORD
from tests.console import Console, running_console
from tests.pages.conftest import PHONE, WIDE, axe_finds, ready, resize


@pytest.fixture
def empty_console(
    tmp_path: Path, migrated_sqlite: Path, sandbox_url: str, password_hash: str
) -> Iterator[Console]:
    with running_console(tmp_path, migrated_sqlite, sandbox_url, password_hash) as found:
        yield found


@pytest.fixture
def stranger(browser: Browser, empty_console: Console) -> Iterator[Page]:
    context = browser.new_context(
        base_url=empty_console.url, reduced_motion="reduce", timezone_id="Europe/Berlin"
    )
    yield context.new_page()
    context.close()


def look_at(page: Page) -> None:
    """Nothing that axe objects to, at both widths and in both themes."""
    for size in (WIDE, PHONE):
        resize(page, size)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            expect(page.locator("html.dark")).to_have_count(1 if scheme == "dark" else 0)
            assert axe_finds(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    resize(page, WIDE)


def test_p4a_from_the_link_to_a_number_that_can_send(empty_console: Console, stranger: Page) -> None:
    page, console = stranger, empty_console
    with console.runtime.unit(COMMAND, write=True) as unit:
        link = offer_beginning(unit)
    assert link is not None
    page.goto("/login")
    expect(page.get_by_text("Nobody is here yet")).to_be_visible()

    page.goto(link)
    expect(page.get_by_label("Your name")).to_be_focused()
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    look_at(page)
    for words in ("Ada Lindqvist", "ada@acme.example", "short", "Acme"):
        page.keyboard.type(words)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("A password needs at least")
    expect(page.get_by_label("Workspace")).to_have_value("Acme")
    expect(page.get_by_label("Choose a password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    ready(page)
    steps = page.get_by_role("list").filter(has=page.get_by_role("heading", name="Connect a number"))
    number = steps.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Connect a number"))
    expect(number.get_by_text("Next")).to_be_visible()
    look_at(page)
    page.goto("/")
    page.get_by_role("link", name="Go through the first steps").press("Enter")
    ready(page)
    number.get_by_role("button", name="Use the sandbox's account").press("Enter")
    expect(number.get_by_text("Done")).to_be_visible()
    expect(steps.get_by_role("link", name="Send one")).to_be_visible()
    look_at(page)

    page.goto(link)
    expect(page.get_by_text("Waypost has its owner already")).to_be_visible()
    assert link.rpartition("/")[2] not in _log(console)


def _log(console: Console) -> str:
    return (console.runtime.database.path.parent / "web.log").read_text()
