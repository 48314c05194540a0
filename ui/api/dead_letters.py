"""``/dead-letters``: messages out of attempts, and what to do about each."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from core.dead_letters import commands, queries
from core.dead_letters.queries import LetterDetail, LetterFilter, LetterRow
from core.errors import Malformed
from data.enums import LetterState
from ui.api.messages import Limit, Since, Text, Until, attempt_json, check_range
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import LetterChangeBody, MetaId, ReasonBody, RedriveBody, moment, payload_json

router = APIRouter(prefix="/dead-letters", tags=["Dead letters"], route_class=ApiRoute)

State = LetterState | None
Code = Annotated[str | None, Query(alias="errorCode", max_length=64)]
Fingerprint = Annotated[str | None, Query(max_length=64)]
PhoneId = Annotated[MetaId | None, Query(alias="phoneNumberId")]
TemplateName = Annotated[str | None, Query(alias="templateName", max_length=512)]


@router.get("")
@needs("dead_letters.view")
def list_letters(
    request: Request,
    state: State = None,
    error_code: Code = None,
    fingerprint: Fingerprint = None,
    phone_number_id: PhoneId = None,
    template_name: TemplateName = None,
    to: Text = None,
    since: Since = None,
    until: Until = None,
    q: Text = None,
    limit: Limit = 50,
    cursor: Text = None,
) -> dict[str, Any]:
    """Dead letters, newest first."""
    check_range(since, until)
    wanted = LetterFilter(state, error_code, fingerprint, phone_number_id, template_name, to, since, until, q)
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = queries.list_letters(unit, wanted, cursor=cursor, limit=limit)
    return {"items": [row_json(row) for row in page.items], "nextCursor": page.next_cursor}


@router.get("/groups")
@needs("dead_letters.view")
def groups(
    request: Request,
    state: State = None,
    error_code: Code = None,
    fingerprint: Fingerprint = None,
    phone_number_id: PhoneId = None,
    template_name: TemplateName = None,
    to: Text = None,
    since: Since = None,
    until: Until = None,
    q: Text = None,
) -> dict[str, Any]:
    """Letters by cause, most first."""
    check_range(since, until)
    wanted = LetterFilter(state, error_code, fingerprint, phone_number_id, template_name, to, since, until, q)
    with runtime_of(request).unit(identity_of(request)) as unit:
        found = queries.letter_groups(unit, wanted)
    return {
        "items": [
            {
                "fingerprint": group.fingerprint,
                "errorCode": group.error_code,
                "title": group.title,
                "count": group.count,
                "firstSeen": moment(group.first_seen),
                "lastSeen": moment(group.last_seen),
                "perHour": group.per_hour,
                "retryable": group.klass in ("retry", "wait"),
                "advice": group.advice,
            }
            for group in found
        ]
    }


@router.get("/{letter_id}")
@needs("dead_letters.view")
def get_letter(request: Request, letter_id: str) -> dict[str, Any]:
    """Payload, error, advice, attempts, notes, actions taken."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        return _detail_json(queries.letter_detail(unit, letter_id))


@router.post("/{letter_id}/redrive", status_code=202)
@needs("dead_letters.redrive")
def redrive(request: Request, letter_id: str, body: RedriveBody | None = None) -> JSONResponse:
    """Back to the queue with a fresh set of attempts; an edited payload is checked first."""
    payload = payload_json(body.payload) if body and body.payload else None
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        letter = commands.redrive(unit, letter_id, payload=payload)
        answer = {"id": letter.id, "messageId": letter.message_id, "state": letter.state.value}
    return JSONResponse(answer, 202)


@router.post("/{letter_id}/discard")
@needs("dead_letters.discard")
def discard(request: Request, letter_id: str, body: ReasonBody) -> dict[str, Any]:
    """Gives a letter up, with a reason; it can be restored within 7 days."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        commands.discard(unit, letter_id, reason=body.reason)
    return get_letter(request, letter_id)


@router.post("/{letter_id}/restore")
@needs("dead_letters.discard")
def restore(request: Request, letter_id: str) -> dict[str, Any]:
    """Undoes a discard."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        commands.restore(unit, letter_id)
    return get_letter(request, letter_id)


@router.patch("/{letter_id}")
@needs("dead_letters.annotate")
def change(request: Request, letter_id: str, body: LetterChangeBody) -> dict[str, Any]:
    """Adds a note, or puts someone in charge."""
    if body.note is None and body.assignee_id is None:
        raise Malformed.field("note", "give a note, or an assigneeId")
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        commands.annotate(unit, letter_id, note=body.note, assignee_id=body.assignee_id)
    return get_letter(request, letter_id)


def row_json(row: LetterRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "messageId": row.message_id,
        "round": row.round,
        "state": row.state,
        "errorCode": row.error_code,
        "title": row.title,
        "advice": row.advice,
        "class": row.klass,
        "fingerprint": row.fingerprint,
        "to": row.to,
        "phoneNumberId": row.phone_number_id,
        "templateName": row.template_name,
        "attempts": row.attempts,
        "mayDuplicate": row.may_duplicate,
        "deadAt": moment(row.dead_at),
        "assigneeId": row.assignee_id,
    }


def _detail_json(detail: LetterDetail) -> dict[str, Any]:
    actions = [
        {
            "at": moment(action.at),
            "actor": action.actor,
            "action": action.verb,
            "text": action.text,
            "payloadBefore": action.payload_before if detail.payload is not None else None,
        }
        for action in detail.actions
    ]
    return {
        **row_json(detail.row),
        "error": detail.row.error_detail,
        "payload": detail.payload,
        "attempts": [attempt_json(attempt) for attempt in detail.attempts],
        "notes": [action for action in actions if action["action"] == "noted"],
        "actions": actions,
    }
