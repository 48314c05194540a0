"""What each page costs, beside the bare frame with its navigation: bytes, requests, the time until it can be
used, and the web process's time; and what stays in memory after a thousand visits.

``python tests/bench/pages.py`` prints it for every page.
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from urllib.parse import quote

from demo import Demo, chromium, demo, signed_in
from playwright.sync_api import Browser, CDPSession, Page
from processes import cpu_s, memory_mb

BARE = "/there-is-no-such-page"
ROUNDS = 5
# The pages that show one thing: the query for its id.
IDS = {
    "/messages/{}": "SELECT id FROM message ORDER BY created_at DESC",
    "/contacts/{}": "SELECT id FROM contact ORDER BY id DESC",
    "/conversations/{}": "SELECT id FROM conversation ORDER BY id DESC",
    "/templates/{}": "SELECT id FROM template ORDER BY id",
    "/phones/{}": "SELECT id FROM phone ORDER BY id",
}
# No page of its own without a thing to show, or nothing to see without being somebody else.
USABLE = """() => window.did_handshake === true
    && document.querySelector('#content h1')?.getClientRects().length > 0
    && document.getElementById('newest-alerts') !== null"""


@dataclass(frozen=True, slots=True)
class Visit:
    """``usable_s``: from the call until the main content is visible, the socket open and a click answered."""

    requests: int
    bytes: int
    usable_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Budget:
    """The medians of several visits, ``cold`` with an empty browser, ``warm`` with what it kept."""

    path: str
    cold: Visit
    warm: Visit


def budgets(paths: Iterable[str], *, rounds: int = ROUNDS) -> list[Budget]:
    """The bare frame first, then each page; all take turns in each round."""
    with chromium() as browser, demo(browser) as place:
        wanted = [BARE, *(_filled(place, path) for path in paths)]
        found: dict[str, list[tuple[Visit, Visit]]] = {path: [] for path in wanted}
        for path in wanted:
            _cold_and_warm(browser, place, path)  # the first of each imports and compiles
        for _ in range(rounds):
            for path in wanted:
                found[path].append(_cold_and_warm(browser, place, path))
    return [
        Budget(path, _median([cold for cold, _ in visits]), _median([warm for _, warm in visits]))
        for path, visits in found.items()
    ]


def memory_after(visits: int, paths: Iterable[str]) -> tuple[float, float]:
    """Megabytes of the web process after a tenth of the visits and after all, once it has let go of them."""
    with chromium() as browser, demo(browser) as place:
        wanted = [_filled(place, path) for path in paths]
        page = signed_in(browser, place).new_page()

        def after(count: int) -> float:
            for number in range(count):
                page.goto(wanted[number % len(wanted)], wait_until="commit")
                page.wait_for_function(USABLE)
            page.goto("about:blank")
            time.sleep(15)  # a page that is gone may come back for so long
            return memory_mb(place.web_pid)

        first = after(visits // 10)
        return first, after(visits - visits // 10)


def _cold_and_warm(browser: Browser, place: Demo, path: str) -> tuple[Visit, Visit]:
    context = signed_in(browser, place)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    found = _visit(page, session, place, path), _visit(page, session, place, path)
    context.close()
    return found


def _visit(page: Page, session: CDPSession, place: Demo, path: str) -> Visit:
    page.goto("about:blank")
    sizes: list[float] = []

    def note(event: dict[str, float]) -> None:
        sizes.append(event["encodedDataLength"])

    session.on("Network.loadingFinished", note)
    before, started = cpu_s(place.web_pid), time.perf_counter()
    page.goto(path, wait_until="commit")
    page.wait_for_function(USABLE)
    page.get_by_role("button", name="open alert").or_(
        page.get_by_role("button", name="No open alerts")
    ).click()
    page.locator("#newest-alerts:popover-open").wait_for()
    usable_s = time.perf_counter() - started
    page.wait_for_load_state("load")
    took_s = cpu_s(place.web_pid) - before
    session.remove_listener("Network.loadingFinished", note)
    return Visit(len(sizes), int(sum(sizes)), usable_s, took_s)


def _median(visits: list[Visit]) -> Visit:
    return Visit(
        int(median(each.requests for each in visits)),
        int(median(each.bytes for each in visits)),
        median(each.usable_s for each in visits),
        sum(each.cpu_s for each in visits) / len(visits),  # it is counted in hundredths of a second
    )


def _filled(place: Demo, path: str) -> str:
    for pattern, query in IDS.items():
        if pattern.partition("{")[0] + "{" == path.partition("{")[0] + "{" and path.endswith("}"):
            return pattern.format(quote(place.one(query)))
    return path


def every_page() -> list[str]:
    """The addresses of all pages, of those that show one thing the ones that the demo has."""
    from ui.pages import PAGES

    shown = [pattern.partition("{")[0] for pattern in IDS]
    return [
        page.path
        for page in PAGES
        if "{" not in page.path or (page.path.endswith("}") and page.path.partition("{")[0] in shown)
    ]


if __name__ == "__main__":
    lines = budgets(every_page(), rounds=int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
    bare = lines[0]
    for one in lines:
        for word, visit, base in (("cold", one.cold, bare.cold), ("warm", one.warm, bare.warm)):
            print(
                f"{one.path:34.34} {word} {visit.requests:4} requests {visit.bytes / 1024:8.0f} kB "
                f"{visit.usable_s * 1000:7.0f} ms {visit.usable_s / base.usable_s:5.2f} "
                f"{visit.cpu_s * 1000:6.0f} ms of the web process"
            )
