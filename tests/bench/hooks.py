"""How many webhooks a second the web process stores, beside a route that only checks the signature; and how
many updates a second are applied, beside a bare ``executemany``."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from direct import free_port, wait_for
from drain import PHONES, settings_for
from processes import first_line, printed, running
from stores import Store, loaded

CONNECTIONS = 32
SECRET = "bench-app-secret"


@dataclass(frozen=True, slots=True)
class Applied:
    """Updates a second."""

    ours: float
    bare: float


@contextmanager
def bare_hook() -> Iterator[str]:
    """The bare route, listening; yields its address."""
    with (
        tempfile.TemporaryDirectory(prefix="waypost-bench-") as name,
        running("bare_hook.py", SECRET, cwd=Path(name), settings={}) as server,
    ):
        yield first_line(server)


def posting(address: str, *, posts: int) -> float:
    """POSTs a second that are answered 200."""
    words = (address, SECRET, posts, CONNECTIONS, PHONES)
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        return float(printed("posting.py", *words, cwd=Path(name), settings={}))


def storing(*, posts: int, store: Store = Store.SQLITE) -> float:
    """A fresh web process over a fresh database stores what clients post; nothing applies it meanwhile."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        folder, port = Path(name), free_port()
        settings = settings_for("http://127.0.0.1:9", WAYPOST_PORT=str(port), WAYPOST_META_APP_SECRET=SECRET)
        with (
            loaded(folder, settings, store=store, messages=0, phones=PHONES) as found,
            running("composed.py", "web", cwd=folder, settings=found.settings),
        ):
            address = f"http://127.0.0.1:{port}"
            wait_for(address)
            posting(address, posts=10 * CONNECTIONS)  # the first calls import, compile and connect
            return posting(address, posts=posts)


def applying(*, stored: int, messages: int, store: Store = Store.SQLITE) -> Applied:
    """Statuses of ``messages`` of the ``stored`` messages are applied."""
    with tempfile.TemporaryDirectory(prefix="waypost-bench-") as name:
        settings = settings_for("http://127.0.0.1:9")
        words = (stored, messages, store)
        ours, bare = printed("statuses.py", *words, cwd=Path(name), settings=settings).split()
        return Applied(float(ours), float(bare))
