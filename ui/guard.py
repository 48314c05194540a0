"""Who may use this socket: only the browser whose session the page was made for.

NiceGUI itself binds no event to the socket that sent it: whoever knows a page's ``client_id`` runs that
page's handlers. Three checks close that. They touch semi-private hooks, so NiceGUI is pinned and
``tests/ui/test_socket_guard.py`` tries every way in.
"""

import asyncio
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any

import structlog
from nicegui import Client, core
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import Unavailable
from core.runtime import Runtime
from core.team.commands import hash_key
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
LEAVING_S = 0.3  # for the page to read its last message: go to the sign-in page
GUARDED = ("event", "javascript_response", "ack", "log")

log = structlog.get_logger()


class SocketGuard:
    """Refuses a socket of another origin, without the cookie of the page it names, or that takes over the
    connection of another session."""

    def __init__(self, app: ASGIApp, *, runtime: Runtime) -> None:
        self._app = app
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_socket = scope["type"] in ("http", "websocket") and scope["path"].startswith(SOCKET_PATH)
        if not is_socket or await self._may_pass(HTTPConnection(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
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
        if client is not None and owner_of(client) != identity.session_hash:
            return False
        engine_sid = connection.query_params.get("sid")
        if engine_sid is None:  # a new connection; later ones of it are dropped by the watch
            return await asyncio.to_thread(is_signed_in, self._runtime, identity)
        return _session_of_connection(engine_sid, cookie_name(settings)) == identity.session_hash


def identity_of(client: Client) -> Identity | None:
    """Whom the page was made for; None once it is dropped."""
    request = client._request
    found: Identity | None = None if request is None else request.scope.get("state", {}).get("identity")
    return found


def owner_of(client: Client) -> str | None:
    """The session that the page was made for."""
    identity = identity_of(client)
    return None if identity is None else identity.session_hash


def bind_events_to_sockets(seen: Seen) -> None:
    """From now on an event counts only for a page whose socket sent it. Before the first connection; a second
    call changes whom it tells, and nothing else."""
    handlers = core.sio.handlers["/"]
    for name in GUARDED:
        original = getattr(handlers[name], "__waypost_original__", handlers[name])
        core.sio.on(name, _bound(original, seen if name == "event" else None))


def _bound(original: Callable[..., Any], seen: Seen | None) -> Callable[..., Any]:
    async def bound(sid: str, message: Any) -> Any:
        client_id = message.get("client_id") if isinstance(message, dict) else None
        client = Client.instances.get(client_id or "")
        identity = None if client is None else identity_of(client)
        if identity is None or client_id not in core.sio.rooms(sid):
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

    async def look(self) -> None:
        pages = [client for client in Client.instances.values() if owner_of(client) is not None]
        hashes = {owner_of(client) or "" for client in pages}
        if not hashes:
            return
        actors = await asyncio.to_thread(_actors, self._runtime, hashes)
        for client in pages:
            actor = actors[owner_of(client) or ""]
            if actor is NOBODY:
                await drop(client, to=sign_in_address(client.request))
            elif _has_changed(client, actor):
                await drop(client, to=str(client.request.url.path))


async def drop_session(session_hash: str) -> None:
    """Every page of that session is over."""
    for client in [page for page in Client.instances.values() if owner_of(page) == session_hash]:
        await drop(client, to=SIGN_IN)


async def drop(client: Client, *, to: str) -> None:
    """The page goes to ``to``; whatever else it still sends is refused."""
    if client.is_deleted:
        return
    sockets = list(client._socket_to_document_id)
    client.request.scope["state"].pop("identity", None)
    client.open(to)
    await asyncio.sleep(LEAVING_S if sockets else 0)
    for sid in sockets:
        await core.sio.disconnect(sid)
    if client.id in Client.instances:
        client.delete()


def _actors(runtime: Runtime, hashes: set[str]) -> dict[str, Actor]:
    found = {}
    for session_hash in hashes:
        with runtime.unit(Identity(session_hash=session_hash)) as unit:
            found[session_hash] = unit.actor
    return found


def _has_changed(client: Client, actor: Actor) -> bool:
    """Whether the page was made for another role than its person has now."""
    made_for = client.request.scope["state"].get("actor")
    return made_for is not None and made_for != actor


def _session_of_connection(engine_sid: str, cookie: str) -> str | None:
    """The session that opened the engine.io connection; None when there is no such connection."""
    environ = core.sio.environ.get(engine_sid)
    if environ is None:
        return None
    try:
        found = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(cookie)
    except CookieError:
        return None
    return hash_key(found.value) if found is not None else None
