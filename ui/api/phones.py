"""``/phones``: numbers, Meta's word on them, and their lanes."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from core.errors import NotFound
from core.messaging.senders import LaneView, Sender, list_senders, sender_of
from core.moments import rfc3339
from core.phones.sync import sync_phone
from core.runtime import Runtime
from core.unit import Identity
from ui.api.messages import Limit
from ui.api.route import ApiRoute, identity_of, needs, runtime_of

router = APIRouter(prefix="/phones", tags=["Phones"], route_class=ApiRoute)
META_ID_MAX = 32


@router.get("")
@needs("phones.view")
def list_phones(
    request: Request,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(pattern=r"^\d{1,32}$")] = None,
) -> dict[str, Any]:
    """The numbers of the workspace by Meta's id, each with its lane."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = list_senders(unit, cursor=cursor, limit=limit)
    return {"items": [_phone_json(phone) for phone in page.items], "nextCursor": page.next_cursor}


@router.post("/{phone_number_id}/sync")
@needs("phones.manage")
async def sync(request: Request, phone_number_id: str) -> dict[str, Any]:
    """Reads the number, its account and its business from Meta now, and answers the number."""
    if not (phone_number_id.isascii() and phone_number_id.isdigit() and len(phone_number_id) <= META_ID_MAX):
        raise NotFound.of("phone number")
    runtime, identity = runtime_of(request), identity_of(request)
    await sync_phone(runtime, identity, phone_number_id)
    return await asyncio.to_thread(_read, runtime, identity, phone_number_id)


def _read(runtime: Runtime, identity: Identity, phone_number_id: str) -> dict[str, Any]:
    with runtime.unit(identity) as unit:
        return _phone_json(sender_of(unit, phone_number_id))


def _phone_json(phone: Sender) -> dict[str, Any]:
    return {
        "phoneNumberId": phone.phone_number_id,
        "wabaId": phone.waba_id,
        "displayPhoneNumber": phone.display_number,
        "verifiedName": phone.verified_name,
        "quality": phone.quality,
        "throughputLevel": phone.throughput_level,
        "limitPerSecond": phone.limit_per_second,
        "messagingTier": phone.messaging_tier,
        "nameStatus": phone.name_status,
        "status": phone.status,
        "lane": _lane_json(phone.lane),
        "lastSyncedAt": rfc3339(phone.synced_at),
    }


def _lane_json(lane: LaneView) -> dict[str, Any]:
    return {
        "state": lane.state,
        "reason": lane.hold.reason if lane.hold else None,
        "since": rfc3339(lane.hold.held_at) if lane.hold else None,
        "held": lane.held,
    }
