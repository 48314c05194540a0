"""Pictures of every page, from a demo that is started for it: both themes, wide and as on a phone.

``make pictures`` puts them into ``var/pictures``, and those that the documents show into ``docs/pictures``.
With names of pages as arguments, of those alone.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
ALL = ROOT / "var" / "pictures"
SHOWN = ROOT / "docs" / "pictures"
SIZES = {"1440": (1440, 900), "390": (390, 844)}
THEMES = ("light", "dark")
# What the documents show is a little smaller, so that its text can be read in a column.
SHOWN_SIZE = (1200, 750)
STARTS_WITHIN_S = 120
# A demo needs so long until it has retries, dead letters and conversations to show.
DEMO_FOR_S = 75

PAGES = {
    "overview": "/",
    "first-steps": "/first-steps",
    "monitoring": "/monitoring?span=1h",
    "queue": "/queue",
    "dead-letters": "/dead-letters",
    "dead-letter": "/dead-letters?open=*",
    "messages": "/messages",
    "message": "/messages/*",
    "send": "/send",
    "contacts": "/contacts",
    "contact": "/contacts/*",
    "conversations": "/conversations",
    "conversation": "/conversations/*",
    "templates": "/templates",
    "template": "/templates/*",
    "template-new": "/templates/new",
    "phones": "/phones",
    "phone": "/phones/*",
    "phones-connect": "/phones/connect",
    "billing": "/billing",
    "invoices": "/billing/invoices",
    "invoice": "/billing/invoices/*",
    "reconciliation": "/billing/reconciliation",
    "team": "/team",
    "permissions": "/permissions",
    "audit": "/audit",
    "failures": "/failures",
    "webhooks": "/webhooks",
    "alerts": "/alerts",
    "alert-channels": "/alerts/channels",
    "tokens": "/tokens",
    "api-keys": "/api-keys",
    "schedules": "/schedules",
    "health": "/health",
    "settings": "/settings",
    "account": "/account",
    "workspaces": "/workspaces",
    "abuse": "/abuse",
    "sandbox": "/sandbox",
    "outbox": "/outbox",
}
# Where the list of the API has the id that stands for the star; of a template that is Meta's, not ours.
LISTS = {
    "message": ("/messages?direction=outbound", "id"),
    "dead-letter": ("/dead-letters", "id"),
    "contact": ("/contacts", "id"),
    "conversation": ("/billing/conversations", "id"),
    "phone": ("/phones", "phoneNumberId"),
    "invoice": ("/billing/invoices", "id"),
}


def main() -> None:
    ALL.mkdir(parents=True, exist_ok=True)
    with demo() as (url, email, password, key), sync_playwright() as playwright:
        time.sleep(DEMO_FOR_S)
        browser = playwright.chromium.launch(executable_path=_chromium(), args=["--no-sandbox"])
        addresses = _addresses(url, key)
        if sys.argv[1:]:
            addresses = {name: path for name, path in addresses.items() if name in sys.argv[1:]}
        for theme in THEMES:
            for size in SIZES:
                for name, page in _each(browser, url, email, password, addresses, theme, SIZES[size]):
                    page.screenshot(path=ALL / f"{name}-{theme}-{size}.png")
        for name, page in _each(browser, url, email, password, addresses, "light", SHOWN_SIZE):
            page.screenshot(path=SHOWN / f"{name}.png")
            _compress(SHOWN / f"{name}.png")
        browser.close()


@contextmanager
def demo() -> Iterator[tuple[str, str, str, str]]:
    """A demo in a folder of its own: address, e-mail, password, and an owner's key."""
    folder = Path(tempfile.mkdtemp(prefix="waypost-pictures-"))
    ports = [_free_port(), _free_port()]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WAYPOST_")}
    env = inherited | {"WAYPOST_PORT": str(ports[0]), "WAYPOST_SANDBOX_PORT": str(ports[1])}
    log = folder / "log.txt"
    with log.open("w") as out:
        serve = subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), "serve", "--demo"],
            cwd=folder,
            env=env,
            stdout=out,
            stderr=out,
        )
    try:
        email, password = _sign_in(log, serve)
        made = subprocess.run(
            [
                *(sys.executable, str(ROOT / "main.py"), "api-key", "create"),
                *("--workspace", "northwind-trading", "--role", "owner", "--name", "pictures"),
            ],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        yield f"http://127.0.0.1:{ports[0]}", email, password, made.stdout.strip()
    finally:
        serve.send_signal(signal.SIGINT)
        serve.wait(40)
        shutil.rmtree(folder)


def _sign_in(log: Path, serve: "subprocess.Popen[bytes]") -> tuple[str, str]:
    give_up = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < give_up and serve.poll() is None:
        found = re.search(r"Sign in as +(\S+).*?Password +(\S+)", log.read_text(), re.DOTALL)
        if found:
            return found[1], found[2]
        time.sleep(0.2)
    raise RuntimeError(f"the demo did not start:\n{log.read_text()}")


def _addresses(url: str, key: str) -> dict[str, str]:
    """name → path, without those of which the demo has none."""
    found = dict(PAGES)
    with httpx.Client(
        base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=30
    ) as api:
        for name, (path, field) in LISTS.items():
            items = api.get(path).raise_for_status().json()["items"]
            if items:
                found[name] = PAGES[name].replace("*", str(items[0][field]))
            else:
                print(f"the demo has no {name} to show")
                del found[name]
    return found


def _each(
    browser: Browser,
    url: str,
    email: str,
    password: str,
    addresses: dict[str, str],
    theme: str,
    size: tuple[int, int],
) -> Iterator[tuple[str, Page]]:
    """Each page as it stands once it is drawn."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto("/login")
    if size != SHOWN_SIZE and not sys.argv[1:]:
        yield "login", page
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/")
    for name, path in addresses.items():
        page.goto(path.removesuffix("*"))
        page.wait_for_function("window.did_handshake === true")
        if path.endswith("*"):  # its address is known to its list alone
            page.get_by_text("order_update").first.click()
            page.wait_for_url(re.compile(path.removesuffix("*") + r"\w+"))
            page.wait_for_function("window.did_handshake === true")
        page.evaluate("document.fonts.ready")
        page.wait_for_timeout(400)  # charts draw themselves when they are laid out
        yield name, page
    context.close()


def _compress(path: Path) -> None:
    """With a palette, which is enough for pages and a third of the size."""
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def _chromium() -> str:
    found = subprocess.run(
        ["sh", str(ROOT / "tests" / "pages" / "find_chromium.sh")], capture_output=True, text=True, check=True
    )
    return found.stdout.strip().splitlines()[0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
