"""Meta's Graph API over httpx. Every way a call can go becomes one of a few words here, and only here."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from core.ports.unit_guard import refuse_inside_unit

MAX_CONNECTIONS = 1000
# Shorter than the 5 s after which common servers drop an idle connection: a connection that dies as we
# write to it would look like a send that may have been taken.
KEEPALIVE_S = 4.0
PAGE_SIZE = 100
MAX_PAGES = 100
PHONE_FIELDS = (
    "id,display_phone_number,verified_name,quality_rating,throughput,name_status,status,"
    "whatsapp_business_manager_messaging_limit"
)
TEMPLATE_FIELDS = "id,name,language,status,category,parameter_format,components"
ERROR_TEXT_MAX = 500
# httpx's transport lets some of aiohttp's own through, such as an answer that is no HTTP.
_OF_THE_NETWORK = (httpx.HTTPError, aiohttp.ClientError, TimeoutError)
_OF_A_SEND = {"Content-Type": "application/json", "Accept-Encoding": "gzip, deflate"}


class ReplyKind(StrEnum):
    """What is known of a send after the call.

    ``accepted`` Meta took it · ``refused`` Meta or the network said no, nothing was taken ·
    ``unknown`` nobody can tell.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one send. ``meta_code`` is Meta's ``error.code``; ``word`` names what is no code of
    Meta's: network_timeout, connection_failed, http_NNN, bad_response. ``retry_after_s``: 0 if not said."""

    kind: ReplyKind
    wamid: str | None = None
    meta_code: int | None = None
    word: str | None = None
    detail: str = ""
    http_status: int | None = None
    is_transient: bool = False
    trace_id: str | None = None
    retry_after_s: float = 0.0


class GraphError(Exception):
    """A call other than a send failed. ``reply`` says how."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.detail or reply.word or "Meta refused the call")
        self.reply = reply


class Graph:
    """A client for one event loop. ``timeout_s`` bounds one call from its start to the end of its answer."""

    def __init__(
        self, *, base_url: str, version: str, timeout_s: float, app_token: str | None = None
    ) -> None:
        self._base = f"{base_url}/{version}"
        self._timeout_s = timeout_s
        self._app_token = app_token
        self._timeout = httpx.Timeout(timeout_s, connect=timeout_s / 2)
        self._timeouts = {"timeout": self._timeout.as_dict()}
        self._messages_urls: dict[str, httpx.URL] = {}
        self._client: httpx.AsyncClient | None = None
        self._transport: httpx.AsyncBaseTransport | None = None

    async def send(self, *, phone_number_id: str, token: str, body: Mapping[str, Any]) -> Reply:
        """Sends one message. Never raises for what the network or Meta does.

        It goes straight to the client's transport: a send follows no redirect and keeps no cookie, and what
        the client does around each request costs as much again as the request.
        """
        refuse_inside_unit()
        request = httpx.Request(
            "POST",
            self._messages_url(phone_number_id),
            headers={"Authorization": f"Bearer {token}", **_OF_A_SEND},
            content=json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(),
            extensions=self._timeouts,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._open_transport().handle_async_request(request)
                try:
                    await response.aread()
                finally:
                    await response.aclose()
        except _OF_THE_NETWORK as error:
            return _no_answer(error)
        return _read_send(response)

    async def waba(self, *, waba_id: str, token: str) -> dict[str, Any]:
        """The account's node: id and name. GraphError when Meta refuses."""
        return await self._get(f"/{waba_id}", token=token, params={"fields": "id,name"})

    async def phones(self, *, waba_id: str, token: str) -> list[dict[str, Any]]:
        """The nodes of all numbers of the account."""
        path = f"/{waba_id}/phone_numbers"
        return [node async for node in self._pages(path, token=token, fields=PHONE_FIELDS)]

    async def templates(self, *, waba_id: str, token: str, name: str | None = None) -> list[dict[str, Any]]:
        """The nodes of all templates of the account, or of those called ``name``."""
        path = f"/{waba_id}/message_templates"
        return [node async for node in self._pages(path, token=token, fields=TEMPLATE_FIELDS, name=name)]

    async def token_expiry(self, *, token: str) -> int | None:
        """When the token expires, in seconds since 1970; None when it never does or nobody can say."""
        if self._app_token is None:
            return None
        answer = await self._get("/debug_token", token=self._app_token, params={"input_token": token})
        expires_at = answer.get("data", {}).get("expires_at")
        return int(expires_at) if isinstance(expires_at, int) and expires_at > 0 else None

    async def is_reachable(self) -> bool:
        """Whether anything answers at Meta's address."""
        try:
            await self._call("/", token="")
        except _OF_THE_NETWORK:
            return False
        return True

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = self._client = None

    async def _pages(
        self, path: str, *, token: str, fields: str, name: str | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        params: dict[str, str] = {"fields": fields, "limit": str(PAGE_SIZE)}
        if name is not None:
            params["name"] = name
        for _ in range(MAX_PAGES):
            page = await self._get(path, token=token, params=params)
            for node in page.get("data") or []:
                yield node
            paging = page.get("paging") or {}
            after = (paging.get("cursors") or {}).get("after")
            if not paging.get("next") or not after:
                return
            params["after"] = after

    async def _get(self, path: str, *, token: str, params: Mapping[str, str]) -> dict[str, Any]:
        try:
            response = await self._call(path, token=token, params=params)
        except _OF_THE_NETWORK as error:
            raise GraphError(_no_answer(error)) from None  # the cause may hold a token in its address
        answer = _json(response)
        if response.status_code != 200 or not isinstance(answer, dict):
            raise GraphError(_read_error(response, answer))
        return answer

    async def _call(
        self, path: str, *, token: str, params: Mapping[str, str] | None = None
    ) -> httpx.Response:
        refuse_inside_unit()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with asyncio.timeout(self._timeout_s):
            return await self._open().get(self._base + path, params=params, headers=headers)

    def _messages_url(self, phone_number_id: str) -> httpx.URL:
        """Parsed once a phone, not once a send."""
        url = self._messages_urls.get(phone_number_id)
        if url is None:
            url = self._messages_urls[phone_number_id] = httpx.URL(f"{self._base}/{phone_number_id}/messages")
        return url

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(transport=self._open_transport(), timeout=self._timeout)
        return self._client

    def _open_transport(self) -> httpx.AsyncBaseTransport:
        """The connections, made inside the loop that uses them. httpx's own pool falls apart with concurrency
        (80 in flight: 125 requests a second, where aiohttp's carries 690 under the same interface)."""
        if self._transport is None:
            limits = httpx.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=KEEPALIVE_S)
            self._transport = AiohttpTransport(limits=limits)
        return self._transport


def _read_send(response: httpx.Response) -> Reply:
    answer = _json(response)
    if response.status_code == 200:
        messages = answer.get("messages") if isinstance(answer, dict) else None
        first = messages[0] if isinstance(messages, list) and messages else None
        wamid = first.get("id") if isinstance(first, dict) else None
        if isinstance(wamid, str) and wamid:
            return Reply(ReplyKind.ACCEPTED, wamid=wamid, http_status=200)
        return Reply(
            ReplyKind.UNKNOWN,
            word="bad_response",
            detail="Meta answered 200 with a body that names no message.",
            http_status=200,
        )
    return _read_error(response, answer)


def _read_error(response: httpx.Response, answer: Any) -> Reply:
    status = response.status_code
    error = answer.get("error") if isinstance(answer, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(code, int) or isinstance(code, bool):
        # A gateway's page, not Meta's words: after a 5xx Meta may have taken the message all the same.
        kind = ReplyKind.UNKNOWN if status >= 500 else ReplyKind.REFUSED
        return Reply(
            kind,
            word=f"http_{status}" if status >= 400 else "bad_response",
            detail=f"Meta answered HTTP {status} without an error of its own.",
            http_status=status,
            retry_after_s=_retry_after(response.headers),
        )
    details = error.get("error_data")
    detail = details.get("details") if isinstance(details, dict) else None
    return Reply(
        ReplyKind.REFUSED,
        meta_code=code,
        detail=str(detail or error.get("message") or "")[:ERROR_TEXT_MAX],
        http_status=status,
        is_transient=error.get("is_transient") is True,
        trace_id=str(error["fbtrace_id"])[:100] if error.get("fbtrace_id") else None,
        retry_after_s=_retry_after(response.headers),
    )


def _no_answer(error: httpx.HTTPError | aiohttp.ClientError | TimeoutError) -> Reply:
    """Refused only where it is certain that nothing left us; anything else may have been taken.

    The transport reports every broken connection, also one that broke after the body was written, as a
    connect timeout: its cause tells them apart.
    """
    cause = error.__cause__
    nothing_left = isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) or (
        isinstance(error, httpx.UnsupportedProtocol)
    )
    if nothing_left:
        return Reply(ReplyKind.REFUSED, word="connection_failed", detail="Could not connect to Meta.")
    if isinstance(error, aiohttp.ClientResponseError):
        return Reply(ReplyKind.UNKNOWN, word="bad_response", detail="What answered does not speak HTTP.")
    if isinstance(error, TimeoutError) or isinstance(cause, aiohttp.ServerTimeoutError):
        return Reply(ReplyKind.UNKNOWN, word="network_timeout", detail="Meta did not answer in time.")
    return Reply(
        ReplyKind.UNKNOWN,
        word="connection_failed",
        detail="The connection broke after the message was written to it.",
    )


def _json(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _retry_after(headers: httpx.Headers) -> float:
    """Seconds to wait by ``Retry-After``, or by Meta's usage header, which speaks in minutes; 0 if unsaid."""
    return max(_number(headers.get("retry-after")), _regain_s(headers.get("x-business-use-case-usage")))


def _regain_s(usage: str | None) -> float:
    if not usage:
        return 0.0
    try:
        entries = [entry for entries in json.loads(usage).values() for entry in entries]
        return max((60.0 * _number(e.get("estimated_time_to_regain_access")) for e in entries), default=0.0)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return 0.0


def _number(text: Any) -> float:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
