"""The database is locked, or cannot be written: 503 with a sentence, and nothing half done."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from core.messaging.settling import rescue
from core.ports.bell import SilentBell
from core.ports.clock import FrozenClock
from core.ports.graph import Graph
from core.ports.mail import Outbox
from core.ports.vault import Vault
from core.runtime import Runtime
from core.settings import Settings
from core.unit import Identity
from data import engine
from data.engine import open_database
from data.enums import Role
from tests.api.conftest import Caller, Server, assert_refusal, bearer, rows, template
from tests.api.test_webhooks import change, envelope, inbound, signed
from tests.conftest import Place, make_place

NOBODY = 65_534


@pytest.fixture
def folder() -> Iterator[Path]:
    """Everyone may look into it: pytest's own directories are closed to other users."""
    found = Path(tempfile.mkdtemp(prefix="waypost-bad-day-"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


@pytest.fixture
def runtime(
    folder: Path,
    migrated_sqlite: Path,
    clock: FrozenClock,
    settings: Settings,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Runtime]:
    """On SQLite, with a patience that a test can wait for."""
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 150)
    shutil.copy(migrated_sqlite, folder / "waypost.db")
    database = open_database(f"sqlite:///{folder / 'waypost.db'}")
    graph = Graph(base_url=settings.waypost_graph_url, version="v23.0", timeout_s=2.0)
    mail = Outbox(folder / "outbox", sender=settings.mail_from)
    yield Runtime(settings, database, clock, vault, graph, SilentBell(), "test", mail)
    database.dispose()


@contextmanager
def locked(runtime: Runtime) -> Iterator[None]:
    """Another process writes, and does not stop."""
    other = sqlite3.connect(runtime.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def read_only(runtime: Runtime) -> Iterator[None]:
    """The file may be read and not be written; root is somebody else meanwhile, whom the mode binds."""
    keeps_it_open = sqlite3.connect(runtime.database.path)
    keeps_it_open.execute("SELECT count(*) FROM message").fetchone()
    runtime.database.dispose()
    files = list(runtime.database.path.parent.iterdir())
    for file in files:
        file.chmod(0o444)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
        runtime.database.dispose()
        for file in files:
            file.chmod(0o644)
        keeps_it_open.close()


def meta_has_it(owner: Caller, sandbox: httpx.Client, pool: ThreadPoolExecutor) -> Future[httpx.Response]:
    """A send that Meta has taken and has not yet answered."""
    sandbox.post("/sandbox/faults", json={"kind": "slow", "seconds": 0.6}).raise_for_status()
    answer = pool.submit(owner.post, "/messages/template", template())
    while sandbox.get("/sandbox/counts").json()["received"] == 0:
        assert not answer.done()
    return answer


def accepted(sandbox: httpx.Client) -> int:
    found: int = sandbox.get("/sandbox/counts").json()["accepted"]
    return found


@pytest.mark.parametrize("trouble", [locked, read_only])
def test_what_cannot_be_stored_is_refused_whole(
    api: httpx.Client, owner: Caller, runtime: Runtime, sandbox: httpx.Client, trouble: object
) -> None:
    sent = owner.post("/messages/template", template()).json()
    before = rows(runtime.database)
    report = envelope(change(messages=[inbound()]))
    headers = {"Idempotency-Key": "once"}
    with trouble(runtime):  # type: ignore[operator]
        for answer in (
            owner.post("/messages/template", template(), headers=headers),
            owner.post("/messages/template", template(mode="queued")),
            owner.post("/queues/messageRetry/pause"),
            owner.post("/keys", {"name": "A test", "role": "viewer"}),
            signed(api, report),
        ):
            body = assert_refusal(answer, 503, "unavailable")
            assert "half done" in body["error"]
        assert owner.get(f"/messages/{sent['id']}").status_code == 200
        assert owner.get("/queues/status").status_code == 200
        assert_refusal(api.get("/api/v1/admin/health"), 503)
    assert rows(runtime.database) == before
    assert accepted(sandbox) == 1
    assert signed(api, report).status_code == 200
    assert owner.post("/messages/template", template(), headers=headers).status_code == 200
    assert rows(runtime.database)["message"] == before["message"] + 2


def test_an_answer_that_cannot_be_written_down_yet_is_kept(
    owner: Caller, runtime: Runtime, sandbox: httpx.Client
) -> None:
    """The lock comes while Meta has the message, and goes again: what Meta said is not lost."""
    with ThreadPoolExecutor(1) as pool:
        answer = meta_has_it(owner, sandbox, pool)
        with locked(runtime), pytest.raises(TimeoutError):
            answer.result(timeout=1.5)
        assert answer.result(timeout=20).json()["status"] == "sent"
    assert accepted(sandbox) == 1


def test_what_could_never_be_written_down_is_an_unknown_outcome(
    owner: Caller, runtime: Runtime, clock: FrozenClock, sandbox: httpx.Client
) -> None:
    """The lock outlasts the lease: the message is on disk all the same, and is taken up again."""
    with ThreadPoolExecutor(1) as pool:
        answer = meta_has_it(owner, sandbox, pool)
        with locked(runtime):
            for _ in range(20):
                clock.advance(runtime.settings.lease_s + 1)
                if wait([answer], timeout=1).done:
                    break
            assert_refusal(answer.result(timeout=1), 503, "unavailable")
    (line,) = owner.get("/messages").json()["items"]
    assert line["status"] == "sending"
    with runtime.unit(Identity(process="test"), write=True) as unit:
        assert rescue(unit) == 1
    shown = owner.get(f"/messages/{line['id']}").json()
    assert (shown["status"], shown["mayDuplicate"]) == ("retry_queued", True)


@pytest.fixture
def place(runtime: Runtime, password_hash: str) -> Place:
    return make_place(runtime, password_hash)


def test_a_database_that_is_gone_is_503_for_everyone(
    api: httpx.Client, place: Place, server: Server, runtime: Runtime, folder: Path
) -> None:
    gone = open_database(f"sqlite:///{folder / 'gone' / 'waypost.db'}")
    shutil.rmtree(folder / "gone")
    server.work_on(replace(runtime, database=gone))
    caller = Caller(api, bearer(place.keys[Role.OWNER]))
    assert_refusal(caller.get("/messages"), 503, "unavailable")
    assert_refusal(caller.post("/messages/template", {"nonsense": 1}), 503, "unavailable")
    health = assert_refusal(api.get("/api/v1/admin/health"), 503, "unavailable")
    assert (health["database"], health["version"]) == ("unavailable", "test")
    gone.dispose()
