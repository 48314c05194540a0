"""What every request passes through first: a request id, and a bound on its body."""

import secrets

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from ui.api.errors import refusal


class _TooLarge(Exception):
    pass


class Limits:
    """Refuses a body over the limit with 413, whether or not it says its length, before it is kept.

    It is refused when it is asked for, not before: an address that takes no such method answers 405 first.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        bind_contextvars(request=request_id)  # each request is answered in a context of its own
        limit = self._max_body_bytes
        length = Headers(scope=scope).get("content-length", "")
        announced = int(length) if length.isascii() and length.isdigit() else 0
        started = left = False
        seen = 0

        async def counted() -> Message:
            nonlocal seen, left
            if announced > limit and not started:
                raise _TooLarge
            message = await receive()
            left = left or message["type"] == "http.disconnect"
            seen += len(message.get("body", b""))
            if seen > limit and not started:
                raise _TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except _TooLarge:
            await self._refuse(scope, receive, send, limit)
        except RuntimeError:
            # Starlette's middlewares want an answer although whoever asked has gone: nothing went wrong.
            if started or not left:
                raise

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        sentence = f"The body is too large: at most {limit:,} bytes are taken here."
        await refusal(413, sentence, "body_too_large")(scope, receive, send)
