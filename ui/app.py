"""The web application: API, webhooks, pages, and the order in which a request meets them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.responses import Response

from core.runtime import Runtime
from ui import webhooks
from ui.api import admin, dead_letters, docs, errors, messages, queues
from ui.console import Console, crash_response
from ui.guard import SocketGuard
from ui.limits import Limits
from ui.pages import sign_in
from ui.security import SecurityHeaders, secure
from ui.session import Seen, Sessions
from ui.theme import serve_assets

API = "/api/v1"


def build(runtime: Runtime, *, version: str) -> FastAPI:
    """The application over this runtime. A route or page that names no permission stops the start."""
    seen = Seen(runtime)
    console = Console(runtime, seen)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with console.running():
            yield
        await runtime.graph.close()

    app = FastAPI(
        title="Waypost",
        version=version,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.runtime = runtime
    errors.install(app)
    docs.install(app, prefix=API)
    for router in (messages.router, queues.router, dead_letters.router, admin.router):
        app.include_router(router, prefix=API)
    app.include_router(webhooks.router)
    app.include_router(sign_in.router)
    serve_assets(app)
    console.mount(app)
    # The last one added is met first.
    app.add_middleware(Sessions, runtime=runtime, seen=seen)
    app.add_middleware(SocketGuard, runtime=runtime)
    app.add_middleware(Limits, max_body_bytes=runtime.settings.waypost_max_body_bytes)
    app.add_middleware(SecurityHeaders, settings=runtime.settings)

    @app.exception_handler(Exception)
    async def crashed(request: Request, _: Exception) -> Response:
        """Outside all middleware, so the headers are added here."""
        response = crash_response(request)
        secure(MutableHeaders(raw=response.raw_headers), path=request.url.path, settings=runtime.settings)
        return response

    return app
