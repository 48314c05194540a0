"""Whose a line of the log is: lines about a request name it."""

import asyncio
from typing import Any

import structlog
from starlette.types import Receive, Scope, Send
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from ui.limits import Limits


async def said(scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.to_thread(structlog.get_logger().warning, "from a thread")
    structlog.get_logger().warning("from the loop", state=scope["state"]["request_id"])


def test_every_line_of_a_request_names_it_and_no_other() -> None:
    app = Limits(said, max_body_bytes=1000)

    async def answer(_: int) -> None:
        scope: Scope = {"type": "http", "method": "GET", "headers": [], "path": "/"}
        await app(scope, _nothing, _nothing_sent)

    async def all_at_once() -> None:
        await asyncio.gather(*(asyncio.create_task(answer(n)) for n in range(20)))
        structlog.get_logger().warning("afterwards")

    with capture_logs(processors=[merge_contextvars]) as lines:
        asyncio.run(all_at_once())
    *of_requests, last = lines
    assert "request" not in last
    by_request: dict[str, list[Any]] = {}
    for line in of_requests:
        by_request.setdefault(line["request"], []).append(line)
    assert len(by_request) == 20
    for request, both in by_request.items():
        assert [line["event"] for line in both] == ["from a thread", "from the loop"]
        assert both[1]["state"] == request


async def _nothing() -> Any:
    return {"type": "http.disconnect"}


async def _nothing_sent(_: Any) -> None:
    return None
