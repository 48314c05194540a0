"""``/admin/health`` and ``/connections``."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from core.errors import Unavailable
from core.monitoring.queries import health
from core.tokens.connect import connect
from core.unit import ANONYMOUS
from ui.api.errors import refusal
from ui.api.route import ApiRoute, identity_of, needs, open_to_all, runtime_of
from ui.api.shapes import ConnectBody

router = APIRouter(tags=["Administration"], route_class=ApiRoute)


@router.get("/admin/health")
@open_to_all
def get_health(request: Request) -> JSONResponse:
    """200 when every part that this deployment runs is alive, else 503."""
    version = request.app.version
    try:
        with runtime_of(request).unit(ANONYMOUS) as unit:
            found = health(unit)
    except Unavailable as error:
        return refusal(503, error.sentence, error.code, database="unavailable", version=version)
    body = {
        "tokenRefreshCron": found.clock,
        "messageRetryQueue": found.worker,
        "webhookQueue": found.webhooks,
        "database": "ok",
        "version": version,
    }
    if found.is_well:
        return JSONResponse(body)
    return refusal(503, "A part of Waypost that should run here does not.", "unavailable", **body)


@router.post("/connections", status_code=201)
@needs("tokens.manage")
async def create_connection(request: Request, body: ConnectBody) -> dict[str, Any]:
    """Connects a WhatsApp Business Account, or replaces its token and releases its lanes."""
    made = await connect(
        runtime_of(request), identity_of(request), waba_id=body.waba_id, access_token=body.access_token
    )
    return {
        "wabaId": made.waba_id,
        "phones": [
            {"phoneNumberId": phone.phone_number_id, "displayPhoneNumber": phone.display_phone_number}
            for phone in made.phones
        ],
        "templates": made.templates,
        "tokenId": made.token_id,
    }
