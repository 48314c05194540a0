"""A real browser, a real web process, and a workspace of its own for each test."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, expect, sync_playwright

from data.enums import Role
from tests.conftest import Place
from tests.console import COOKIE, Console, running_console

HERE = Path(__file__).parent
AXE = (HERE / "axe.min.js").read_text()
# Drawn, and no colour on its way to another. A browser that draws nothing just then is not waited for.
SETTLED = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    const settled = async () => {
        await frame();
        await frame();
        const moving = document.getAnimations().filter((each) => each instanceof CSSTransition);
        await Promise.allSettled(moving.map((each) => each.finished));
    };
    await Promise.race([settled(), new Promise((resolve) => setTimeout(resolve, 2000))]);
}"""
WIDE = (1440, 900)
PHONE = (390, 844)

OpenAs = Callable[..., Page]
# What a page is waited for, at most: on a busy machine the default of five seconds can be too short.
expect.set_options(timeout=30_000)


def _chromium() -> str | None:
    found = subprocess.run(
        ["sh", str(HERE / "find_chromium.sh")], capture_output=True, text=True, check=False
    )
    return found.stdout.strip().splitlines()[0] if found.returncode == 0 else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not _chromium():
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="no Chromium; set WAYPOST_CHROMIUM or install one"))


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


class Pages:
    """One page a browser, lent to one test after the other: the second time a page is there in a third of the
    time, for the browser has its scripts at hand. Nothing else of a test is left."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[str, list[Page]] = {}

    def lend(self, url: str) -> Page:
        """A blank page at the console at ``url``, in a browser that nobody else has now."""
        free = self._free.setdefault(url, [])
        if free:
            return free.pop()
        context = self._browser.new_context(
            base_url=url, reduced_motion="reduce", locale="en-GB", timezone_id="UTC"
        )
        context.set_default_timeout(30_000)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        return context.new_page()

    def take_back(self, url: str, page: Page) -> None:
        for other in page.context.pages:
            if other is not page:
                other.close()
        page.context.clear_cookies()
        try:
            if page.url.startswith(url):
                page.evaluate("sessionStorage.clear(), localStorage.clear()")
            page.goto("about:blank")
        except Error:  # the test has closed it, or left while it was on its way
            page.context.close()
        else:
            self._free[url].append(page)


@pytest.fixture(scope="session")
def pages(browser: Browser) -> Pages:
    return Pages(browser)


@pytest.fixture
def open_as(pages: Pages, console: Console, place: Place) -> Iterator[OpenAs]:
    """``open_as(Role.VIEWER, size=PHONE, dark=True)``: a page of a browser of its own in which such a member
    of ``place`` is signed in; nobody is, with None. ``page.goto("/queue")`` goes there. A script error or an
    error in its console fails the test; that the page itself answers 403 or 404 is none.
    """
    lent: list[Page] = []
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        is_of_page = message.page is not None and message.location.get("url") == message.page.url
        if message.type == "error" and not (is_of_page and "Failed to load resource" in message.text):
            faults.append(message.text)

    def note_error(error: Error) -> None:
        faults.append(str(error))

    def open_page(
        role: Role | None = Role.OWNER, *, size: tuple[int, int] = WIDE, dark: bool = False
    ) -> Page:
        page = pages.lend(console.url)
        lent.append(page)
        if role is not None:
            email = console.owner_email(place) if role is Role.OWNER else console.add_person(place, role)
            cookie = {"name": COOKIE, "value": console.token_for(email), "url": console.url}
            page.context.add_cookies([cookie])
        resize(page, size)
        page.emulate_media(media="screen", color_scheme="dark" if dark else "light")
        page.on("pageerror", note_error)
        page.on("console", note)
        return page

    yield open_page
    for page in lent:
        page.remove_listener("pageerror", note_error)
        page.remove_listener("console", note)
        pages.take_back(console.url, page)
    assert faults == []


@pytest.fixture
def signed_in(open_as: OpenAs) -> Page:
    """A wide page with the owner of ``place`` signed in."""
    return open_as()


def resize(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


def ready(page: Page) -> None:
    """The page's socket is open: from here on it hears clicks and updates."""
    page.wait_for_function("window.did_handshake === true")


def choose(inside: Page | Locator, field: str, option: str | re.Pattern[str], *, exact: bool = False) -> None:
    """That option of that field, whose list is gone afterwards: while it goes it takes the focus back, and
    would close the list of a field that is clicked meanwhile."""
    inside.get_by_role("combobox", name=field).click()
    page = inside if isinstance(inside, Page) else inside.page
    page.get_by_role("option", name=option, exact=exact).click()
    expect(page.get_by_role("listbox")).to_have_count(0)


def copied(by: Locator) -> str:
    """What a click on that button leaves in the clipboard."""
    by.page.evaluate("navigator.clipboard.writeText('')")
    by.click()
    return str(by.page.wait_for_function("navigator.clipboard.readText()").json_value())


def axe_finds(page: Page, *rules: str) -> list[str]:
    """What axe-core objects to on the page as it is now: rule and first element. Empty is right. With
    ``rules``, by those alone."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    options: dict[str, Any] = {"resultTypes": ["violations"], "selectors": False, "iframes": False}
    if rules:
        options["runOnly"] = rules
    page.evaluate(SETTLED)
    found = page.evaluate("(options) => axe.run(options)", options)["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]
