"""Every way into a page's handlers that NiceGUI leaves open by itself, tried with a raw Socket.IO client.

The handler is that of a click on a row of the overview's list of messages: it sends the page elsewhere, and
the page's own socket hears that.
"""

import asyncio
import gc
import html
import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import httpx
import pytest
import socketio
from socketio.exceptions import ConnectionError as SocketRefused

from core.unit import Identity
from data.enums import MemberStatus, Role
from data.operations import AuditEntry
from data.people import Member
from tests.conftest import Place
from tests.console import COOKIE, Console, wait_for

SOCKET_PATH = "/_nicegui_ws/socket.io"
DROPPED_WITHIN_S = 10.0  # it takes a second or two; a busy machine may need longer
HEARD_WITHIN_S = 3.0
QUIET_S = 0.7
TRANSPORTS = ["websocket", "polling"]

pytestmark = [
    pytest.mark.parametrize("transport", TRANSPORTS),
    # The client leaves the answers that refuse it unread.
    pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning"),
]


@dataclass
class OpenPage:
    """What the HTML of a page tells whoever reads it."""

    url: str
    client_id: str
    element_id: int
    listener_id: str
    query: dict[str, Any]

    def event(self) -> dict[str, Any]:
        return {
            "id": self.element_id,
            "client_id": self.client_id,
            "listener_id": self.listener_id,
            "args": [json.dumps("msg_1")],
        }


@dataclass
class Socket:
    client: socketio.AsyncClient
    sent_to: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    dropped: asyncio.Event = field(default_factory=asyncio.Event)

    async def is_sent_elsewhere(self, *, within: float) -> bool:
        """Whether the page of this socket was told to go to another."""
        try:
            await asyncio.wait_for(self.sent_to.get(), within)
        except TimeoutError:
            return False
        return True


def open_page(console: Console, token: str) -> OpenPage:
    answer = httpx.get(console.url, cookies={COOKIE: token})
    assert answer.status_code == 200
    raw = re.search(r"parseElements\(String\.raw`(.*?)`\)", answer.text, re.DOTALL)
    query = re.search(r"query: (\{.*?\}),\n", answer.text)
    assert raw is not None
    assert query is not None
    elements = json.loads(html.unescape(raw[1]))
    for element_id, element in elements.items():
        for event in element.get("events", []):
            if event["type"] == "open" and element["props"].get("label") == "Latest messages":
                wanted = json.loads(re.sub(r"'", '"', query[1]).replace("True", "true"))
                return OpenPage(
                    console.url, wanted["client_id"], int(element_id), event["listener_id"], wanted
                )
    raise LookupError("no row to click")


@asynccontextmanager
async def connected(
    page: OpenPage, transport: str, *, token: str | None, origin: str | None = None
) -> AsyncIterator[Socket]:
    headers = {"Origin": origin or page.url}
    if token is not None:
        headers["Cookie"] = f"{COOKIE}={token}"
    query = {
        **page.query,
        "document_id": str(uuid.uuid4()),
        "tab_id": str(uuid.uuid4()),
        "implicit_handshake": "true",
    }
    # In a session of its own, because the client sends headers with its first request only.
    async with aiohttp.ClientSession(headers=headers) as http:
        socket = Socket(socketio.AsyncClient(reconnection=False, http_session=http))
        socket.client.on("disconnect", lambda _: socket.dropped.set())
        socket.client.on("open", lambda message: socket.sent_to.put_nowait(message["path"]))
        await socket.client.connect(
            f"{page.url}?{httpx.QueryParams(query)}",
            headers=headers,
            transports=[transport],
            socketio_path=SOCKET_PATH,
        )
        try:
            yield socket
        finally:
            await socket.client.eio.disconnect(abort=True)  # the polite way waits for a poll to come back
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def rubbish_is_taken_out() -> Iterator[None]:
    """Here, and not in the test of somebody else."""
    yield
    gc.collect()


def test_the_owners_own_event_works(console: Console, owner: str, transport: str) -> None:
    async def run() -> None:
        page = open_page(console, owner)
        async with connected(page, transport, token=owner) as socket:
            await socket.client.emit("event", page.event())
            assert await socket.is_sent_elsewhere(within=HEARD_WITHIN_S)

    asyncio.run(run())


def test_no_cookie_is_refused(console: Console, owner: str, transport: str) -> None:
    assert is_refused(console, owner, transport, token=None)


def test_a_made_up_cookie_is_refused(console: Console, owner: str, transport: str) -> None:
    assert is_refused(console, owner, transport, token="made-up")


def test_the_cookie_of_a_colleague_is_refused(
    console: Console, with_row: Place, owner: str, transport: str
) -> None:
    colleague = console.token_for(console.add_person(with_row, Role.MANAGER))
    assert is_refused(console, owner, transport, token=colleague)


def test_the_cookie_of_the_same_person_in_another_browser_is_refused(
    console: Console, with_row: Place, owner: str, transport: str
) -> None:
    elsewhere = console.token_for(console.owner_email(with_row))
    assert is_refused(console, owner, transport, token=elsewhere)


def test_a_foreign_origin_is_refused(console: Console, owner: str, transport: str) -> None:
    assert is_refused(console, owner, transport, token=owner, origin="https://evil.example")


def is_refused(
    console: Console, owner: str, transport: str, *, token: str | None, origin: str | None = None
) -> bool:
    """Whether a socket for the owner's page is refused, though the page is open in the owner's browser."""

    async def run() -> bool:
        page = open_page(console, owner)
        async with connected(page, transport, token=owner):
            try:
                async with connected(page, transport, token=token, origin=origin):
                    return False
            except SocketRefused:
                return True

    return asyncio.run(run())


@pytest.mark.parametrize("name", ["event", "javascript_response", "ack", "log"])
def test_an_event_of_another_persons_page_is_refused(
    console: Console, with_row: Place, owner: str, transport: str, name: str
) -> None:
    stranger = console.token_for(console.add_person(with_row, Role.MANAGER))

    async def run() -> None:
        theirs, own = open_page(console, owner), open_page(console, stranger)
        async with connected(theirs, transport, token=owner) as victim:
            async with connected(own, transport, token=stranger) as socket:
                forged = theirs.event() | {"next_message_id": 10**6, "request_id": "1", "level": "error"}
                await socket.client.emit(name, forged | {"message": "forged"})
                assert not await victim.is_sent_elsewhere(within=QUIET_S)
                await socket.client.emit("handshake", {**theirs.query, "tab_id": "1", "document_id": "1"})
                await socket.client.emit("event", theirs.event())
                assert not await victim.is_sent_elsewhere(within=QUIET_S)
            await victim.client.emit("event", theirs.event())
            assert await victim.is_sent_elsewhere(within=HEARD_WITHIN_S)

    asyncio.run(run())


def test_the_connection_of_another_session_cannot_be_taken_over(
    console: Console, with_row: Place, owner: str, transport: str
) -> None:
    """Engine.IO's own id of a connection is no key either: it goes with the cookie that opened it."""
    stranger = console.token_for(console.add_person(with_row, Role.MANAGER))

    async def run() -> None:
        theirs, own = open_page(console, owner), open_page(console, stranger)
        async with connected(theirs, transport, token=owner) as victim, httpx.AsyncClient() as http:
            answer = await http.post(
                f"{console.url}{SOCKET_PATH}/",
                params={**own.query, "EIO": "4", "transport": "polling", "sid": victim.client.eio.sid},
                content="42" + json.dumps(["event", theirs.event()]),
                headers={"Cookie": f"{COOKIE}={stranger}", "Origin": console.url},
            )
            assert answer.status_code == 403
            assert not await victim.is_sent_elsewhere(within=QUIET_S)

    asyncio.run(run())


def test_after_signing_out_no_event_of_an_open_page_runs(
    console: Console, owner: str, transport: str
) -> None:
    async def run() -> None:
        page = open_page(console, owner)
        async with connected(page, transport, token=owner) as socket, httpx.AsyncClient() as http:
            answer = await http.post(f"{console.url}/auth/sign-out", headers={"Cookie": f"{COOKIE}={owner}"})
            assert answer.status_code == 303
            assert await asyncio.wait_for(socket.sent_to.get(), DROPPED_WITHIN_S) == "/login"
            await asyncio.wait_for(socket.dropped.wait(), DROPPED_WITHIN_S)
            with pytest.raises(SocketRefused):
                async with connected(page, transport, token=owner):
                    pass

    asyncio.run(run())


def test_a_session_that_another_process_ended_loses_its_sockets(
    console: Console, with_row: Place, owner: str, transport: str
) -> None:
    """As when somebody is removed from the team by a command."""

    async def run() -> None:
        page = open_page(console, owner)
        async with connected(page, transport, token=owner) as socket:
            await asyncio.to_thread(set_status, console, with_row, MemberStatus.SUSPENDED)
            assert await asyncio.wait_for(socket.sent_to.get(), DROPPED_WITHIN_S) == "/login"
            await asyncio.wait_for(socket.dropped.wait(), DROPPED_WITHIN_S)

    asyncio.run(run())


def test_a_page_is_loaded_anew_when_its_persons_role_changes(
    console: Console, with_row: Place, owner: str, transport: str
) -> None:
    async def run() -> None:
        page = open_page(console, owner)
        async with connected(page, transport, token=owner) as socket:
            await asyncio.to_thread(set_role, console, with_row, Role.VIEWER)
            assert await asyncio.wait_for(socket.sent_to.get(), DROPPED_WITHIN_S) == "/"
            await asyncio.wait_for(socket.dropped.wait(), DROPPED_WITHIN_S)

    asyncio.run(run())


def set_status(console: Console, place: Place, status: MemberStatus) -> None:
    with console.runtime.unit(Identity(process="test", workspace_id=place.workspace.id), write=True) as unit:
        member = unit.session.exec(unit.scoped(Member)).one()
        member.status = status
        unit.session.add(member)


def set_role(console: Console, place: Place, role: Role) -> None:
    with console.runtime.unit(Identity(process="test", workspace_id=place.workspace.id), write=True) as unit:
        member = unit.session.exec(unit.scoped(Member)).one()
        member.role = role
        unit.session.add(member)


def test_a_forged_event_after_a_demotion_is_refused_and_audited(
    console: Console, with_row: Place, owner: str, transport: str
) -> None:
    async def run() -> None:
        page = open_page(console, owner)
        async with connected(page, transport, token=owner) as socket:
            await asyncio.to_thread(set_role, console, with_row, Role.VIEWER)
            assert await asyncio.wait_for(socket.sent_to.get(), DROPPED_WITHIN_S) == "/"
            await asyncio.wait_for(socket.dropped.wait(), DROPPED_WITHIN_S)
        async with connected(open_page(console, owner), transport, token=owner) as socket:
            await socket.client.emit("event", page.event())
            assert not await socket.is_sent_elsewhere(within=QUIET_S)

    asyncio.run(run())
    wait_for(lambda: refused_sockets(console, with_row) == 1, within_s=DROPPED_WITHIN_S)


def test_a_connection_after_removal_is_refused_and_audited_once(
    console: Console, with_row: Place, owner: str, transport: str
) -> None:
    async def run() -> None:
        page = open_page(console, owner)
        async with connected(page, transport, token=owner) as socket:
            await asyncio.to_thread(set_status, console, with_row, MemberStatus.REMOVED)
            assert await asyncio.wait_for(socket.sent_to.get(), DROPPED_WITHIN_S) == "/login"
            await asyncio.wait_for(socket.dropped.wait(), DROPPED_WITHIN_S)
        for _ in range(3):
            with pytest.raises(SocketRefused):
                async with connected(page, transport, token=owner):
                    pass

    asyncio.run(run())
    wait_for(lambda: refused_sockets(console, with_row) > 0, within_s=DROPPED_WITHIN_S)
    assert refused_sockets(console, with_row) == 1


def refused_sockets(console: Console, place: Place) -> int:
    """How many audit entries of the workspace tell of a socket that was refused."""
    with console.runtime.unit(place.owner) as unit:
        wanted = unit.scoped(AuditEntry).where(AuditEntry.action == "socket.refused")
        return len(unit.session.exec(wanted).all())
