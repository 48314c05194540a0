"""Taking the log out."""

from typing import Any

from core.audit_log.queries import AuditFilter
from core.unit import Unit


def record_export(unit: Unit, wanted: AuditFilter, *, form: str) -> AuditFilter:
    """That the log was taken out stands in it. Returns the same filter, ended at this moment: what is written
    while the file is read is not in it, its own entry included."""
    unit.require("audit.export")
    asked: dict[str, Any] = {
        "actor": wanted.actor,
        "action": wanted.action,
        "target": wanted.target,
        "since": wanted.since.isoformat() if wanted.since else None,
        "until": wanted.until.isoformat() if wanted.until else None,
    }
    narrowed = {name: value for name, value in asked.items() if value is not None}
    unit.record("audit.exported", f"workspace:{unit.workspace_id}", after={"form": form, **narrowed})
    until = min(wanted.until, unit.now) if wanted.until is not None else unit.now
    return AuditFilter(wanted.actor, wanted.action, wanted.target, wanted.since, until)
