"""``/messages``: sending, and what became of it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime

from core.errors import Malformed
from core.messaging import queries
from core.messaging.commands import settle_unknown
from core.messaging.intake import body_hash
from core.messaging.queries import AttemptView, MessageDetail, MessageFilter, MessageRow
from core.messaging.requests import SendRequest
from core.messaging.send import send
from data.enums import Direction
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
Text = Annotated[str | None, Query(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
Moment = Annotated[AwareDatetime | None, Query()]


@router.post("/template")
@needs("messages.send")
async def send_template(
    request: Request, body: SendTemplateBody, idempotency_key: Key = None
) -> JSONResponse:
    """Sends an approved template. Answers 200 accepted, 202 queued or to be retried, 422 dead."""
    return await _send(request, body, idempotency_key)


@router.post("/text")
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
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Moment = None,
    q: Text = None,
    limit: Limit = 50,
    cursor: Text = None,
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
    answer = await send(runtime_of(request), identity_of(request), wanted)
    status, shaped = send_answer(answer)
    headers = throughput_headers(answer.throughput) if answer.throughput else {}
    return JSONResponse(shaped, status, headers=headers)


def check_range(since: datetime | None, until: datetime | None) -> None:
    if since is not None and until is not None and since >= until:
        raise Malformed.field("until", "must be later than from")


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
            }
            for status in detail.statuses
        ],
        "sentAt": moment(detail.sent_at),
        "deliveredAt": moment(detail.delivered_at),
        "readAt": moment(detail.read_at),
        "expiresAt": moment(detail.expires_at),
        "deadLetterId": detail.letter_id,
    }
