"""``/alerts``: what a person must see, and who takes care of it."""

from typing import Any

from fastapi import APIRouter, Request

from core.alerts import commands, queries
from core.alerts.queries import AlertFilter, AlertRow
from data.enums import AlertState
from ui.api.messages import Limit, Text
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import moment

router = APIRouter(prefix="/alerts", tags=["Alerts"], route_class=ApiRoute)


@router.get("")
@needs("alerts.view")
def list_alerts(
    request: Request, state: AlertState | None = None, limit: Limit = 50, cursor: Text = None
) -> dict[str, Any]:
    """Alerts, newest first: the workspace's, and with a platform key the installation's."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = queries.list_alerts(unit, AlertFilter(state=state), cursor=cursor, limit=limit)
    return {"items": [_row_json(row) for row in page.items], "nextCursor": page.next_cursor}


@router.post("/{alert_id}/acknowledge")
@needs("alerts.acknowledge")
def acknowledge(request: Request, alert_id: str) -> dict[str, Any]:
    """Says that somebody takes care. The alert stays open until what it is about has ended."""
    with runtime_of(request).unit(identity_of(request), write=True) as unit:
        commands.acknowledge(unit, alert_id)
        row = queries.get_alert(unit, alert_id)
    return {
        **_row_json(row),
        "acknowledgedAt": moment(row.acknowledged_at),
        "acknowledgedBy": row.acknowledged_by,
    }


def _row_json(row: AlertRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "severity": row.severity,
        "title": row.title,
        "subject": row.subject,
        "openedAt": moment(row.opened_at),
        "resolvedAt": moment(row.resolved_at),
    }
