"""What every request passes through first: a request id, and a bound on its body."""

import secrets

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.api.errors import refusal

WEBHOOK_MAX_BYTES = 3 * 1_048_576 + 65_536


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
        scope.setdefault("state", {})["request_id"] = secrets.token_hex(8)
        limit = WEBHOOK_MAX_BYTES if scope["path"].startswith("/webhooks/") else self._max_body_bytes
        length = Headers(scope=scope).get("content-length", "")
        announced = int(length) if length.isascii() and length.isdigit() else 0
        started = False
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            if announced > limit and not started:
                raise _TooLarge
            message = await receive()
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

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        sentence = f"The body is too large: at most {limit:,} bytes are taken here."
        await refusal(413, sentence, "body_too_large")(scope, receive, send)
