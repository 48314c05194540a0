"""The web application: API, webhooks, pages, and the order in which a request meets them."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.runtime import Runtime
from ui import downloads, metrics, places
from ui.api import (
    abuse,
    admin,
    alerts,
    audit,
    billing,
    contacts,
    dead_letters,
    docs,
    errors,
    invoices,
    keys,
    messages,
    phones,
    queues,
    reconciliation,
    redrives,
    team,
    templates,
    tokens,
    workspace,
)
from ui.api.budget import Budget
from ui.api.route import refuse_unnamed
from ui.api.uses import Uses
from ui.beats import beating
from ui.console import Console, crash_response
from ui.guard import Refusals, SocketGuard
from ui.http_figures import CountRequests, HttpFigures
from ui.limits import Limits
from ui.pages import (
    PAGES,
    audit_file,
    dead_letter_file,
    first_run,
    forgotten,
    invitation,
    second_step,
    sign_in,
)
from ui.security import SecurityHeaders, secure
from ui.session import Seen, Sessions
from ui.theme import serve_assets
from ui.webhooks import FOLDER, Webhooks

API = "/api/v1"
# FastAPI would ask for every request whether somebody listens, which costs as much as reading its key.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
# Forms and files; what is not in the API's own documents.
BESIDE_THE_API = tuple(
    each.router
    for each in (
        sign_in,
        second_step,
        first_run,
        invitation,
        forgotten,
        places,
        audit_file,
        dead_letter_file,
        downloads,
        metrics,
    )
)


class _Application(FastAPI):
    """Meta delivers three times as much as is sent, and wants its answer within a quarter of a second: its
    door is beside everything that pages and the API need."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(FOLDER):
            await self.state.webhooks(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def build(runtime: Runtime, *, version: str) -> FastAPI:
    """The application over this runtime. A route or page that names no permission stops the start."""
    seen = Seen(runtime)
    refusals = Refusals(runtime)
    uses = Uses(runtime)
    console = Console(runtime, seen, refusals)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with console.running(), uses.noted(), beating(runtime):
            yield
        await runtime.graph.close()

    app = _Application(
        title="Waypost",
        version=version,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=NO_TELEMETRY,
    )
    app.state.runtime = runtime
    app.state.uses = uses
    app.state.budget = Budget()
    app.state.http_figures = HttpFigures()
    app.state.webhooks = Webhooks(app.state)
    errors.install(app)
    docs.install(app, prefix=API)
    ours = (
        messages,
        queues,
        redrives,
        dead_letters,
        contacts,
        phones,
        templates,
        abuse,
        tokens,
        workspace,
        team,
        keys,
        audit,
        alerts,
        billing,
        invoices,
        reconciliation,
        admin,
    )
    for router in (each.router for each in ours):
        app.include_router(router, prefix=API)
    for router in BESIDE_THE_API:
        refuse_unnamed(router.routes)
        app.include_router(router)
    serve_assets(app)
    refuse_unnamed(app.routes)
    console.mount(app)
    # The last one added is met first.
    app.add_middleware(Sessions, runtime=runtime, seen=seen)
    app.add_middleware(SocketGuard, runtime=runtime, refusals=refusals)
    app.add_middleware(Limits, max_body_bytes=runtime.settings.waypost_max_body_bytes)
    app.add_middleware(SecurityHeaders, settings=runtime.settings)
    app.add_middleware(
        CountRequests,
        figures=app.state.http_figures,
        routes=_named([each.router for each in ours], API) | _named(BESIDE_THE_API, ""),
        pages=frozenset(page.path for page in PAGES),
    )

    @app.exception_handler(Exception)
    async def crashed(request: Request, _: Exception) -> Response:
        """Outside all middleware, so the headers are added here."""
        response = crash_response(request)
        secure(MutableHeaders(raw=response.raw_headers), path=request.url.path, settings=runtime.settings)
        return response

    return app


def _named(routers: Iterable[APIRouter], prefix: str) -> dict[Callable[..., Any], str]:
    """endpoint → its path, as it is written down."""
    return {
        route.endpoint: prefix + route.path
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
    }
