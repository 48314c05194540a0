"""``/dead-letters/redrives`` and ``/dead-letters/bulk``: one thing done to many letters."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import Field, StringConstraints

from core.dead_letters import bulk, views
from core.dead_letters.bulk import Order, WorkView
from core.dead_letters.bulk_rules import RATE_MAX
from core.dead_letters.exhausted import Kind, exhausted
from core.dead_letters.filters import filter_json
from core.dead_letters.views import NAME_MAX, ViewRow
from core.errors import Malformed, NotFound
from data.enums import BulkVerb
from ui.api.letter_filters import FilterBody, Id, filter_words
from ui.api.messages import Limit, Text
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import Body, Reason, moment

router = APIRouter(prefix="/dead-letters", tags=["Dead letters"], route_class=ApiRoute)

IDS_MAX = 10_000
Ids = Annotated[list[Id], Field(min_length=1, max_length=IDS_MAX)]
Rate = Annotated[int, Field(ge=1, le=RATE_MAX)]


class RedrivesBody(Body):
    filter: FilterBody | None = None
    ids: Ids | None = None
    rate_per_second: Rate = bulk.RATE_DEFAULT
    canary: Annotated[int, Field(ge=1, le=1000)] | None = None
    include_unknown: bool = False
    reason: Reason | None = None
    confirm: bool = False
    dry_run: bool = False


class BulkBody(Body):
    action: Literal["discard", "restore", "assign", "note"]
    filter: FilterBody | None = None
    ids: Ids | None = None
    reason: Reason | None = None
    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)] | None = (
        None
    )
    assignee_id: Id | None = None
    confirm: bool = False


class ViewBody(Body):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_MAX)]
    filter: FilterBody


class PaceBody(Body):
    rate_per_second: Rate


@router.post("/redrives", status_code=202, responses={200: {"description": "What it would do."}})
@needs("dead_letters.bulk_redrive")
def start_redrive(request: Request, body: RedrivesBody) -> JSONResponse:
    """Sends many letters again, at a pace. With ``dryRun`` it only says what it would do (200)."""
    order = Order(
        verb=BulkVerb.REDRIVE,
        letter_ids=body.ids,
        reason=body.reason,
        rate_per_second=body.rate_per_second,
        canary=body.canary,
        include_unknown=body.include_unknown,
        confirm=body.confirm or body.dry_run,
        **_which(body.filter, body.ids),
    )
    runtime, identity = runtime_of(request), identity_of(request)
    if body.dry_run:
        with runtime.unit(identity) as unit:
            found = bulk.dry_run(unit, order)
        answer = {
            "count": found.count,
            "byErrorCode": found.by_error_code,
            "byClass": found.by_class,
            "skipped": [{"reason": why, "count": count} for why, count in found.skipped.items()],
            "estimatedSeconds": found.estimated_s,
        }
        return JSONResponse(answer, 200)
    with runtime.unit(identity, write=True) as unit:
        work = bulk.start(unit, order)
    return JSONResponse({"id": work.id, "state": work.state.value, "total": work.total}, 202)


@router.get("/redrives")
@needs("dead_letters.view")
def list_redrives(request: Request) -> dict[str, Any]:
    """The newest twenty pieces of bulk work, newest first."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        return {"items": [work_json(view) for view in bulk.recent_work(unit)]}


@router.get("/redrives/{redrive_id}")
@needs("dead_letters.view")
def get_redrive(request: Request, redrive_id: str) -> dict[str, Any]:
    """How far it is, and what came of it."""
    return _shown(request, redrive_id)


@router.patch("/redrives/{redrive_id}")
@needs("dead_letters.bulk_redrive")
def set_pace(request: Request, redrive_id: str, body: PaceBody) -> dict[str, Any]:
    """Another pace, while it runs."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        _is_redrive(redrive_id)
        bulk.set_pace(unit, redrive_id, rate_per_second=body.rate_per_second)
    return _shown(request, redrive_id)


@router.post("/redrives/{redrive_id}/pause")
@needs("dead_letters.bulk_redrive")
def pause_redrive(request: Request, redrive_id: str) -> dict[str, Any]:
    """Nothing more is sent until it is resumed."""
    return _steer(request, redrive_id, "pause")


@router.post("/redrives/{redrive_id}/resume")
@needs("dead_letters.bulk_redrive")
def resume_redrive(request: Request, redrive_id: str) -> dict[str, Any]:
    """Goes on after a pause, or after it stopped itself."""
    return _steer(request, redrive_id, "resume")


@router.post("/redrives/{redrive_id}/cancel")
@needs("dead_letters.bulk_redrive")
def cancel_redrive(request: Request, redrive_id: str) -> dict[str, Any]:
    """Ends it; what was not yet redriven stays open."""
    return _steer(request, redrive_id, "cancel")


@router.post("/bulk", status_code=202)
@needs("dead_letters.bulk_redrive")
def start_bulk(request: Request, body: BulkBody) -> JSONResponse:
    """Discards, restores, assigns or notes many letters."""
    if body.action == "assign" and body.assignee_id is None:
        raise Malformed.field("assigneeId", "is needed to assign")
    if body.action == "note" and body.note is None:
        raise Malformed.field("note", "is needed to note")
    order = Order(
        verb=BulkVerb(body.action),
        letter_ids=body.ids,
        reason=body.note if body.action == "note" else body.reason,
        assignee_id=body.assignee_id if body.action == "assign" else None,
        confirm=body.confirm,
        **_which(body.filter, body.ids),
    )
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        work = bulk.start(unit, order)
    return JSONResponse({"id": work.id, "state": work.state.value, "total": work.total}, 202)


@router.get("/bulk/{bulk_id}")
@needs("dead_letters.view")
def get_bulk(request: Request, bulk_id: str) -> dict[str, Any]:
    """How far it is."""
    return _shown(request, bulk_id, redrive=False)


@router.post("/bulk/{bulk_id}/pause")
@needs("dead_letters.bulk_redrive")
def pause_bulk(request: Request, bulk_id: str) -> dict[str, Any]:
    """Nothing more is changed until it is resumed."""
    return _steer(request, bulk_id, "pause", redrive=False)


@router.post("/bulk/{bulk_id}/resume")
@needs("dead_letters.bulk_redrive")
def resume_bulk(request: Request, bulk_id: str) -> dict[str, Any]:
    """Goes on after a pause."""
    return _steer(request, bulk_id, "resume", redrive=False)


@router.post("/bulk/{bulk_id}/cancel")
@needs("dead_letters.bulk_redrive")
def cancel_bulk(request: Request, bulk_id: str) -> dict[str, Any]:
    """Ends it; what was not yet changed stays as it was."""
    return _steer(request, bulk_id, "cancel", redrive=False)


@router.get("/views")
@needs("dead_letters.view")
def list_views(request: Request) -> dict[str, Any]:
    """One's own saved filters, and those of the team."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        return {"items": [view_json(view) for view in views.list_views(unit)]}


@router.post("/views", status_code=201)
@needs("dead_letters.annotate")
def save_view(request: Request, body: ViewBody) -> dict[str, Any]:
    """Keeps a filter under a name, for the team."""
    runtime, identity = runtime_of(request), identity_of(request)
    with runtime.unit(identity, write=True) as unit:
        kept = views.save_view(unit, name=body.name, wanted=body.filter.read(), is_shared=True)
    with runtime.unit(identity) as unit:
        return next(view_json(one) for one in views.list_views(unit) if one.id == kept.id)


@router.delete("/views/{view_id}", status_code=204)
@needs("dead_letters.view")
def delete_view(request: Request, view_id: str) -> None:
    """Forgets a saved filter."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        views.delete_view(unit, view_id)


@router.get("/exhausted")
@needs("queues.view")
def list_exhausted(
    request: Request,
    kind: Kind | None = None,
    limit: Limit = 50,
    cursor: Text = None,
) -> dict[str, Any]:
    """What ran out of attempts: messages, webhooks, token refreshes and mails, newest first."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        kinds = tuple(Kind) if kind is None else (kind,)
        page = exhausted(unit, kinds=kinds, cursor=cursor, limit=limit)
    return {
        "items": [
            {
                "kind": one.kind,
                "id": one.id,
                "at": moment(one.at),
                "subject": one.subject,
                "error": one.error,
                "errorCode": one.error_code,
                "attempts": one.attempts,
            }
            for one in page.items
        ],
        "nextCursor": page.next_cursor,
    }


def view_json(view: ViewRow) -> dict[str, Any]:
    return {
        "id": view.id,
        "name": view.name,
        "filter": filter_words(filter_json(view.wanted)),
        "shared": view.is_shared,
        "owner": view.owner_name,
        "createdAt": moment(view.created_at),
    }


def work_json(view: WorkView) -> dict[str, Any]:
    """``skipped`` is a count; why is beside it."""
    found: dict[str, Any] = {
        "id": view.id,
        "action": view.verb,
        "state": view.state,
        "total": view.total,
        "done": view.done,
        "skipped": view.skipped_count,
        "skippedReasons": [{"reason": why, "count": count} for why, count in view.skipped.items()],
        "reason": view.reason,
        "cause": view.cause,
        "filter": None if view.is_listed and not view.wanted.get("q") else filter_words(view.wanted),
        "startedBy": view.started_by_name,
        "startedAt": moment(view.started_at),
        "finishedAt": moment(view.finished_at),
    }
    if view.verb is BulkVerb.REDRIVE:
        found |= {
            "delivered": view.delivered,
            "failedAgain": view.failed_again,
            "retrying": view.retrying,
            "ratePerSecond": view.rate_per_second,
            "canary": view.canary,
            "waitsForCanary": view.waits_for_canary,
            "includeUnknown": view.include_unknown,
        }
    if view.verb is BulkVerb.ASSIGN:
        found["assigneeId"] = view.assignee_id
    return found


def _which(wanted: FilterBody | None, ids: list[str] | None) -> dict[str, Any]:
    if wanted is not None and ids is not None:
        raise Malformed.field("ids", "give either a filter or ids")
    if wanted is None and ids is None:
        raise Malformed.field("filter", "give a filter, or ids")
    return {"wanted": wanted.read()} if wanted is not None else {}


def _steer(
    request: Request, work_id: str, how: Literal["pause", "resume", "cancel"], *, redrive: bool = True
) -> dict[str, Any]:
    act = {"pause": bulk.pause, "resume": bulk.resume, "cancel": bulk.cancel}[how]
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        _is_redrive(work_id, redrive=redrive)
        act(unit, work_id)
    return _shown(request, work_id, redrive=redrive)


def _shown(request: Request, work_id: str, *, redrive: bool = True) -> dict[str, Any]:
    with runtime_of(request).unit(identity_of(request)) as unit:
        _is_redrive(work_id, redrive=redrive)
        return work_json(bulk.work_view(unit, work_id))


def _is_redrive(work_id: str, *, redrive: bool = True) -> None:
    if work_id.startswith("rdv_") is not redrive:
        raise NotFound.of("redrive" if redrive else "bulk work")
