"""``/messages``: sending, and what became of it."""

import asyncio
import re
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BeforeValidator

from core.errors import Conflict, DomainError, Impossible, Malformed, PlanLimit
from core.lanes.queries import throughput
from core.messaging import queries
from core.messaging.commands import settle_unknown
from core.messaging.idempotency import body_hash
from core.messaging.queries import AttemptView, MessageDetail, MessageFilter, MessageRow
from core.messaging.requests import SendRequest
from core.messaging.send import send
from core.phones.queries import sender
from core.runtime import Runtime
from core.unit import Identity
from data.enums import Direction
from ui.api.errors import domain_response
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import (
    MetaId,
    SendTemplateBody,
    SendTextBody,
    SettleBody,
    moment,
    payload_json,
    send_answer,
    throughput_headers,
)

router = APIRouter(prefix="/messages", tags=["Messages"], route_class=ApiRoute)

Key = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[\x20-\x7e]+$")
]
Limit = Annotated[int, Query(ge=1, le=200)]
Text = Annotated[str | None, Query(min_length=1, max_length=512)]
Cursor = Annotated[str | None, Query(pattern=r"^msg_[0-9a-z]{26}$")]


def _rfc3339(value: Any) -> Any:
    """Pydantic alone would also take a bare number, or a space in place of the T."""
    if isinstance(value, str) and not re.fullmatch(RFC3339, value, re.ASCII):
        raise ValueError("must be a moment as in RFC 3339, such as 2026-11-23T07:45:00Z")
    return value


RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"
Instant = Annotated[AwareDatetime, BeforeValidator(_rfc3339)]
Since = Annotated[Instant | None, Query(alias="from")]
Until = Annotated[Instant | None, Query()]
LATER: dict[int | str, dict[str, Any]] = {202: {"description": "Queued, or to be retried."}}


@router.post("/template", responses=LATER)
@needs("messages.send")
async def send_template(
    request: Request, body: SendTemplateBody, idempotency_key: Key = None
) -> JSONResponse:
    """Sends an approved template. Answers 200 accepted, 202 queued or to be retried, 422 dead."""
    return await _send(request, body, idempotency_key)


@router.post("/text", responses=LATER)
@needs("messages.send")
async def send_text(request: Request, body: SendTextBody, idempotency_key: Key = None) -> JSONResponse:
    """Sends text to a customer who wrote within the last 24 hours."""
    return await _send(request, body, idempotency_key)


@router.get("")
@needs("messages.view")
def list_messages(
    request: Request,
    status: Annotated[str | None, Query(max_length=32)] = None,
    direction: Direction | None = None,
    to: Text = None,
    phone_number_id: Annotated[MetaId | None, Query(alias="phoneNumberId")] = None,
    error_code: Annotated[str | None, Query(alias="errorCode", max_length=64)] = None,
    since: Since = None,
    until: Until = None,
    q: Text = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Messages, newest first."""
    check_range(since, until)
    wanted = MessageFilter(
        status=status,
        direction=direction,
        to=to,
        phone_number_id=phone_number_id,
        error_code=error_code,
        since=since,
        until=until,
        q=q,
    )
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = queries.list_messages(unit, wanted, cursor=cursor, limit=limit)
    return {"items": [row_json(row) for row in page.items], "nextCursor": page.next_cursor}


@router.get("/{message_id}")
@needs("messages.view")
def get_message(request: Request, message_id: str) -> dict[str, Any]:
    """One message with every attempt and every status change."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        return _detail_json(queries.message_detail(unit, message_id))


@router.post("/{message_id}/settle")
@needs("dead_letters.redrive")
def settle(request: Request, message_id: str, body: SettleBody) -> dict[str, Any]:
    """A person's word on a message whose outcome nobody knows."""
    runtime, identity = runtime_of(request), identity_of(request)
    with runtime.unit(identity, write=True) as unit:
        settle_unknown(unit, message_id, outcome=body.outcome, reason=body.reason)
    with runtime.unit(identity) as unit:
        return _detail_json(queries.message_detail(unit, message_id))


async def _send(request: Request, body: SendTemplateBody | SendTextBody, key: str | None) -> JSONResponse:
    hashed = body_hash([request.url.path, await request.json()]) if key else ""
    wanted = SendRequest(
        payload=payload_json(body),
        phone_number_id=body.phone_number_id,
        queued=body.mode == "queued",
        ttl_s=body.ttl_seconds,
        idempotency=(key, hashed) if key else None,
    )
    runtime, identity = runtime_of(request), identity_of(request)
    try:
        answer = await send(runtime, identity, wanted)
    except (Conflict, Impossible, PlanLimit) as refusal:
        refused = domain_response(refusal)
        refused.headers.update(await asyncio.to_thread(_pace, runtime, identity, body.phone_number_id))
        return refused
    status, shaped = send_answer(answer)
    if answer.throughput is not None:
        return JSONResponse(shaped, status, headers=throughput_headers(answer.throughput))
    headers = await asyncio.to_thread(_pace, runtime, identity, body.phone_number_id)
    return JSONResponse(shaped, status, headers=headers)


def _pace(runtime: Runtime, identity: Identity, phone_number_id: str | None) -> dict[str, str]:
    """The headers of an answer that took no slot. Empty while no phone is known: two, and none is named."""
    with runtime.unit(identity) as unit:
        try:
            return throughput_headers(throughput(unit, sender(unit, phone_number_id)))
        except DomainError:
            return {}


def check_range(since: datetime | None, until: datetime | None) -> None:
    if since is not None and until is not None and since > until:
        raise Malformed.field("until", "must not be earlier than from")


def row_json(row: MessageRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "direction": row.direction,
        "status": row.status,
        "to": row.to,
        "phoneNumberId": row.phone_number_id,
        "templateName": row.template_name,
        "wamid": row.wamid,
        "mayDuplicate": row.may_duplicate,
        "errorCode": row.error_code,
        "error": row.error_title,
        "waitingFor": row.waiting_for,
        "nextAttemptAt": moment(row.next_attempt_at),
        "createdAt": moment(row.created_at),
    }


def attempt_json(attempt: AttemptView) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "round": attempt.round,
        "startedAt": moment(attempt.started_at or attempt.claimed_at),
        "finishedAt": moment(attempt.finished_at),
        "outcome": attempt.outcome,
        "error": attempt.error_title,
        "code": attempt.error_code,
        "detail": attempt.error_detail,
        "httpStatus": attempt.http_status,
        "traceId": attempt.trace_id,
        "wamid": attempt.wamid,
        "mayDuplicate": attempt.may_duplicate,
    }


def _detail_json(detail: MessageDetail) -> dict[str, Any]:
    return {
        **row_json(detail.row),
        "payload": detail.payload,
        "attempts": [attempt_json(attempt) for attempt in detail.attempts],
        "statuses": [
            {
                "status": status.status,
                "timestamp": moment(status.at),
                "receivedAt": moment(status.received_at),
                "timeFlag": status.flag,
            }
            for status in detail.statuses
        ],
        "sentAt": moment(detail.sent_at),
        "deliveredAt": moment(detail.delivered_at),
        "readAt": moment(detail.read_at),
        "expiresAt": moment(detail.expires_at),
        "deadLetterId": detail.letter_id,
        "timeFlag": detail.flag,
    }
