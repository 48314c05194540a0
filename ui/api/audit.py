"""``/admin/audit``: who did what, and whether the log is whole."""

from typing import Any

from fastapi import APIRouter, Request

from core.audit_log import queries
from core.audit_log.queries import AuditFilter, EntryRow
from ui.api.messages import Limit, Since, Text, Until, check_range
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import moment

router = APIRouter(prefix="/admin/audit", tags=["Audit"], route_class=ApiRoute)


@router.get("")
@needs("audit.view")
def list_entries(
    request: Request,
    actor: Text = None,
    action: Text = None,
    target: Text = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Text = None,
) -> dict[str, Any]:
    """The workspace's entries, newest first."""
    check_range(since, until)
    wanted = AuditFilter(actor, action, target, since, until)
    with runtime_of(request).unit(identity_of(request)) as unit:
        page = queries.list_entries(unit, wanted, cursor=cursor, limit=limit)
    return {"items": [entry_json(row) for row in page.items], "nextCursor": page.next_cursor}


@router.get("/verify")
@needs("audit.view")
def verify(request: Request) -> dict[str, Any]:
    """Recomputes the chain of all entries. ``firstBroken``: the first that is missing or was changed."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        verdict = queries.verify(unit)
    return {"whole": verdict.whole, "entries": verdict.entries, "firstBroken": verdict.first_broken}


def entry_json(row: EntryRow) -> dict[str, Any]:
    return {
        "id": str(row.number),
        "at": moment(row.at),
        "actor": row.actor,
        "action": row.action,
        "target": row.target,
        "before": row.before,
        "after": row.after,
    }
