"""``make soak``: half an hour under a steady load, and how flat everything stays.

A hundred queued sends a second over forty phones and three hundred webhooks a second, one status each, to a
web process and a worker as they are composed in production. Every half minute it looks at memory, files,
answers and what waits; at the end it prints each with its slope over the last two thirds.
"""

import asyncio
import itertools
import json
import sqlite3
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import linear_regression, quantiles
from urllib.parse import urlsplit

import bodies
import uvloop
from clients import length_of
from direct import free_port, wait_for
from drain import PHONES, answering, settings_for
from hooks import SECRET
from page import write_block
from posting import signed
from processes import memory_mb, printed, running, written_mb

SENDS, HOOKS = 100, 300  # a second
CONNECTIONS = 16
LOOK_EVERY_S = 30.0
WARM_SHARE = 1 / 3
WHOLE_MINUTES = 30.0
_WAITING = "SELECT count(*) FROM message WHERE state IN ('queued', 'claimed', 'sending', 'retry_queued')"
_UNAPPLIED = "SELECT count(*) FROM delivery WHERE state = 'pending'"
# As the server that stands in for Meta names what it takes, and how much later its statuses come.
WAMID = "wamid.BENCH{:020d}"
LATER_S = 3
WORDS = ("sent", "delivered", "read")
Look = dict[str, float]
Compose = Callable[[int], bytes]


class Stream:
    """Requests at a steady pace, whatever the answers take; ``took_ms`` of those since the last look."""

    def __init__(self, address: str, per_second: int, compose: Compose, *, answered: bytes) -> None:
        self._target = urlsplit(address)
        self._per_second = per_second
        self._compose, self._answered = compose, answered
        self._numbers = itertools.count()
        self.took_ms: deque[float] = deque()

    async def run(self, seconds: float) -> None:
        """For so long; a request that is late goes out at once."""
        self._began = time.monotonic()
        await asyncio.gather(*(self._one_by_one(seconds) for _ in range(CONNECTIONS)))

    async def _one_by_one(self, seconds: float) -> None:
        reader, writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        while True:
            number = next(self._numbers)
            due = number / self._per_second
            if due >= seconds:
                break
            await asyncio.sleep(max(0.0, self._began + due - time.monotonic()))
            sent = time.monotonic()
            writer.write(self._compose(number))
            head = await reader.readuntil(b"\r\n\r\n")
            answer = await reader.readexactly(length_of(head))
            if not head.startswith(self._answered):
                raise RuntimeError(f"{head.splitlines()[0]!r}: {answer!r}")
            self.took_ms.append((time.monotonic() - sent) * 1000)
        writer.close()

    def p95_ms(self) -> float:
        took = list(self.took_ms)
        self.took_ms.clear()
        return quantiles(took, n=20)[-1] if len(took) > 1 else 0.0


def send_of(key: str) -> Compose:
    def compose(number: int) -> bytes:
        phone = bodies.phone_id(number % PHONES)
        body = json.dumps({**bodies.payload(number), "phoneNumberId": phone, "mode": "queued"}).encode()
        return (
            b"POST /api/v1/messages/template HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b" % (key.encode(), len(body), body)
        )

    return compose


def status_of(number: int) -> bytes:
    """One after the other, the three statuses of each message."""
    message = max(0, number // len(WORDS) - LATER_S * SENDS)
    phone, word = bodies.phone_id(message % PHONES), WORDS[number % len(WORDS)]
    return signed(bodies.webhook([message], status=word, phone=phone, wamid=WAMID, ours=""), SECRET)


def soak(minutes: float) -> list[Look]:
    """What was seen, each half minute."""
    looks: list[Look] = []
    with tempfile.TemporaryDirectory(prefix="waypost-soak-") as name, answering(Path(name)) as meta:
        folder, port = Path(name), free_port()
        settings = settings_for(meta, WAYPOST_PORT=str(port), WAYPOST_META_APP_SECRET=SECRET)
        key = printed("backlog.py", 0, PHONES, cwd=folder, settings=settings)
        with (
            running("main.py", "web", cwd=folder, settings=settings) as web,
            running("main.py", "worker", "--with-clock", cwd=folder, settings=settings) as worker,
        ):
            address = f"http://127.0.0.1:{port}"
            wait_for(address)
            sends = Stream(address, SENDS, send_of(key), answered=b"HTTP/1.1 202 ")
            hooks = Stream(address, HOOKS, status_of, answered=b"HTTP/1.1 200 ")

            async def load() -> None:
                streams = asyncio.gather(sends.run(minutes * 60), hooks.run(minutes * 60))
                before = written_mb(web.pid) + written_mb(worker.pid)
                while not streams.done():
                    await asyncio.wait([streams], timeout=LOOK_EVERY_S)
                    now = written_mb(web.pid) + written_mb(worker.pid)
                    written, before = now - before, now
                    count = max(1, len(sends.took_ms))
                    look = _look(folder / "var", web.pid, worker.pid, sends, hooks)
                    looks.append(look | {"written to disk, bytes a message": written * 1e6 / count})
                    print(_line(looks[-1]), file=sys.stderr, flush=True)
                await streams

            uvloop.run(load())
    return looks


def _look(var: Path, web: int, worker: int, sends: Stream, hooks: Stream) -> Look:
    with closing(sqlite3.connect(var / "waypost.db", timeout=30)) as database:
        waiting = database.execute(_WAITING).fetchone()[0]
        unapplied = database.execute(_UNAPPLIED).fetchone()[0]
        stored = database.execute("SELECT count(*) FROM message").fetchone()[0]
    size = {path.name: path.stat().st_size / 1e6 for path in var.iterdir() if path.is_file()}
    return {
        "web, MB": memory_mb(web),
        "worker, MB": memory_mb(worker),
        "log of the database, MB": size.get("waypost.db-wal", 0.0),
        "Huey's files, MB": size.get("huey.db", 0.0) + size.get("huey.db-wal", 0.0),
        "database, bytes a message": size["waypost.db"] * 1e6 / max(1, stored),
        "messages that wait": waiting,
        "webhooks not applied": unapplied,
        "a send, 95 %, ms": sends.p95_ms(),
        "a webhook, 95 %, ms": hooks.p95_ms(),
    }


def _line(look: Look) -> str:
    return "  ".join(f"{name}: {value:,.1f}" for name, value in look.items())


def report(looks: list[Look], minutes: float) -> str:
    """Of each: the median of the warm part, and by how much of it an hour would change it."""
    warm = looks[int(len(looks) * WARM_SHARE) : -1]
    hours = [number * LOOK_EVERY_S / 3600 for number in range(len(warm))]
    title = f"{minutes:.0f} minutes, {SENDS} sends and {HOOKS} webhooks a second"
    lines = [f"| {title} | half-way | an hour adds |", "|---|---|---|"]
    for name in looks[0]:
        seen = [look[name] for look in warm]
        slope = linear_regression(hours, seen).slope
        lines.append(f"| {name} | {sorted(seen)[len(seen) // 2]:,.1f} | {slope:+,.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    length = float(sys.argv[1]) if len(sys.argv) > 1 else WHOLE_MINUTES
    found = report(soak(length), length)
    print(found)
    if length >= WHOLE_MINUTES:
        write_block("soak", found)
