"""``serve --demo`` in a folder of its own: all real, with Meta's sandbox; and a browser signed in to it."""

import re
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from direct import free_port, wait_for
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from processes import ROOT, printed, running

COOKIE = "waypost_session"
HAPPENS_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Demo:
    """``web_pid``: of the process that serves pages; ``cookie``: of the owner's session; ``key``: of an
    owner."""

    url: str
    folder: Path
    settings: dict[str, str]
    web_pid: int
    cookie: str
    key: str

    def one(self, query: str) -> str:
        """The first column of the first row, once there is one."""
        give_up = time.monotonic() + HAPPENS_WITHIN_S
        with closing(sqlite3.connect(self.folder / "var" / "waypost.db")) as file:
            while (row := file.execute(query).fetchone()) is None:
                if time.monotonic() > give_up:
                    raise LookupError(query)
                time.sleep(0.2)
        return str(row[0])


@contextmanager
def demo(browser: Browser) -> Iterator[Demo]:
    """The demo once it is healthy, with its owner signed in."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder, port = Path(name), free_port()
        settings = {"WAYPOST_PORT": str(port), "WAYPOST_SANDBOX_PORT": str(free_port())}
        with running("main.py", "serve", "--demo", cwd=folder, settings=settings) as server:
            url = f"http://127.0.0.1:{port}"
            wait_for(url, path="/api/v1/admin/health")
            email, password = _sign_in_words(server)
            key = printed(
                "main.py", "api-key", "create", "--workspace", "northwind-trading", "--role", "owner",
                "--name", "bench", cwd=folder, settings=settings,
            )  # fmt: skip
            cookie = _sign_in(browser, url, email, password)
            yield Demo(url, folder, settings, _web_pid(server), cookie, key)


@contextmanager
def chromium() -> Iterator[Browser]:
    found = subprocess.run(
        ["sh", str(ROOT / "tests/pages/find_chromium.sh")], capture_output=True, text=True, check=True
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.stdout.split()[0],
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


def signed_in(browser: Browser, place: Demo) -> BrowserContext:
    """A browser that has nothing of the console yet but the owner's cookie."""
    context = browser.new_context(
        base_url=place.url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
    )
    context.set_default_timeout(60_000)
    context.add_cookies([{"name": COOKIE, "value": place.cookie, "url": place.url}])
    return context


def _sign_in_words(server: "subprocess.Popen[str]") -> tuple[str, str]:
    assert server.stdout is not None
    said = ""
    while (found := re.search(r"Sign in as\s+(\S+)[\s\S]*Password\s+(\S+)", said)) is None:
        line = server.stdout.readline()
        if not line:
            raise RuntimeError("the demo ended without a word")
        said += line
    return found[1], found[2]


def _sign_in(browser: Browser, url: str, email: str, password: str) -> str:
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Open search").or_(
        page.get_by_role("link", name="Overview")
    ).first.wait_for()
    cookie = next(each for each in context.cookies() if each.get("name") == COOKIE)
    context.close()
    return str(cookie.get("value"))


def _web_pid(server: "subprocess.Popen[str]") -> int:
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for pid in children:
        if b"\0web\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return int(pid)
    raise LookupError("no web process")
