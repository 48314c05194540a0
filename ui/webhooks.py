"""Meta's side: the handshake, and what it delivers. Nothing unsigned is ever read, and 200 means on disk."""

import asyncio
import hmac
import time
from functools import partial

import structlog
from starlette.datastructures import Headers, MutableHeaders, State
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from core.errors import DomainError, Malformed, Unavailable
from core.inbox.intake import Arrival, store
from core.inbox.rules import is_signed, parsed
from core.inbox.signatures import count_bad
from core.ports.bell import Due
from core.runtime import Runtime
from core.together import Together
from core.unit import Identity
from ui.act import CRASHED
from ui.api.errors import domain_response, refusal
from ui.http_figures import OTHER
from ui.security import secure

log = structlog.get_logger()

FOLDER = "/webhooks/"
PATH = FOLDER + "whatsapp"
WEBHOOK_MAX_BYTES = 3 * 1_048_576 + 65_536
META = Identity(process="webhook")
# Forged webhooks may come by the thousand; what is written about them must not.
COUNT_EVERY_S = 1.0


class Webhooks:
    """An application of its own, at one address, over the runtime in ``state``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._together = Together()
        self._bad = 0
        self._counting: asyncio.Task[None] | None = None
        self._taken = Response(b'{"success":true}', media_type="application/json")
        self._secure(self._taken)

    @property
    def _runtime(self) -> Runtime:
        runtime: Runtime = self._state.runtime
        return runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        if scope["path"] != PATH:
            answer: Response | None = refusal(404, "There is nothing at this address.", "not_found")
        elif scope["method"] == "POST":
            answer = await self._receive(scope, receive)
        elif scope["method"] in ("GET", "HEAD"):
            answer = handshake(self._runtime, Request(scope))
        else:
            answer = refusal(405, "This address takes GET and POST.", "method_not_allowed")
            answer.headers["Allow"] = "GET, HEAD, POST"
        if answer is None:
            answer = self._taken
        else:
            self._secure(answer)
        await answer(scope, receive, send)
        route = PATH if scope["path"] == PATH else OTHER
        self._state.http_figures.note(route, answer.status_code, time.perf_counter() - began)

    def _secure(self, answer: Response) -> None:
        secure(MutableHeaders(raw=answer.raw_headers), path=PATH, settings=self._runtime.settings)

    async def _receive(self, scope: Scope, receive: Receive) -> Response | None:
        try:
            return await self._take(scope, receive)
        except DomainError as error:
            return domain_response(error)
        except Exception:  # whatever it was, Meta sends it again
            log.exception("a webhook was not taken")
            return refusal(500, CRASHED, "internal_error")

    async def _take(self, scope: Scope, receive: Receive) -> Response | None:
        """None once everything is on disk, else why not: then Meta sends it again."""
        runtime = self._runtime
        secrets = runtime.settings.app_secrets
        if not secrets:
            raise Unavailable("No app secret is set (WAYPOST_META_APP_SECRET), so no webhook can be trusted.")
        headers = Headers(scope=scope)
        body = await _body(headers, receive)
        if body is None:
            sentence = f"The body is too large: at most {WEBHOOK_MAX_BYTES:,} bytes are taken here."
            return refusal(413, sentence, "body_too_large")
        if not is_signed(body, headers.get("x-hub-signature-256"), secrets):
            self._count_bad()
            return refusal(401, "The signature does not match the body.", "bad_signature")
        try:
            envelope = parsed(body)
        except (ValueError, RecursionError):
            raise Malformed.field("body", "is not JSON") from None
        arrival = Arrival.of(body, envelope, received_at=runtime.clock.now())
        await self._together.write(partial(_store, runtime), arrival)
        return None

    def _count_bad(self) -> None:
        self._bad += 1
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._write_counts())

    async def _write_counts(self) -> None:
        while self._bad:
            count, self._bad = self._bad, 0
            try:
                await asyncio.to_thread(_write_count, self._runtime, count)
            except Unavailable as error:
                log.warning("bad signatures were not counted", count=count, reason=error.sentence)
            await asyncio.sleep(COUNT_EVERY_S)


def handshake(runtime: Runtime, request: Request) -> Response:
    """Meta's subscription handshake: the challenge comes back if the verify token is ours."""
    wanted = runtime.settings.waypost_webhook_verify_token
    given = request.query_params
    is_ours = wanted is not None and hmac.compare_digest(
        given.get("hub.verify_token", "").encode(), wanted.get_secret_value().encode()
    )
    if given.get("hub.mode") != "subscribe" or not is_ours:
        return refusal(
            403, "The verify token is not the one in WAYPOST_WEBHOOK_VERIFY_TOKEN.", "wrong_verify_token"
        )
    return PlainTextResponse(given.get("hub.challenge", ""))


async def _body(headers: Headers, receive: Receive) -> bytes | None:
    """The raw body; None as soon as it shows that it is too large."""
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > WEBHOOK_MAX_BYTES:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed.field("body", "ended before it was whole")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > WEBHOOK_MAX_BYTES:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _store(runtime: Runtime, arrivals: list[Arrival]) -> list[bool]:
    with runtime.unit(META, write=True) as unit:
        pending = store(unit, arrivals)
        if any(pending):
            unit.ring(Due.WEBHOOKS)
    return pending


def _write_count(runtime: Runtime, count: int) -> None:
    with runtime.unit(META, write=True) as unit:
        count_bad(unit, count)
