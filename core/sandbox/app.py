"""The sandbox as one application: which path leads where, and how a refusal becomes an answer."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.sandbox import accounts, control, graph, template_calls, templates, uploads
from core.sandbox.answers import answer, refuse, sandbox_of
from core.sandbox.bodies import BadInput
from core.sandbox.config import SandboxConfig
from core.sandbox.errors import MetaError
from core.sandbox.messages import send_message
from core.sandbox.state import Sandbox


def build(config: SandboxConfig) -> Starlette:
    """A Meta of its own, in its first state; its webhooks run for as long as the application's lifespan.

    Faults that cut the connection need uvicorn (see `server.py`).
    """
    app = Starlette(
        routes=_routes(),
        lifespan=_lifespan,
        exception_handlers={MetaError: _meta_error, BadInput: _bad_input, HTTPException: _no_such_path},
    )
    app.state.sandbox = Sandbox(config)
    return app


def _routes() -> list[BaseRoute]:
    node = "/{version}/{node}"
    return [
        Route(node + "/messages", send_message, methods=["POST"]),
        Route("/sandbox/state", control.read_state),
        Route("/sandbox/received", control.read_received),
        Route("/sandbox/counts", control.read_counts),
        Route("/sandbox/faults", control.create_fault, methods=["POST"]),
        Route("/sandbox/faults/{fault}", control.change_fault, methods=["PATCH"]),
        Route("/sandbox/faults/{fault}", control.delete_fault, methods=["DELETE"]),
        Route("/sandbox/inbound", control.send_inbound, methods=["POST"]),
        Route("/sandbox/statuses", control.push_status, methods=["POST"]),
        Route("/sandbox/changes", control.push_change, methods=["POST"]),
        Route("/sandbox/templates/{name}/status", templates.set_status, methods=["POST"]),
        Route("/sandbox/templates/{name}", templates.change, methods=["PATCH"]),
        Route("/sandbox/phones/{phone}", accounts.change_phone, methods=["PATCH"]),
        Route("/sandbox/accounts/{waba}", accounts.change_account, methods=["PATCH"]),
        Route("/sandbox/webhook", control.set_webhook, methods=["POST"]),
        Route("/sandbox/webhook", control.disturb_webhooks, methods=["PATCH"]),
        Route("/sandbox/reset", control.reset, methods=["POST"]),
        *(
            Route(prefix + path, endpoint)
            for prefix in ("", "/{version}")
            for path, endpoint in (
                ("/debug_token", graph.debug_token),
                ("/oauth/access_token", graph.access_token),
                ("/oauth/revoke", graph.revoke),
            )
        ),
        Route(node + "/phone_numbers", graph.list_phones),
        Route(node + "/owned_whatsapp_business_accounts", graph.list_wabas),
        Route(node + "/message_templates", graph.list_templates),
        Route(node + "/message_templates", template_calls.create, methods=["POST"]),
        Route(node + "/message_templates", template_calls.delete, methods=["DELETE"]),
        Route(node + "/uploads", uploads.begin, methods=["POST"]),
        Route("/{version}/upload:{session}", uploads.take, methods=["POST"]),
        Route(node + "/subscribed_apps", graph.read_subscriptions),
        Route(node + "/subscribed_apps", graph.subscribe, methods=["POST"]),
        Route(node + "/subscribed_apps", graph.unsubscribe, methods=["DELETE"]),
        Route(node, graph.read_node),
        Route(node, template_calls.edit, methods=["POST"]),
    ]


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    sending = asyncio.create_task(app.state.sandbox.outbox.run())
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _meta_error(request: Request, error: Exception) -> Response:
    """A refusal before a message was read counts as refused too; it has no record."""
    assert isinstance(error, MetaError)
    if request.url.path.endswith("/messages"):
        sandbox_of(request).journal.outcomes["refused"] += 1
    return refuse(error)


async def _bad_input(_: Request, error: Exception) -> Response:
    return answer({"error": str(error)}, status=400)


async def _no_such_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if path.startswith("/sandbox"):
        return answer({"error": f"There is no {request.method} {path}."}, status=error.status_code)
    return refuse(
        MetaError(2500, title=f"Unknown path components: {re.sub(r'^/v[0-9.]+', '', path)}", details="")
    )
