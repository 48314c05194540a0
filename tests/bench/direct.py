"""How many direct sends a second go through the REST API, beside a bare route over the same HTTP client; what
the web process weighs, and how long ``serve`` takes to its first healthy answer."""

import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drain import PHONES, settings_for
from processes import first_line, memory_mb, printed, running
from stores import Store, loaded

CONNECTIONS = 24
HEALTHY_WITHIN_S = 30.0
LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Direct:
    """``memory_mb`` of the web process at the end."""

    per_second: float
    memory_mb: float


@contextmanager
def bare_route(address: str) -> Iterator[str]:
    """The bare route, listening; yields its address."""
    with (
        tempfile.TemporaryDirectory(prefix="waypost-bench-") as name,
        running("bare_route.py", address, cwd=Path(name), settings={}) as server,
    ):
        yield first_line(server)


def direct(address: str, *, messages: int, store: Store = Store.SQLITE) -> Direct:
    """A fresh web process over a fresh database, and clients that send through its API."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder = Path(name)
        port = free_port()
        settings = settings_for(address, WAYPOST_PORT=str(port))
        with (
            loaded(folder, settings, store=store, messages=0, phones=PHONES) as found,
            running("composed.py", "web", cwd=folder, settings=found.settings) as web,
        ):
            own = f"http://127.0.0.1:{port}"
            wait_for(own)
            clients(own, found.key, messages=CONNECTIONS)  # the first calls import, compile and connect
            return Direct(clients(own, found.key, messages=messages), memory_mb(web.pid))


def clients(address: str, key: str, *, messages: int) -> float:
    """Messages a second that the clients get answered."""
    words = (address, key, messages, CONNECTIONS, PHONES)
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        return float(printed("clients.py", *words, cwd=Path(name), settings={}))


def start_s() -> float:
    """Seconds from ``serve`` to its first healthy answer, on an empty folder's second start."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder, port = Path(name), free_port()
        settings = settings_for("http://127.0.0.1:9", WAYPOST_PORT=str(port))
        printed("main.py", "migrate", cwd=folder, settings=settings)
        started = time.monotonic()
        with running("main.py", "serve", cwd=folder, settings=settings):
            wait_for(f"http://127.0.0.1:{port}", path="/api/v1/admin/health")
            return time.monotonic() - started


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_for(address: str, *, path: str = "/api/v1/openapi.json") -> None:
    give_up = time.monotonic() + HEALTHY_WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(address + path, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > give_up:
                raise
            time.sleep(LOOK_EVERY_S)
