"""The web application: API, webhooks, pages, and the order in which a request meets them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from core.runtime import Runtime
from ui import webhooks
from ui.api import admin, dead_letters, errors, messages, queues
from ui.limits import Limits

API = "/api/v1"


def build(runtime: Runtime, *, version: str) -> FastAPI:
    """The application over this runtime. A route that names no permission stops the start."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
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
    for router in (messages.router, queues.router, dead_letters.router, admin.router):
        app.include_router(router, prefix=API)
    app.include_router(webhooks.router)
    app.add_middleware(Limits, max_body_bytes=runtime.settings.waypost_max_body_bytes)
    return app
