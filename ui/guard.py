"""Who may use this socket: only the browser whose session the page was made for.

NiceGUI itself binds no event to the socket that sent it: whoever knows a page's ``client_id`` runs that
page's handlers. Three checks close that; a fourth bounds what one browser may hold open. They touch
semi-private hooks, so NiceGUI is pinned and ``tests/ui/test_socket_guard.py`` tries every way in.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from math import inf
from typing import Any

import structlog
from nicegui import Client, background_tasks, core
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import Unavailable
from core.runtime import Runtime
from core.team.names import hash_key
from core.team.sessions import record_forged
from core.unit import NOBODY, Actor, Identity
from ui.security import is_from_own_page
from ui.session import (
    SIGN_IN,
    Seen,
    cookie_name,
    identity_of_browser,
    is_signed_in,
    sign_in_address,
)

SOCKET_PATH = "/_nicegui_ws/"
WATCH_EVERY_S = 1.0
LEAVING_S = 0.5  # for the page to read its last message: go to the sign-in page
FETCHED_WITHIN_S = 5.0  # by a page that polls, over a slow line
NOTED_EVERY_S = 60.0
# A page costs half a megabyte for as long as it is open, and for a minute when no socket comes for it.
PAGES_AT_ONCE = SOCKETS_AT_ONCE = 128
GUARDED = ("event", "javascript_response", "ack", "log")

log = structlog.get_logger()


class SocketGuard:
    """Refuses a socket of another origin, without the cookie of the page it names, that takes over the
    connection of another session, or that is one too many for its session."""

    def __init__(self, app: ASGIApp, *, runtime: Runtime, refusals: "Refusals") -> None:
        self._app = app
        self._runtime = runtime
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_socket = scope["type"] in ("http", "websocket") and scope["path"].startswith(SOCKET_PATH)
        if not is_socket or await self._may_pass(HTTPConnection(scope)):
            await self._app(scope, receive, send)
            return
        self._refusals.note(identity_of_browser(HTTPConnection(scope), self._runtime.settings), "connection")
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP 403
        else:
            await PlainTextResponse("Not your page.", 403)(scope, receive, send)

    async def _may_pass(self, connection: HTTPConnection) -> bool:
        settings = self._runtime.settings
        identity = identity_of_browser(connection, settings)
        client_id = connection.query_params.get("client_id")
        if identity is None or client_id is None or not is_from_own_page(connection.headers, settings):
            return False
        client = Client.instances.get(client_id)
        # A page that is gone, after a restart say, is let through: NiceGUI then tells the browser to reload.
        is_theirs = client is None or owner_of(client) == identity.session_hash
        engine_sid = connection.query_params.get("sid")
        if engine_sid is not None:  # goes on with a connection; the watch drops those whose time is over
            if _session_of_connection(engine_sid, cookie_name(settings)) != identity.session_hash:
                return False
            return is_theirs or _fetches_where_to_go(client, identity, engine_sid)
        if not is_theirs or _sockets_of(identity, cookie_name(settings)) >= SOCKETS_AT_ONCE:
            return False
        return await asyncio.to_thread(is_signed_in, self._runtime, identity)


def identity_of(client: Client) -> Identity | None:
    """Whom the page was made for; None once it is dropped."""
    request = client._request
    found: Identity | None = None if request is None else request.scope.get("state", {}).get("identity")
    return found


def owner_of(client: Client) -> str | None:
    """The session that the page was made for."""
    identity = identity_of(client)
    return None if identity is None else identity.session_hash


def has_too_many_pages(identity: Identity) -> bool:
    """Whether that browser holds as many pages open as one may."""
    pages = sum(owner_of(client) == identity.session_hash for client in Client.instances.values())
    return pages >= PAGES_AT_ONCE


class Refusals:
    """Writes what was tried at somebody's pages into the audit log: once a minute for each session, so that
    who hammers at the door fills no disk."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._noted: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, identity: Identity | None, what: str) -> None:
        """``what`` was refused to the browser with that cookie; without one, nobody is to be named."""
        session_hash = identity.session_hash if identity is not None else None
        now = time.monotonic()
        if identity is None or session_hash is None or self._is_noted(session_hash, now):
            return
        self._noted = {key: at for key, at in self._noted.items() if now - at < NOTED_EVERY_S}
        self._noted[session_hash] = now
        task = asyncio.create_task(asyncio.to_thread(self._write, identity, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def sender(self, sid: str) -> Identity:
        """Whose cookie came with the connection of that socket."""
        environ = core.sio.get_environ(sid) or {}
        return Identity(session_hash=_session_in(environ, cookie_name(self._runtime.settings)))

    def _is_noted(self, session_hash: str, now: float) -> bool:
        return now - self._noted.get(session_hash, -inf) < NOTED_EVERY_S

    def _write(self, identity: Identity, what: str) -> None:
        try:
            with self._runtime.unit(identity, write=True) as unit:
                record_forged(unit, what)
        except Unavailable as error:
            log.warning("a refused socket could not be written down", why=error.sentence)


def bind_events_to_sockets(seen: Seen, refusals: Refusals) -> None:
    """From now on an event counts only for a page whose socket sent it. Before the first connection; a second
    call changes whom it tells, and nothing else."""
    handlers = core.sio.handlers["/"]
    for name in GUARDED:
        original = getattr(handlers[name], "__waypost_original__", handlers[name])
        core.sio.on(name, _bound(original, seen if name == "event" else None, refusals))


def _bound(original: Callable[..., Any], seen: Seen | None, refusals: Refusals) -> Callable[..., Any]:
    async def bound(sid: str, message: Any) -> Any:
        client_id = message.get("client_id") if isinstance(message, dict) else None
        client = Client.instances.get(client_id or "")
        identity = None if client is None else identity_of(client)
        if identity is None or client_id not in core.sio.rooms(sid):
            if seen is not None:  # what else a page says by itself may come late, and is no attempt
                refusals.note(refusals.sender(sid), "event")
            return None
        answer = original(sid, message)
        if seen is not None:
            await seen.touch(identity)
        return answer

    bound.__waypost_original__ = original  # type: ignore[attr-defined]
    return bound


class Watch:
    """Asks once a second whether the people of the open pages are still who they were.

    A page whose session ended goes to the sign-in page, one whose person has another role now is loaded anew;
    either way its sockets are dropped, so that nothing of the old page works any more.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def run(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            try:
                await self.look()
            except Unavailable as error:
                log.warning("sessions cannot be checked", why=error.sentence)
            except Exception:  # were the watch to end, nobody's demotion would bite any more
                log.exception("a look at the open pages failed")

    async def look(self) -> None:
        owners = {client: owner_of(client) for client in Client.instances.values()}
        pages = {client: owner for client, owner in owners.items() if owner is not None}
        if not pages:
            return
        actors = await asyncio.to_thread(_actors, self._runtime, set(pages.values()))
        leaving = []
        for client, owner in pages.items():
            if client.is_deleted or owner_of(client) != owner:
                continue  # left, or sent away, while we looked
            actor = actors[owner]
            if actor is NOBODY:
                leaving.append(drop(client, to=sign_in_address(client.request)))
            elif _has_changed(client, actor):
                leaving.append(drop(client, to=str(client.request.url.path)))
        await asyncio.gather(*leaving)


async def drop_session(session_hash: str) -> None:
    """Every page of that session is over."""
    pages = [page for page in Client.instances.values() if owner_of(page) == session_hash]
    await asyncio.gather(*(drop(page, to=SIGN_IN) for page in pages))


async def drop(client: Client, *, to: str) -> None:
    """The page goes to ``to``; whatever else it still sends is refused."""
    if client.is_deleted:
        return
    sockets = list(client._socket_to_document_id)
    state = client.request.scope["state"]
    identity = state.pop("identity", None)
    state["leaving"] = identity
    client.open(to)
    await asyncio.sleep(LEAVING_S if sockets else 0)
    connections = [core.sio.manager.eio_sid_from_sid(sid, "/") for sid in sockets]
    for sid in sockets:
        await core.sio.disconnect(sid)
    for document_id in list(client._delete_tasks):
        client._cancel_delete_task(document_id)  # NiceGUI's own, for a page that does not come back
    if client.id in Client.instances:
        client.delete()
    if connections:
        background_tasks.create(_hang_up(connections), name="hang up")


async def _hang_up(engine_sids: list[str]) -> None:
    """Closes the connections below the sockets, through which a page that polls would go on, once it has
    fetched what is left there: where to go. Who never does is not waited for."""
    held = [core.sio.eio.sockets[one] for one in engine_sids if one in core.sio.eio.sockets]
    with suppress(TimeoutError):
        await asyncio.wait_for(
            asyncio.gather(*(connection.queue.join() for connection in held)), FETCHED_WITHIN_S
        )
    for connection in held:
        await connection.close(wait=False)


def _actors(runtime: Runtime, hashes: set[str]) -> dict[str, Actor]:
    found = {}
    for session_hash in hashes:
        with runtime.unit(Identity(session_hash=session_hash)) as unit:
            found[session_hash] = unit.actor
    return found


def _fetches_where_to_go(client: Client | None, identity: Identity, engine_sid: str) -> bool:
    """Whether a page that was sent away polls for where to go, which may not have been said yet. What it says
    is refused all the same."""
    if client is None or engine_sid not in core.sio.eio.sockets:
        return False
    leaving: Identity | None = client.request.scope["state"].get("leaving")
    return leaving is not None and leaving.session_hash == identity.session_hash


def _has_changed(client: Client, actor: Actor) -> bool:
    """Whether the page was made for another role than its person has now."""
    made_for = client.request.scope["state"].get("actor")
    return made_for is not None and made_for != actor


def _sockets_of(identity: Identity, cookie: str) -> int:
    """How many connections that session holds, those included that have said nothing yet."""
    held = list(core.sio.eio.sockets)
    return sum(_session_of_connection(engine_sid, cookie) == identity.session_hash for engine_sid in held)


def _session_of_connection(engine_sid: str, cookie: str) -> str | None:
    """The session that opened the engine.io connection; None when there is no such connection."""
    return _session_in(core.sio.environ.get(engine_sid) or {}, cookie)


def _session_in(environ: dict[str, Any], cookie: str) -> str | None:
    try:
        found = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(cookie)
    except CookieError:
        return None
    return hash_key(found.value) if found is not None else None
