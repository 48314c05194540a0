"""The page of dead letters in a browser, over so many letters: until its first row can be seen, and until a
click on it has opened the letter.

``python tests/bench/at_the_desk.py 100 1000000`` prints it for each.
"""

import sys
import time
from dataclasses import dataclass
from statistics import median

from demo import COOKIE, chromium
from direct import free_port, wait_for
from letters import _workbench
from processes import memory_mb, running
from sqlmodel import select

from core.runtime import Runtime
from core.team.owners import COMMAND
from core.team.passwords import hash_password
from core.team.sign_in import sign_in
from core.unit import ANONYMOUS
from data.people import User

ROUNDS = 9
PASSWORD = "a-password-of-the-bench"


@dataclass(frozen=True, slots=True)
class Looked:
    """Medians. ``row_s``: from the call until the first row is visible; ``opened_s``: from the click on it
    until the letter is. ``web_mb``: memory of the web process afterwards."""

    row_s: float
    opened_s: float
    web_mb: float


def look(letters: int) -> Looked:
    with _workbench(letters) as (runtime, _), chromium() as browser:
        port = free_port()
        settings = {
            "WAYPOST_PORT": str(port),
            "WAYPOST_DATABASE_URL": runtime.settings.waypost_database_url,
            "WAYPOST_QUEUE_URL": runtime.settings.waypost_queue_url,
            "WAYPOST_SECRET_KEYS": runtime.settings.key_file.read_text().strip(),
        }
        folder = runtime.database.path.parent
        token = _session(runtime)
        with running("main.py", "web", cwd=folder, settings=settings) as web:
            url = f"http://127.0.0.1:{port}"
            wait_for(url)
            context = browser.new_context(base_url=url, reduced_motion="reduce")
            context.set_default_timeout(60_000)
            context.add_cookies([{"name": COOKIE, "value": token, "url": url}])
            page = context.new_page()
            times = []
            for _ in range(ROUNDS + 1):
                page.goto("about:blank")
                began = time.perf_counter()
                page.goto("/dead-letters", wait_until="commit")
                page.locator("tbody .rowlink").first.wait_for()
                seen = time.perf_counter()
                page.wait_for_function("window.did_handshake === true")
                clicked = time.perf_counter()
                page.locator("tbody .rowlink").first.click()
                page.locator("[data-drawer].open h2").wait_for()
                times.append((seen - began, time.perf_counter() - clicked))
            rows, opened = zip(*times[1:], strict=True)  # the first visit imports and compiles
            return Looked(median(rows), median(opened), memory_mb(web.pid))


def _session(runtime: Runtime) -> str:
    """The cookie of the workspace's owner."""
    with runtime.unit(COMMAND, write=True) as unit:
        owner = unit.session.exec(select(User)).one()
        owner.password_hash = hash_password(PASSWORD)
        email = owner.email
        unit.session.add(owner)
    return sign_in(runtime, ANONYMOUS, email=email, password=PASSWORD, agent="bench").token


if __name__ == "__main__":
    for count in map(int, sys.argv[1:]):
        found = look(count)
        print(
            f"{count:,} letters: row {found.row_s * 1000:.0f} ms, opened {found.opened_s * 1000:.0f} ms, "
            f"web {found.web_mb:.0f} MB"
        )
