"""``/dead-letters``: messages out of attempts, and what to do about each."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from core.dead_letters import commands, lists
from core.dead_letters.detail import LetterDetail, letter_detail
from core.dead_letters.groups import letter_groups
from core.dead_letters.lists import LetterSort
from core.errors import Malformed
from ui.api.letter_filters import Asked
from ui.api.messages import Limit, Text, attempt_json
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import LetterChangeBody, ReasonBody, RedriveBody, letter_json, moment, payload_json
from ui.letter_file import letter_file
from ui.streamed import Streamed

router = APIRouter(prefix="/dead-letters", tags=["Dead letters"], route_class=ApiRoute)


@router.get("")
@needs("dead_letters.view")
def list_letters(
    request: Request,
    wanted: Asked,
    sort: LetterSort = LetterSort.NEWEST,
    limit: Limit = 50,
    cursor: Text = None,
) -> dict[str, Any]:
    """Dead letters, newest first unless ``sort`` says otherwise."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = lists.list_letters(unit, wanted, cursor=cursor, limit=limit, sort=sort)
    return {"items": [letter_json(row) for row in page.items], "nextCursor": page.next_cursor}


@router.get("/groups")
@needs("dead_letters.view")
def groups(request: Request, wanted: Asked) -> dict[str, Any]:
    """Letters by cause, most first."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        found = letter_groups(unit, wanted)
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


@router.get("/export", responses={200: {"content": {"text/csv": {}, "application/jsonl": {}}}})
@needs("dead_letters.export")
def export(
    request: Request, wanted: Asked, form: Annotated[Literal["csv", "json"], Query(alias="format")] = "csv"
) -> Streamed:
    """All that match as a file; ``json`` is one object a line."""
    return letter_file(runtime_of(request), identity_of(request), wanted, form)


@router.get("/{letter_id}")
@needs("dead_letters.view")
def get_letter(request: Request, letter_id: str) -> dict[str, Any]:
    """Payload, error, advice, attempts, notes, actions taken."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        return _detail_json(letter_detail(unit, letter_id))


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
        **letter_json(detail.row),
        "sameErrorOpen": detail.same_error_open,
        "error": detail.row.error_detail,
        "closedAt": moment(detail.row.closed_at),
        "closedReason": detail.row.closed_reason,
        "bulkId": detail.row.bulk_id,
        "payload": detail.payload,
        "attempts": [attempt_json(attempt) for attempt in detail.attempts],
        "notes": [action for action in actions if action["action"] == "noted"],
        "actions": actions,
    }
