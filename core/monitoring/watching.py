"""Alerts about what has no process to speak for it: the disk, backups, the queue's storage."""

from core.alerts.commands import raise_alert, resolve_alert
from core.monitoring.parts import UNWELL, Part, quiet_parts
from core.monitoring.rules import Standing
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.enums import Severity

WATCH = Identity(process="health")
_SEVERITIES = {Standing.BAD: Severity.CRITICAL, Standing.WARNING: Severity.WARNING}


def watch(runtime: Runtime) -> str | None:
    """Each of them that is not well is an alert of the installation, until it is."""
    parts = quiet_parts(runtime)
    with runtime.unit(WATCH, write=True) as unit:
        for part in parts:
            _tell(unit, part)
    return ", ".join(part.title for part in parts if part.standing in _SEVERITIES) or None


def _tell(unit: Unit, part: Part) -> None:
    severity = _SEVERITIES.get(part.standing)
    if severity is None:
        resolve_alert(unit, kind=UNWELL, subject=part.key)
        return
    raise_alert(
        unit,
        kind=UNWELL,
        subject=part.key,
        severity=severity,
        title=f"{part.title}: {part.said}",
        detail=part.advice,
        link="/health",
    )
