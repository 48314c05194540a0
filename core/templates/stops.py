"""A template that Meta stops is an alert until it may be sent again, or is no more."""

from core.alerts.commands import raise_alert, resolve_alert
from core.alerts.kinds import kind_of
from core.unit import Unit
from data.enums import Severity
from data.sending import Template

KIND = "template_stopped"
# Meta's word → what it did.
STOPPED = {"REJECTED": "rejected", "PAUSED": "paused", "DISABLED": "disabled"}


def follow(unit: Unit, template: Template, *, before: str, words: str | None = None) -> None:
    """The alert of the template is open or not, as its status asks; told once a change. ``before``: the
    status until now. ``words``: what Meta says of it."""
    if template.status == before:
        return
    subject = f"{template.name} ({template.language})"
    did = STOPPED.get(template.status)
    if did is None:
        if before in STOPPED:
            resolve_alert(unit, kind=KIND, subject=subject, workspace_id=template.workspace_id)
        return
    reason = (template.rejected_reason or "").replace("_", " ").lower()
    raise_alert(
        unit,
        kind=KIND,
        subject=subject,
        severity=Severity.CRITICAL if template.status == "DISABLED" else kind_of(KIND).severity,
        title=f"Meta {did} the template “{template.name}”",
        detail=words or (f"The reason it gives: {reason}." if reason else ""),
        workspace_id=template.workspace_id,
        link=f"/templates/{template.id}",
    )
