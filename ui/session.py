"""Who this browser is: our own cookie, our own session table, nothing in NiceGUI's storage."""

import asyncio
import time
from urllib.parse import quote

from starlette.datastructures import State
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import Unavailable
from core.runtime import Runtime
from core.settings import Settings
from core.team.names import hash_key
from core.team.sessions import stay_signed_in
from core.unit import NOBODY, Identity
from ui.address import client_address
from ui.bare import bare_page

SIGN_IN = "/login"
CODE = "/auth/code"
SET_UP = "/auth/set-up"
SEEN_EVERY_S = 60.0
# Everything else is a page, and needs a session. NiceGUI's own files hold nothing of anybody.
OPEN_PATHS = (SIGN_IN, "/forgot", "/favicon.ico", "/metrics")
OPEN_FOLDERS = (
    *("/begin/", "/invite/", "/reset/", "/auth/"),
    *("/api/", "/webhooks/", "/static/", "/_nicegui/", "/_nicegui_ws/"),
)


def cookie_name(settings: Settings) -> str:
    """``__Host-`` where it is served over https: no other host of the domain can then set it."""
    return "__Host-waypost_session" if settings.is_public else "waypost_session"


def identity_of_browser(connection: HTTPConnection, settings: Settings) -> Identity | None:
    """Who the cookie says it is; None without one. Whether that still holds, the database knows."""
    token = connection.cookies.get(cookie_name(settings))
    if not token:
        return None
    return Identity(
        session_hash=hash_key(token),
        address=client_address(connection),
        request_id=connection.scope.get("state", {}).get("request_id"),
    )


def give_cookie(response: Response, token: str, settings: Settings) -> None:
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=int(settings.waypost_session_max),
        httponly=True,
        samesite="lax",
        secure=settings.is_public,
        path="/",
    )


def take_cookie(response: Response, settings: Settings) -> None:
    response.delete_cookie(
        cookie_name(settings), httponly=True, samesite="lax", secure=settings.is_public, path="/"
    )


def own_path(wanted: str) -> str:
    """``wanted`` if it is a path of ours, else ``/``: nobody is sent elsewhere after signing in."""
    is_ours = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted
    return wanted if is_ours and wanted.isprintable() else "/"


def sign_in_address(request: Request) -> str:
    """The sign-in page, which leads back to where ``request`` wanted to go."""
    return with_target(SIGN_IN, request.url.path + (f"?{request.url.query}" if request.url.query else ""))


def with_target(path: str, target: str) -> str:
    """``path``, with where to go on to afterwards."""
    return path if target == "/" else f"{path}?next={quote(target)}"


class Seen:
    """Keeps sessions alive that are used: one write a minute for each."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._written: dict[str, float] = {}

    async def touch(self, identity: Identity) -> None:
        """The session was used now."""
        now = time.monotonic()
        session_hash = identity.session_hash or ""
        if now - self._written.get(session_hash, -SEEN_EVERY_S) < SEEN_EVERY_S:
            return
        self._written = {key: at for key, at in self._written.items() if now - at < SEEN_EVERY_S}
        self._written[session_hash] = now
        await asyncio.to_thread(self._write, identity)

    def _write(self, identity: Identity) -> None:
        with self._runtime.unit(identity, write=True) as unit:
            stay_signed_in(unit)


class Sessions:
    """A page is answered only to a live session; anyone else is sent to the sign-in page.

    Leaves the identity in the request's state, for the page and for all its later events.
    """

    def __init__(self, app: ASGIApp, *, runtime: Runtime, seen: Seen) -> None:
        self._app = app
        self._runtime = runtime
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        identity = identity_of_browser(request, self._runtime.settings)
        try:
            if identity is None or not await asyncio.to_thread(is_signed_in, self._runtime, identity):
                await RedirectResponse(sign_in_address(request), 303)(scope, receive, send)
                return
            await self._seen.touch(identity)
        except Unavailable as error:
            away = bare_page("Not available right now", error.sentence, status=error.status)
            await away(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["identity"] = identity
        await self._app(scope, receive, send)


def is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def is_signed_in(runtime: Runtime, identity: Identity) -> bool:
    """Asks the database: whether the session is live and its person still a member."""
    with runtime.unit(identity) as unit:
        return unit.actor is not NOBODY


def identity_in(state: State) -> Identity:
    """The identity that the middleware left there."""
    identity: Identity = state.identity
    return identity
