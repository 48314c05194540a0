"""A real browser, a real web process, and a workspace of its own for each test."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from data.enums import Role
from tests.conftest import Place
from tests.console import COOKIE, Console, running_console

HERE = Path(__file__).parent
AXE = HERE / "axe.min.js"
WIDE = (1440, 900)
PHONE = (390, 844)

OpenAs = Callable[..., Page]


def _chromium() -> str | None:
    found = subprocess.run(
        ["sh", str(HERE / "find_chromium.sh")], capture_output=True, text=True, check=False
    )
    return found.stdout.strip().splitlines()[0] if found.returncode == 0 else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if HERE in item.path.parents]
    skip = (
        pytest.mark.skip(reason="no Chromium; set WAYPOST_CHROMIUM or install one")
        if not _chromium()
        else None
    )
    for item in here:
        item.add_marker(pytest.mark.page)
        if skip is not None:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=_chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield found
        found.close()


@pytest.fixture(scope="session")
def console(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, sandbox_url: str, password_hash: str
) -> Iterator[Console]:
    """The console at ``console.url``; ``console.runtime`` works on the same database."""
    folder = tmp_path_factory.mktemp("console")
    with running_console(folder, migrated_sqlite, sandbox_url, password_hash) as found:
        yield found


@pytest.fixture
def place(console: Console) -> Place:
    """A workspace in the console's database, with two phones and some templates."""
    return console.new_place()


@pytest.fixture
def open_as(browser: Browser, console: Console, place: Place) -> Iterator[OpenAs]:
    """``open_as(Role.VIEWER, size=PHONE, dark=True)``: a page of a browser in which such a member of
    ``place`` is signed in. ``page.goto("/queue")`` goes there. A script error or an error in its console
    fails the test; that the page itself answers 403 or 404 is none.
    """
    contexts = []
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        is_of_page = message.page is not None and message.location.get("url") == message.page.url
        if message.type == "error" and not (is_of_page and "Failed to load resource" in message.text):
            faults.append(message.text)

    def open_page(role: Role = Role.OWNER, *, size: tuple[int, int] = WIDE, dark: bool = False) -> Page:
        email = console.owner_email(place) if role is Role.OWNER else console.add_person(place, role)
        context = browser.new_context(
            base_url=console.url,
            viewport={"width": size[0], "height": size[1]},
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
            color_scheme="dark" if dark else "light",
        )
        context.set_default_timeout(10_000)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.add_cookies([{"name": COOKIE, "value": console.token_for(email), "url": console.url}])
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", note)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def signed_in(open_as: OpenAs) -> Page:
    """A wide page with the owner of ``place`` signed in."""
    return open_as()


def ready(page: Page) -> None:
    """The page's socket is open: from here on it hears clicks and updates."""
    page.wait_for_function("window.did_handshake === true")


def axe_finds(page: Page) -> list[str]:
    """What axe-core objects to on the page as it is now: rule and first element. Empty is right."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]
