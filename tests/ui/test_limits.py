"""Callers who go away before they are answered: that is no error of ours, and an error of ours still is."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Scope

from ui.limits import Limits

SCOPE: Scope = {
    "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "headers": [],
    "http_version": "1.1", "scheme": "http", "root_path": "",
}  # fmt: skip


class _Between(BaseHTTPMiddleware):
    """As NiceGUI has some: it waits for an answer from within."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


def answer_to(scope: Scope, app: Any) -> list[Message]:
    """What is sent to a caller who has gone."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Limits(app, max_body_bytes=1000)(dict(scope), receive, send))
    return sent


def test_a_caller_who_has_gone_is_no_error() -> None:
    async def waits(scope: Scope, receive: Any, _: Any) -> None:
        assert (await receive())["type"] == "http.disconnect"

    assert answer_to(SCOPE, _Between(waits)) == []


def test_an_error_of_ours_is_one_although_the_caller_has_gone() -> None:
    async def breaks(_: Request) -> Response:
        raise LookupError("ours")

    app = Starlette(routes=[Route("/", breaks)], middleware=[Middleware(_Between)])
    with pytest.raises(LookupError, match="ours"):
        answer_to(SCOPE, app)
