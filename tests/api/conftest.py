"""The API as scripts meet it: a real server on a free port, spoken to over HTTP."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography.fernet import Fernet
from fastapi import FastAPI
from sqlalchemy import Engine, text

from core.ports.bell import SilentBell
from core.ports.clock import FrozenClock
from core.ports.graph import Graph
from core.ports.mail import Outbox
from core.ports.vault import Vault
from core.runtime import Runtime
from core.settings import Settings
from data.engine import Database, open_database
from data.enums import Role
from data.tables import METADATA
from tests.conftest import NOW, PHONE_ID, Place
from tests.webhooks import WorkingBell
from ui.app import build

API = "/api/v1"


@dataclass(frozen=True)
class Server:
    """One application for the whole session: what it works on is its ``state.runtime``."""

    app: FastAPI
    url: str
    first: Runtime

    def work_on(self, runtime: Runtime) -> Runtime:
        """From now on it serves this runtime, with the Graph client that belongs to its event loop; webhooks
        are applied before they are answered, as if by a very quick worker."""
        self.app.state.runtime = replace(runtime, graph=self.first.graph, bell=WorkingBell(runtime))
        return self.runtime

    @property
    def runtime(self) -> Runtime:
        found: Runtime = self.app.state.runtime
        return found


@pytest.fixture(scope="session")
def server(sandbox_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = Settings(_env_file=None, waypost_graph_url=sandbox_url, waypost_max_body_bytes=262_144)
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('server') / 'none.db'}")
    runtime = Runtime(
        settings=settings,
        database=database,
        clock=FrozenClock(NOW),
        vault=Vault((Fernet.generate_key().decode(),)),
        graph=Graph(base_url=sandbox_url, version=settings.waypost_graph_version, timeout_s=20.0),
        bell=SilentBell(),
        holder="test",
        mail=Outbox(database.path.parent / "outbox", sender=settings.mail_from),
    )
    app = build(runtime, version="test")
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    running = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, name="console")
    thread.start()
    yield Server(app, f"http://127.0.0.1:{listener.getsockname()[1]}", runtime)
    running.should_exit = True
    thread.join(10)
    listener.close()
    database.dispose()
    assert not thread.is_alive()


@pytest.fixture
def api(server: Server, runtime: Runtime, sandbox: httpx.Client) -> Iterator[httpx.Client]:
    """Speaks to the server, which works on this test's database; no key unless one is given."""
    server.work_on(runtime)
    with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
        yield client
    server.app.state.runtime = server.first


@pytest.fixture(scope="session")
def sandbox_client(sandbox_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox_url, timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture
def sandbox(sandbox_client: httpx.Client) -> httpx.Client:
    """Meta in its first state."""
    sandbox_client.post("/sandbox/reset").raise_for_status()
    return sandbox_client


@dataclass(frozen=True)
class Caller:
    """Calls with the key of one role, or with whatever header is given."""

    client: httpx.Client
    headers: dict[str, str]

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = self.headers | more.pop("headers", {})
        if body is not None:
            more["json"] = body
        if not path.startswith(("/webhooks", "/api")):
            path = API + path
        return self.client.request(method, path, headers=headers, **more)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self("GET", path, params={name.rstrip("_"): value for name, value in params.items()})

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return self("POST", path, body, **more)


@pytest.fixture
def caller(api: httpx.Client, place: Place) -> Callable[[Role], Caller]:
    return lambda role: Caller(api, bearer(place.keys[role]))


@pytest.fixture
def owner(caller: Callable[[Role], Caller]) -> Caller:
    return caller(Role.OWNER)


@pytest.fixture
def stranger(api: httpx.Client) -> Caller:
    """Has no key."""
    return Caller(api, {})


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def template(to: str = "+4915112345678", **more: Any) -> dict[str, Any]:
    """A send that the sandbox takes."""
    parameters = [{"type": "text", "text": "Mara"}, {"type": "text", "text": "NW-1"}]
    wanted = {
        "name": "order_update",
        "language": "en_US",
        "components": [{"type": "body", "parameters": parameters}],
    }
    return {"to": to, "template": wanted, "phoneNumberId": PHONE_ID, **more}


def rows(database: Database | Engine) -> dict[str, int]:
    """table → number of rows, of all tables but one: refused webhooks are counted a little later, when the
    server may already work for the next test."""
    engine = database.read if isinstance(database, Database) else database
    with engine.connect() as connection:
        return {
            table.name: connection.execute(text(f"SELECT count(*) FROM {table.name}")).scalar_one()
            for table in METADATA.sorted_tables
            if table.name != "bad_signature"
        }


def assert_refusal(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The one shape of every refusal; returns its body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert isinstance(body["error"], str)
    assert body["error"]
    assert body["code"] == body["code"].lower()
    if code is not None:
        assert body["code"] == code
    if status == 400:
        assert body["code"] == "malformed"
        assert body["fields"]
        assert all(set(field) == {"field", "message"} for field in body["fields"])
        assert all(field["field"] for field in body["fields"])
    if code == "forbidden":
        assert body["permission"]
    return body


def operations(api: httpx.Client) -> list[tuple[str, str, dict[str, Any]]]:
    """Every (method, path, operation) that the API says it has."""
    document = api.get(f"{API}/openapi.json").json()
    return [
        (method.upper(), path.removeprefix(API), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def dead_letter(caller: Caller, *, to: str = "+4915110000003", **more: Any) -> dict[str, Any]:
    """A message that Meta refused for good: the answer to its send."""
    body = assert_refusal_of_send(caller.post("/messages/template", template(to, **more)))
    found: dict[str, Any] = caller.get("/dead-letters", q=body["id"]).json()["items"][0]
    return found


def assert_refusal_of_send(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 422, answer.text
    body: dict[str, Any] = answer.json()
    assert body["success"] is False
    return body
