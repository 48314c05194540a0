"""``/admin/templates``: what becomes of templates, and which workspaces are flagged for it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, Field, StringConstraints

from core.access import PLATFORM_ADMIN
from core.templates import guard
from core.templates.flags import FlagRow, get_flag, list_flags
from core.templates.metric_queries import Counts, template_metrics
from core.templates.metrics import ID_MAX, REASON_MAX, tell
from core.templates.standing import Standing
from data.enums import AbuseLevel, TemplateEvent
from ui.api.billing import Day
from ui.api.messages import Limit, Text
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import Body, ReasonBody, moment

router = APIRouter(prefix="/admin/templates", tags=["Abuse prevention"], route_class=ApiRoute)
TemplateId = Annotated[str, Path(max_length=ID_MAX)]


class EventBody(Body):
    event: Literal["created", "approved", "rejected"]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=REASON_MAX)] | None = None
    occurred_at: Annotated[AwareDatetime, Field(strict=False)] | None = None


@router.post("/metrics/{template_id}", status_code=201)
@needs("templates.manage")
def tell_event(request: Request, template_id: TemplateId, body: EventBody) -> dict[str, Any]:
    """Tells what became of a template, by Meta's id, known here or not. Told twice it counts once."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        standing = tell(
            unit,
            template_id,
            TemplateEvent(body.event),
            reason=body.reason or None,
            occurred_at=body.occurred_at,
        )
    return {"templateId": template_id, "event": body.event, "workspace": _standing_json(standing)}


@router.get("/metrics")
@needs("templates.view")
def metrics(
    request: Request,
    first: Annotated[Day | None, Query(alias="startDate")] = None,
    last: Annotated[Day | None, Query(alias="endDate")] = None,
) -> dict[str, Any]:
    """What became of the workspace's templates: totals, by day in its time zone, and by template. The last 30
    days unless said; the last day included."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        found = template_metrics(unit, first, last)
    return {
        "startDate": found.first.isoformat(),
        "endDate": found.last.isoformat(),
        "totals": _counts_json(found.totals),
        "byDay": [{"date": day.isoformat(), **_counts_json(one)} for day, one in found.by_day.items()],
        "byTemplate": [
            {
                "templateId": one.template_id,
                "name": one.name,
                "language": one.language,
                **_counts_json(one.counts),
            }
            for one in found.by_template
        ],
        "workspace": _standing_json(found.standing),
    }


@router.get("/flags")
@needs("templates.view")
def flags(request: Request, limit: Limit = 50, cursor: Text = None) -> dict[str, Any]:
    """Flags, newest first: the workspace's, and with a platform key those of every workspace."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = list_flags(unit, cursor=cursor, limit=limit)
    return {"items": [_flag_json(row) for row in page.items], "nextCursor": page.next_cursor}


@router.post("/flags/{flag_id}/clear")
@needs(PLATFORM_ADMIN)
def clear(request: Request, flag_id: str, body: ReasonBody) -> dict[str, Any]:
    """The workspace may create templates again; what came before counts no more. Needs a platform key."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        guard.clear(unit, flag_id, reason=body.reason)
        row = get_flag(unit, flag_id)
    return _flag_json(row)


def _standing_json(standing: Standing) -> dict[str, Any]:
    return {
        "decided24h": standing.tally.decided,
        "rejected24h": standing.tally.rejected,
        "rejectionRate": standing.tally.rate,
        "level": standing.level,
        "reasons": list(standing.reasons),
    }


def _counts_json(counts: Counts) -> dict[str, int]:
    return {
        "created": counts.created,
        "approved": counts.approved,
        "rejected": counts.rejected,
        "paused": counts.paused,
        "disabled": counts.disabled,
    }


def _flag_json(row: FlagRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "workspace": row.workspace,
        "level": AbuseLevel.FLAGGED,
        "reasons": list(row.reasons),
        "openedAt": moment(row.opened_at),
        "clearedAt": moment(row.cleared_at),
        "clearedBy": row.cleared_by,
        "clearedReason": row.cleared_reason,
    }
