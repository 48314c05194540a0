"""Holds as they come and go with their causes, each with its alert and its audit entry (Q7)."""

from datetime import datetime, timedelta

from sqlmodel import col, select

from core.alerts.commands import raise_alert, resolve_alert
from core.lanes.releases import release_words
from core.unit import Unit
from data.enums import HoldCause, HoldScope, Severity
from data.sending import FailureRun, Hold

ALERT = "lane_held"
PROBE_AFTER_S = (5.0, 10.0, 20.0, 40.0)
PROBE_EVERY_S = 60.0
# Held again for the same cause this soon after a probe found it gone: the probes go on where they were.
SAME_TROUBLE = timedelta(minutes=15)
# What a person or a new token ends is not looked for. Meta down is probed by a message, the rest by reading.
_PROBED = frozenset(HoldCause) - {HoldCause.PERSON, HoldCause.TOKEN}
_TITLES = {
    HoldScope.LANE: "A number sends nothing",
    HoldScope.TEMPLATE: "A template is not sent",
    HoldScope.WORKSPACE: "Nothing is sent",
    HoldScope.EVERYTHING: "Nothing is sent",
}


def probe_after(probes: int) -> timedelta:
    """How long until the next probe, after that many: *5, 10, 20, 40, then 60 s each*."""
    return timedelta(seconds=PROBE_AFTER_S[probes] if probes < len(PROBE_AFTER_S) else PROBE_EVERY_S)


def hold(
    unit: Unit,
    *,
    scope: HoldScope,
    subject: str,
    cause: HoldCause,
    reason: str,
    workspace_id: str | None = None,
    error_code: str | None = None,
    until: datetime | None = None,
) -> None:
    """One hold more, unless the subject is held for that cause already. What no person asked for raises an
    alert and is audited here."""
    if any(active.cause is cause for active in active_holds(unit, scope, subject)):
        return
    probes = _probes_so_far(unit, scope, subject, cause) if cause in _PROBED else 0
    unit.session.add(
        Hold(
            id=unit.new_id("hld"),
            workspace_id=workspace_id,
            scope=scope,
            subject=subject,
            cause=cause,
            error_code=error_code,
            reason=reason,
            held_at=unit.now,
            held_by=unit.actor.id,
            until=until,
            probe_at=unit.now + probe_after(probes) if cause in _PROBED else None,
            probes=probes,
        )
    )
    if cause is HoldCause.PERSON:
        return
    raise_alert(
        unit,
        kind=ALERT,
        subject=subject,
        severity=Severity.CRITICAL,
        title=_TITLES[scope],
        detail=reason,
        workspace_id=workspace_id,
        link="/queue",
    )
    unit.record(
        "lane.held",
        f"{scope}:{subject}",
        after={"cause": cause.value, "code": error_code, "reason": reason},
        workspace_id=workspace_id,
    )


def release(
    unit: Unit,
    *,
    scope: HoldScope,
    subject: str,
    cause: HoldCause | None = None,
    only: Hold | None = None,
) -> list[str]:
    """Ends the active holds of the subject (of one cause, or one alone, if given); returns their causes."""
    released, kept = [], []
    for active in active_holds(unit, scope, subject):
        if (cause is None or active.cause is cause) and (only is None or active.id == only.id):
            active.released_at = unit.now
            active.released_by = unit.actor.id
            unit.session.add(active)
            released.append(active)
        else:
            kept.append(active)
    run = unit.session.get(FailureRun, subject)
    if run is not None and any(one.cause is HoldCause.META for one in released):
        run.held, run.message_ids = False, []
        unit.session.add(run)
    alerted = [one for one in released if one.cause is not HoldCause.PERSON]
    if alerted and all(one.cause is HoldCause.PERSON for one in kept):
        unit.session.flush()
        resolve_alert(
            unit,
            kind=ALERT,
            subject=subject,
            workspace_id=alerted[0].workspace_id,
            outcome=release_words(unit, scope=scope, subject=subject, cause=alerted[-1].cause),
        )
    if alerted and unit.actor.is_process:
        unit.record(
            "lane.released",
            f"{scope}:{subject}",
            before={"holds": [one.cause.value for one in alerted]},
            workspace_id=alerted[0].workspace_id,
        )
    return [one.cause.value for one in released]


def active_holds(unit: Unit, scope: HoldScope, subject: str) -> list[Hold]:
    statement = select(Hold).where(
        col(Hold.scope) == scope, col(Hold.subject) == subject, col(Hold.released_at).is_(None)
    )
    return list(unit.session.exec(statement))


def _probes_so_far(unit: Unit, scope: HoldScope, subject: str, cause: HoldCause) -> int:
    """So that a cause which only looks gone is not asked about every five seconds for ever."""
    latest = unit.session.exec(
        select(Hold)
        .where(
            col(Hold.scope) == scope,
            col(Hold.subject) == subject,
            col(Hold.cause) == cause,
            col(Hold.released_at) > unit.now - SAME_TROUBLE,
        )
        .order_by(col(Hold.released_at).desc())
        .limit(1)
    ).first()
    return latest.probes if latest is not None and (latest.released_by or "").startswith("process:") else 0
