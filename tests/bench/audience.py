"""A hundred people who look at the live overview while messages flow: what each costs the web process, and
how long a click of one more takes.

``python tests/bench/audience.py`` prints it.
"""

import asyncio
import html
import itertools
import json
import re
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

import aiohttp
import bodies
import socketio
from demo import COOKIE, Demo, chromium, demo, signed_in
from playwright.sync_api import BrowserContext, Page, expect
from processes import cpu_s, memory_mb

SOCKET_PATH = "/_nicegui_ws/socket.io"
CLIENTS = 100
MESSAGES_A_SECOND = 50
MINUTE_S = 60.0
CLICK_EVERY_S = 1.0


Work = TypeVar("Work", bound="_Thread")


@dataclass(frozen=True, slots=True)
class Watched:
    """``idle_s`` and ``busy_s``: the 95th percentile of a click's answer, alone and with the audience;
    ``cpu`` of one core in use meanwhile, 0 to 1; ``memory_mb`` for each client; ``updates`` that each client
    heard, ``sent`` the messages that flowed."""

    idle_s: float
    busy_s: float
    cpu: float
    memory_mb: float
    updates: float
    sent: int

    @property
    def ratio(self) -> float:
        return self.busy_s / self.idle_s


def watched(*, clients: int = CLIENTS, seconds: float = MINUTE_S) -> Watched:
    with chromium() as browser, demo(browser) as place:
        context = signed_in(browser, place)
        _at(context, "/")  # stays open, and live
        page = _at(context, "/messages")
        idle_s = _clicking(page, seconds / 3)
        before_mb = memory_mb(place.web_pid)
        with ExitStack() as stack:
            audience = stack.enter_context(_in_a_thread(_Audience(place, clients)))
            with_them_mb = memory_mb(place.web_pid)
            senders = stack.enter_context(_in_a_thread(_Senders(place)))
            started, used = time.perf_counter(), cpu_s(place.web_pid)
            busy_s = _clicking(page, seconds)
            cpu = (cpu_s(place.web_pid) - used) / (time.perf_counter() - started)
        return Watched(
            idle_s,
            busy_s,
            cpu,
            (with_them_mb - before_mb) / clients,
            audience.heard / clients,
            senders.sent,
        )


class _Thread:
    """Runs in a loop of its own, until told to stop."""

    def __init__(self) -> None:
        self.is_ready = threading.Event()
        self.stop = threading.Event()
        self.fault: Exception | None = None

    async def run(self) -> None:
        raise NotImplementedError

    async def until_stopped(self) -> None:
        await asyncio.to_thread(self.stop.wait)


class _Audience(_Thread):
    def __init__(self, place: Demo, clients: int) -> None:
        super().__init__()
        self._place = place
        self._clients = clients
        self.heard = 0

    async def run(self) -> None:
        headers = {"Origin": self._place.url, "Cookie": f"{COOKIE}={self._place.cookie}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            sockets = [await self._join(http, headers) for _ in range(self._clients)]
            self.heard = 0
            self.is_ready.set()
            await self.until_stopped()
            for socket in sockets:
                if not socket.connected:
                    raise RuntimeError("a client was cut off")
                await socket.eio.disconnect(abort=True)

    async def _join(self, http: aiohttp.ClientSession, headers: dict[str, str]) -> socketio.AsyncClient:
        # As a browser does: its socket is a connection of its own, not the one that just carried the page.
        async with http.get(self._place.url, headers={"Connection": "close"}) as answer:
            page = await answer.text()
        found = re.search(r"query: (\{.*?\}),\n", page)
        assert found is not None
        query = json.loads(html.unescape(found[1]).replace("'", '"').replace("True", "true"))
        query |= {"document_id": uuid.uuid4(), "tab_id": uuid.uuid4(), "implicit_handshake": "true"}
        socket = socketio.AsyncClient(reconnection=False, http_session=http)
        socket.on("update", self._hear)
        socket.on("run_javascript", self._hear)
        await socket.connect(
            f"{self._place.url}?{urlencode(query)}",
            headers=headers,
            transports=["websocket"],
            socketio_path=SOCKET_PATH,
        )
        return socket

    def _hear(self, _: object) -> None:
        self.heard += 1


class _Senders(_Thread):
    """Messages through the API at an even pace."""

    def __init__(self, place: Demo) -> None:
        super().__init__()
        self._place = place
        self.sent = 0

    async def run(self) -> None:
        self.is_ready.set()
        phone = self._place.one("SELECT id FROM phone ORDER BY id")
        headers = {"Authorization": f"Bearer {self._place.key}"}
        async with aiohttp.ClientSession(self._place.url, headers=headers) as client:
            tasks: set[asyncio.Task[None]] = set()
            started = time.monotonic()
            number = 0
            while not self.stop.is_set():
                if number < (time.monotonic() - started) * MESSAGES_A_SECOND:
                    tasks.add(asyncio.create_task(self._send(client, phone, number)))
                    number += 1
                else:
                    await asyncio.sleep(0.005)
            await asyncio.gather(*tasks)

    async def _send(self, client: aiohttp.ClientSession, phone: str, number: int) -> None:
        body = {**bodies.payload(number), "phoneNumberId": phone, "mode": "queued"}
        async with client.post("/api/v1/messages/template", json=body) as answer:
            if answer.status >= 400:
                raise RuntimeError(await answer.text())
        self.sent += 1


@contextmanager
def _in_a_thread(work: Work) -> Iterator[Work]:
    def run() -> None:
        try:
            asyncio.run(work.run())
        except Exception as error:  # noqa: BLE001 - raised where the thread is waited for
            work.fault = error
        finally:
            work.is_ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    work.is_ready.wait()
    try:
        yield work
    finally:
        work.stop.set()
        thread.join()
        if work.fault is not None:
            raise work.fault


def _at(browser: BrowserContext, address: str) -> Page:
    page = browser.new_page()
    page.goto(address)
    page.wait_for_function("window.did_handshake === true")
    return page


def _clicking(page: Page, seconds: float) -> float:
    """Of clicks on the one and the other kind of messages, the 95th percentile of seconds until the server
    has marked the kind that is shown."""
    took = []
    words = itertools.cycle(("Sent", "All"))
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        word = next(words)
        button = page.get_by_role("group", name="Direction").get_by_role("button", name=word, exact=True)
        started = time.perf_counter()
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        took.append(time.perf_counter() - started)
        time.sleep(max(0.0, CLICK_EVERY_S - took[-1]))
    return sorted(took)[int(len(took) * 0.95)]


if __name__ == "__main__":
    found = watched(seconds=float(sys.argv[1]) if len(sys.argv) > 1 else MINUTE_S)
    print(
        f"a click, 95 %: {found.busy_s * 1000:.0f} ms, alone {found.idle_s * 1000:.0f} ms, "
        f"{found.ratio:.2f} ×; "
        f"{found.cpu:.0%} of a core, {found.cpu / CLIENTS:.2%} a client; {found.memory_mb:.2f} MB a client; "
        f"{found.updates:.0f} updates each; {found.sent:,} messages"
    )
