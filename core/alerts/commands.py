"""Raising, resolving and acknowledging alerts (A1); channels are told of each change (A3)."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, update

from core.alerts.announcing import announce
from core.alerts.kinds import kind_of
from core.alerts.notice_rules import RANK
from core.alerts.queries import find
from core.errors import Conflict
from core.unit import Unit
from data.alerts import Alert
from data.enums import AlertEvent, Severity

TITLE_MAX = 200
DETAIL_MAX = 2000
_SAID_ANEW = ("severity", "title", "detail", "link", "last_seen_at")


def raise_alert(
    unit: Unit,
    *,
    kind: str,
    subject: str,
    severity: Severity | None = None,
    title: str = "",
    detail: str = "",
    workspace_id: str | None = None,
    link: str = "",
    escalates: bool = False,
) -> Alert:
    """There is one open alert of that kind about that subject, and it says this.

    Raised three times for lane 106…, it is one row with ``times`` 3 that opened with the first and says what
    the third did; also when two processes raise it at once. ``workspace_id`` None: the installation's.
    ``severity`` and ``title`` are those of the kind unless said. ``link`` is a path of ours.

    Channels are told when it opens, when it becomes more severe, and when it
    ``escalates``: it is as severe as before, and more urgent.
    """
    usual = kind_of(kind)
    severity, title = severity or usual.severity, title or usual.title
    if link and (not link.startswith("/") or link.startswith("//")):
        raise ValueError(f"an alert links to a path of ours, not to {link}")
    statement: sqlite.Insert | postgresql.Insert
    if unit.session.get_bind().dialect.name == "sqlite":
        statement = sqlite.insert(Alert)
    else:
        statement = postgresql.insert(Alert)
    statement = statement.values(
        id=unit.new_id("alr"),
        workspace_id=workspace_id,
        kind=kind,
        subject=subject,
        open_key=_open_key(workspace_id, kind, subject),
        severity=severity,
        title=title[:TITLE_MAX],
        detail=detail[:DETAIL_MAX],
        link=link,
        times=1,
        opened_at=unit.now,
        last_seen_at=unit.now,
    )
    again: dict[str, Any] = {name: statement.excluded[name] for name in _SAID_ANEW}
    upsert = statement.on_conflict_do_update(
        index_elements=["open_key"], set_={**again, "times": col(Alert.times) + 1}
    ).returning(Alert)
    alert = unit.session.scalars(upsert, execution_options={"populate_existing": True}).one()
    if alert.told_severity is None:
        _tell(unit, alert, AlertEvent.OPENED)
    elif escalates or RANK[alert.severity] > RANK[alert.told_severity]:
        _tell(unit, alert, AlertEvent.ESCALATED)
    return alert


def resolve_alert(
    unit: Unit, *, kind: str, subject: str, workspace_id: str | None = None, outcome: str | None = None
) -> bool:
    """Nothing of that kind about that subject is open; whether anything was. ``outcome``: a sentence on what
    its end let go, such as *812 messages were released.*"""
    kind_of(kind)
    ended = (
        update(Alert)
        .where(col(Alert.open_key) == _open_key(workspace_id, kind, subject))
        .values(open_key=None, resolved_at=unit.now, outcome=outcome)
        .returning(Alert)
    )
    alert = unit.session.scalars(ended, execution_options={"populate_existing": True}).first()
    if alert is not None:
        announce(unit, alert, AlertEvent.RESOLVED)
    return alert is not None


def acknowledge(unit: Unit, alert_id: str) -> None:
    """Somebody has seen it and takes care; the first who says so is named. It stays open until what it is
    about has ended. Conflict ``alert_resolved`` when it has."""
    alert = find(unit, alert_id, permission="alerts.acknowledge", lock=True)
    if alert.resolved_at is not None:
        raise Conflict(
            "This alert is resolved already. There is nothing to take care of.", code="alert_resolved"
        )
    if alert.acknowledged_at is not None:
        return
    alert.acknowledged_at = unit.now
    alert.acknowledged_by = unit.actor.id
    unit.session.add(alert)
    unit.record(
        "alert.acknowledged",
        f"alert:{alert.id}",
        after={"kind": alert.kind, "subject": alert.subject},
        workspace_id=alert.workspace_id,
    )


def _tell(unit: Unit, alert: Alert, event: AlertEvent) -> None:
    alert.told_severity = alert.severity
    unit.session.add(alert)
    announce(unit, alert, event)


def _open_key(workspace_id: str | None, kind: str, subject: str) -> str:
    return f"{workspace_id or ''}:{kind}:{subject}"
