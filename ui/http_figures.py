"""What this process answered over HTTP, by route and status, for ``/metrics``."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import tracing

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OTHER = "other"
# Addresses beneath these are endless: each folder is one route.
FOLDERS = ("/static", "/_nicegui_ws", "/_nicegui")


class HttpFigures:
    """What this process has answered since it started, by route."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "waypost_http_requests",
            "Requests that this web process has answered, by route and status.",
            ("route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "waypost_http_request_seconds",
            "How long they took until their answer had gone, by route.",
            ("route",),
            buckets=BUCKETS,
            registry=self.registry,
        )

    def note(self, route: str, status: int, took_s: float) -> None:
        """One more answer. Of a route and status seen before it costs a few microseconds."""
        key = route, status
        known = self._known.get(key)
        if known is None:
            known = self._requests.labels(route, str(status)), self._seconds.labels(route)
            self._known[key] = known
        answered, seconds = known
        answered.inc()
        seconds.observe(took_s)


class CountRequests:
    """Outside of everything, so that refusals count too. ``routes``: endpoint → its path as it is written
    down, with ``{…}`` for ids; ``pages``: the paths of pages, likewise."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        figures: HttpFigures,
        routes: Mapping[Callable[..., Any], str],
        pages: Collection[str],
    ) -> None:
        self._app = app
        self._figures = figures
        self._routes = routes
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with tracing.span(scope["method"]) as span:
            route, status = await self._answer(scope, receive, send)
            span.rename(f"{scope['method']} {route}")
            span.set(status=status, request=scope.get("state", {}).get("request_id"))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> tuple[str, int]:
        began = time.perf_counter()
        status = 500  # of an answer that never began

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            self._figures.note(self._route(scope), status, time.perf_counter() - began)
        return self._route(scope), status

    def _route(self, scope: Scope) -> str:
        """What was asked for by a name of ours: addresses hold numbers and ids, and can be made up."""
        named = self._routes.get(scope.get("endpoint", OTHER))
        if named is not None:
            return named
        for path in (scope["path"], getattr(scope.get("route"), "path", OTHER)):
            if path in self._pages:
                return str(path)
        return next((folder for folder in FOLDERS if scope["path"].startswith(folder)), OTHER)
