"""The ways to answer a request: as Meta does, or not at all."""

import asyncio
import socket
import struct

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.sandbox.errors import THROTTLED, Json, MetaError
from core.sandbox.state import Sandbox

HTML_502 = (
    b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>"
    b"<body><h1>502 Bad Gateway</h1><p>The server returned an invalid or incomplete response.</p>"
    b"</body></html>\n"
)


def sandbox_of(request: Request) -> Sandbox:
    sandbox = request.app.state.sandbox
    assert isinstance(sandbox, Sandbox)
    return sandbox


def answer(content: Json, *, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json; charset=UTF-8")


def refuse(error: MetaError, *, waba_id: str = "", retry_after_s: int | None = None) -> Response:
    """Meta's error body with its HTTP status; throttles carry X-Business-Use-Case-Usage (2 minutes)."""
    body = error.body()
    response = answer(body, status=error.http)
    response.headers["x-fb-trace-id"] = body["error"]["fbtrace_id"]
    if error.code in THROTTLED:
        usage = {
            "type": "messaging",
            "call_count": 100,
            "total_cputime": 25,
            "total_time": 25,
            "estimated_time_to_regain_access": 2,
        }
        response.headers["x-business-use-case-usage"] = orjson.dumps({waba_id: [usage]}).decode()
    if retry_after_s is not None:
        response.headers["retry-after"] = str(retry_after_s)
    return response


class NoAnswer(Response):
    """Resets the TCP connection without a single byte, after `hold_s` or as soon as the client has gone."""

    def __init__(self, *, hold_s: float = 0.0) -> None:
        super().__init__()
        self.hold_s = hold_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self.hold_s):
                await _client_gone(receive)
        except (
            TimeoutError,
            asyncio.CancelledError,
        ):  # cancelled: the server stops; a 500 would be an answer
            _reset(receive)
            await _client_gone(receive)  # uvicorn answers 500 for us if we return before it has noticed


def _reset(receive: Receive) -> None:
    """ASGI knows no reset, but uvicorn's `receive` is a method of the object that holds the transport.

    SO_LINGER with zero seconds makes the kernel send RST instead of an orderly FIN.
    """
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError(
            "Only uvicorn's connections can be reset; run the sandbox with serve() or running()."
        )
    with socket.socket(fileno=socket.dup(transport.get_extra_info("socket").fileno())) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
