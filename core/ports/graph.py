"""Meta's Graph API over httpx."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeVar

import aiohttp
import httpx
import yarl
from httpx_aiohttp import AiohttpTransport

from core import tracing
from core.ports.graph_replies import (
    GraphError,
    Reply,
    ReplyKind,
    as_json,
    no_answer,
    read_error,
    read_send,
    secrets_in,
    without,
)
from core.ports.graph_tokens import (
    DEAD_TOKEN,
    MetaApp,
    NewToken,
    TokenFacts,
    read_new_token,
    read_token,
    refused_token,
)
from core.ports.unit_guard import refuse_inside_unit

MAX_CONNECTIONS = 1000
# Shorter than the 5 s after which common servers drop an idle connection: a connection that dies as we
# write to it would look like a send that may have been taken.
KEEPALIVE_S = 4.0
PAGE_SIZE = 100
MAX_PAGES = 100
# A number's certificate is left out: it registers the number, and nobody reads it here.
PHONE_FIELDS = (
    "id,display_phone_number,verified_name,country_code,quality_rating,quality_score,throughput,status,"
    "name_status,new_name_status,code_verification_status,whatsapp_business_manager_messaging_limit,"
    "platform_type,account_mode,is_official_business_account,is_pin_enabled,is_on_biz_app,"
    "last_onboarded_time,webhook_configuration"
)
WABA_FIELDS = (
    "id,name,currency,timezone_id,country,message_template_namespace,account_review_status,"
    "business_verification_status,ownership_type,status,owner_business_info,on_behalf_of_business_info,"
    "primary_business_location,is_enabled_for_insights,marketing_messages_lite_api_status,"
    "marketing_messages_onboarding_status,disable_marketing_messages_on_cloud_api,subscribed_apps"
)
BUSINESS_FIELDS = "id,name,verification_status"
_NO_SUCH_FIELD = re.compile(r"nonexisting field \((\w+)\)")
INVALID_PARAMETER = 100
TEMPLATE_FIELDS = (
    "id,name,language,status,category,previous_category,parameter_format,components,quality_score,"
    "rejected_reason"
)
# A send hears aiohttp's own; httpx's transport lets some of them through, such as an answer that is no HTTP.
_OF_THE_NETWORK = (httpx.HTTPError, aiohttp.ClientError, TimeoutError)
# Called once the request that this task makes has been written.
_on_written: ContextVar[Callable[[], None] | None] = ContextVar("on_written", default=None)
_OF_A_SEND = {"Content-Type": "application/json", "Accept-Encoding": "gzip, deflate"}


Answer = TypeVar("Answer")


class Graph:
    """A client for one event loop. ``timeout_s`` bounds one call from its start to the end of its answer.

    A field that Meta does not know makes a whole call fail: it is left out then, and from every later call
    of this client. A new process asks again, so that a newer version of Meta's API is noticed.
    """

    def __init__(self, *, base_url: str, version: str, timeout_s: float, app: MetaApp | None = None) -> None:
        self._again = partial(Graph, base_url=base_url, version=version, timeout_s=timeout_s, app=app)
        self._unknown_fields: set[tuple[str, str]] = set()  # of those asked for together, the one unknown
        self._base = f"{base_url}/{version}"
        self._timeout_s = timeout_s
        self._app = app
        self._timeout = httpx.Timeout(timeout_s, connect=timeout_s / 2)
        self._session_timeout = aiohttp.ClientTimeout(sock_connect=timeout_s / 2)
        self._messages_urls: dict[str, yarl.URL] = {}
        self._client: httpx.AsyncClient | None = None
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        *,
        phone_number_id: str,
        token: str,
        body: Mapping[str, Any],
        on_written: Callable[[], None] | None = None,
    ) -> Reply:
        """Sends one message. Never raises for what the network or Meta does. ``on_written`` is called as soon
        as all of the request is with the network, which may be long before there is an answer.

        It goes straight to the session beneath the client's transport: a send follows no redirect and keeps
        no cookie, and what httpx makes of each request and answer costs twice as much as the request.
        """
        with tracing.attempt(str(body.get("biz_opaque_callback_data", ""))) as span:
            reply = await self._send(phone_number_id, token, body, on_written)
            span.set(
                outcome=reply.kind.value,
                http_status=reply.http_status,
                error_code=reply.meta_code or reply.word,
                meta_trace=reply.trace_id,
            )
        return reply

    async def _send(
        self, phone_number_id: str, token: str, body: Mapping[str, Any], on_written: Callable[[], None] | None
    ) -> Reply:
        refuse_inside_unit()
        watched = _on_written.set(on_written)
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._open_session().post(
                    self._messages_url(phone_number_id),
                    headers={"Authorization": f"Bearer {token}", **_OF_A_SEND},
                    data=json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(),
                    timeout=self._session_timeout,
                    allow_redirects=False,
                ) as response,
            ):
                content = await response.read()
        except _OF_THE_NETWORK as error:
            return no_answer(error)
        finally:
            _on_written.reset(watched)
        return without(read_send(response.status, response.headers, content), token)

    def open(self) -> None:
        """The session is made now, inside the loop that uses it: reading certificates takes longer than a
        send may."""
        self._open_session()

    async def waba(self, *, waba_id: str, token: str) -> dict[str, Any]:
        """The account's node. GraphError when Meta refuses."""
        return await self._node(waba_id, token=token, fields=WABA_FIELDS)

    async def business(self, *, business_id: str, token: str) -> dict[str, Any]:
        """The node of the business that owns the account. Many tokens may not read it: GraphError."""
        return await self._node(business_id, token=token, fields=BUSINESS_FIELDS)

    async def health(self, *, node_id: str, token: str) -> Any:
        """``health_status`` of a phone, account or template, as Meta gives it: why it can or cannot send."""
        return (await self._node(node_id, token=token, fields="id,health_status")).get("health_status")

    async def charges(self, *, waba_id: str, token: str, since: int, until: int) -> Any:
        """``pricing_analytics`` of the account, by day, category and type, from ``since`` until ``until``
        (unix seconds), as Meta gives it. Many tokens may not read it: GraphError."""
        field = (
            f"pricing_analytics.start({since}).end({until}).granularity(DAILY)"
            '.metric_types(["COST","VOLUME"]).dimensions(["PRICING_CATEGORY","PRICING_TYPE"])'
        )
        answer = await self._get(f"/{waba_id}", token=token, params={"fields": f"id,{field}"})
        return answer.get("pricing_analytics")

    async def phones(self, *, waba_id: str, token: str) -> list[dict[str, Any]]:
        """The nodes of all numbers of the account."""
        path = f"/{waba_id}/phone_numbers"

        async def read(fields: str) -> list[dict[str, Any]]:
            return [node async for node in self._pages(path, token=token, fields=fields)]

        return await self._with_known(PHONE_FIELDS, read)

    async def templates(self, *, waba_id: str, token: str, name: str | None = None) -> list[dict[str, Any]]:
        """The nodes of all templates of the account, or of those called ``name``."""
        path = f"/{waba_id}/message_templates"

        async def read(fields: str) -> list[dict[str, Any]]:
            return [node async for node in self._pages(path, token=token, fields=fields, name=name)]

        return await self._with_known(TEMPLATE_FIELDS, read)

    async def create_template(self, *, waba_id: str, token: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Meta's answer to a new template: its id, status and the category that it gives. GraphError, of kind
        unknown where Meta may have taken it."""
        return await self._write("POST", f"/{waba_id}/message_templates", token=token, body=body)

    async def edit_template(self, *, template_id: str, token: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The template's components are replaced. GraphError as above."""
        return await self._write("POST", f"/{template_id}", token=token, body=body)

    async def delete_template(
        self, *, waba_id: str, token: str, name: str, template_id: str | None = None
    ) -> None:
        """The templates of that name are gone, in all languages or only that one. GraphError as above."""
        params = {"name": name} | ({"hsm_id": template_id} if template_id is not None else {})
        await self._write("DELETE", f"/{waba_id}/message_templates", token=token, params=params)

    async def upload_example(self, *, token: str, name: str, kind: str, content: bytes) -> str:
        """Meta's handle of a file that shows it what a template's header will hold. ``kind``: its media type.
        GraphError when Meta refuses, LookupError without an app."""
        if self._app is None:
            raise LookupError("only an app uploads files")
        params = {"file_name": name, "file_length": str(len(content)), "file_type": kind}
        opened = await self._write("POST", f"/{self._app.id}/uploads", token=token, params=params)
        session = str(opened.get("id", ""))
        taken = (
            await self._write("POST", f"/{session}", token=token, content=content)
            if session.startswith("upload:")
            else {}
        )
        handle = taken.get("h")
        if not isinstance(handle, str) or not handle:
            raise GraphError(
                Reply(ReplyKind.UNKNOWN, word="bad_response", detail="Meta gave no handle of the file.")
            )
        return handle

    async def inspect_token(self, *, token: str) -> TokenFacts:
        """What Meta knows of the token: asked as the app, or without one as the token itself, which is
        refused where it is dead. GraphError when nobody can say."""
        asker = self._app.token if self._app is not None else token
        try:
            answer = await self._get("/debug_token", token=asker, params={"input_token": token})
        except GraphError as error:
            if self._app is None and error.reply.meta_code in DEAD_TOKEN:
                return refused_token(error.reply.detail)
            raise
        facts = read_token(answer)
        if facts is None:
            raise GraphError(
                Reply(ReplyKind.UNKNOWN, word="bad_response", detail="Meta said nothing of the token.")
            )
        return replace(facts, problem=facts.problem.replace(token, "…"))

    async def exchange_token(self, *, token: str) -> NewToken:
        """A new token for one that still works; the old one goes on working until its own end. GraphError
        when Meta refuses, LookupError without an app."""
        if self._app is None:
            raise LookupError("only an app exchanges tokens")
        params = {
            "grant_type": "fb_exchange_token",
            "client_id": self._app.id,
            "client_secret": self._app.secret,
            "set_token_expires_in_60_days": "true",
            "fb_exchange_token": token,
        }
        made = read_new_token(await self._get("/oauth/access_token", token="", params=params))
        if made is None:
            raise GraphError(
                Reply(ReplyKind.UNKNOWN, word="bad_response", detail="Meta answered without a new token.")
            )
        return made

    async def prove_token(self, *, waba_id: str, token: str) -> None:
        """The token reads the account: the cheapest call that needs what a send needs. GraphError if not."""
        await self._get(f"/{waba_id}", token=token, params={"fields": "id"})

    async def is_reachable(self) -> bool:
        """Whether anything answers at Meta's address."""
        try:
            await self._call("/", token="")
        except _OF_THE_NETWORK:
            return False
        return True

    def again(self) -> "Graph":
        """A client of the same kind, for another event loop."""
        return self._again()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = self._client = None

    async def _node(self, node_id: str, *, token: str, fields: str) -> dict[str, Any]:
        return await self._with_known(
            fields, lambda known: self._get(f"/{node_id}", token=token, params={"fields": known})
        )

    async def _with_known(self, fields: str, read: Callable[[str], Awaitable[Answer]]) -> Answer:
        """What ``read`` answers for those of the fields that Meta knows."""
        while True:
            known = [name for name in fields.split(",") if (fields, name) not in self._unknown_fields]
            try:
                return await read(",".join(known))
            except GraphError as error:
                unknown = _unknown_field(error.reply)
                if unknown not in known[1:]:  # the id is always known; without it nothing would be asked
                    raise
                self._unknown_fields.add((fields, unknown))

    async def _pages(
        self, path: str, *, token: str, fields: str, name: str | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        params: dict[str, str] = {"fields": fields, "limit": str(PAGE_SIZE)}
        if name is not None:
            params["name"] = name
        for _ in range(MAX_PAGES):
            page = await self._get(path, token=token, params=params)
            nodes = page.get("data")
            for node in nodes if isinstance(nodes, list) else []:
                if isinstance(node, dict):
                    yield node
            after = _next_page(page.get("paging"))
            if after is None:
                return
            params["after"] = after

    async def _get(self, path: str, *, token: str, params: Mapping[str, str]) -> dict[str, Any]:
        try:
            response = await self._call(path, token=token, params=params)
        except _OF_THE_NETWORK as error:
            raise GraphError(no_answer(error)) from None  # the cause may hold a token in its address
        answer = as_json(response.content)
        if response.status_code != 200 or not isinstance(answer, dict):
            refusal = read_error(response.status_code, response.headers, answer)
            raise GraphError(without(refusal, token, *secrets_in(params)))
        return answer

    async def _write(
        self,
        method: str,
        path: str,
        *,
        token: str,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
    ) -> dict[str, Any]:
        try:
            response = await self._call(
                path, token=token, params=params, method=method, body=body, content=content
            )
        except _OF_THE_NETWORK as error:
            raise GraphError(no_answer(error)) from None
        answer = as_json(response.content)
        if response.status_code != 200:
            refusal = read_error(response.status_code, response.headers, answer)
            raise GraphError(without(refusal, token))
        return answer if isinstance(answer, dict) else {}

    async def _call(
        self,
        path: str,
        *,
        token: str,
        params: Mapping[str, str] | None = None,
        method: str = "GET",
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """``content``: of a file, for which Meta wants the token under another word."""
        refuse_inside_unit()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if content is not None:
            headers = {"Authorization": f"OAuth {token}", "file_offset": "0"}
        async with asyncio.timeout(self._timeout_s):
            return await self._open().request(
                method, self._base + path, params=params, headers=headers, json=body, content=content
            )

    def _messages_url(self, phone_number_id: str) -> yarl.URL:
        """Parsed once a phone, not once a send."""
        url = self._messages_urls.get(phone_number_id)
        if url is None:
            url = self._messages_urls[phone_number_id] = yarl.URL(f"{self._base}/{phone_number_id}/messages")
        return url

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            transport = AiohttpTransport(verify=self._certificates, client=self._open_session())
            self._client = httpx.AsyncClient(transport=transport, timeout=self._timeout)
        return self._client

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    def _open_session(self) -> aiohttp.ClientSession:
        """The connections, made inside the loop that uses them. httpx's own pool falls apart with concurrency
        (80 in flight: 125 requests a second, where aiohttp's carries 690 under the same interface)."""
        if self._session is None:
            self._session = _session(self._certificates)
        return self._session


class _Request(aiohttp.ClientRequest):
    """Says when it has left: a connection that had to be made first, or a loop that had other things to do,
    can be long."""

    async def write_bytes(self, *args: Any, **options: Any) -> None:
        await super().write_bytes(*args, **options)
        if (on_written := _on_written.get()) is not None:
            on_written()


def _session(certificates: ssl.SSLContext) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=KEEPALIVE_S, ssl=certificates)
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), request_class=_Request
    )


def _next_page(paging: Any) -> str | None:
    """The cursor of the page that follows, if one does."""
    if not isinstance(paging, dict) or not paging.get("next"):
        return None
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    return after if isinstance(after, str) and after else None


def _unknown_field(reply: Reply) -> str:
    """The field that made Meta refuse the whole call; empty when it was something else."""
    found = _NO_SUCH_FIELD.search(reply.detail) if reply.meta_code == INVALID_PARAMETER else None
    return found[1] if found else ""
