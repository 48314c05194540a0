"""Meta's side: the handshake, and what it reports. Nothing unsigned is ever read."""

import asyncio
import hmac
import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from core.errors import Malformed, Unavailable
from core.inbox.commands import take_in
from core.inbox.rules import is_signed
from core.runtime import Runtime
from core.unit import Identity
from ui.api.errors import refusal
from ui.api.route import ApiRoute, open_to_all, runtime_of


class SignedRoute(ApiRoute):
    """Its body is bytes until the signature over them is found right."""

    reads_json = False


router = APIRouter(route_class=SignedRoute, include_in_schema=False)

META = Identity(process="webhook")


@router.get("/webhooks/whatsapp")
@open_to_all
def handshake(request: Request) -> Response:
    """Meta's subscription handshake: the challenge comes back if the verify token is ours."""
    wanted = runtime_of(request).settings.waypost_webhook_verify_token
    given = request.query_params
    is_ours = wanted is not None and hmac.compare_digest(
        given.get("hub.verify_token", "").encode(), wanted.get_secret_value().encode()
    )
    if given.get("hub.mode") != "subscribe" or not is_ours:
        return refusal(
            403, "The verify token is not the one in WAYPOST_WEBHOOK_VERIFY_TOKEN.", "wrong_verify_token"
        )
    return PlainTextResponse(given.get("hub.challenge", ""))


@router.post("/webhooks/whatsapp")
@open_to_all
async def receive(request: Request) -> Response:
    """200 only once everything that concerns us is on disk; Meta sends it again otherwise."""
    runtime = runtime_of(request)
    secrets = runtime.settings.app_secrets
    if not secrets:
        raise Unavailable("No app secret is set (WAYPOST_META_APP_SECRET), so no webhook can be trusted.")
    body = await request.body()
    if not is_signed(body, request.headers.get("x-hub-signature-256"), secrets):
        return refusal(401, "The signature does not match the body.", "bad_signature")
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed.field("body", "is not JSON") from None
    await asyncio.to_thread(_take_in, runtime, envelope)
    return JSONResponse({"success": True})


def _take_in(runtime: Runtime, envelope: Any) -> None:
    with runtime.unit(META, write=True) as unit:
        take_in(unit, envelope)
