"""Alerts as people see them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from core import access
from core.alerts.kinds import kind_of
from core.errors import Malformed, NotFound
from core.unit import Unit
from data.alerts import Alert
from data.enums import AlertState, Severity
from data.people import ApiKey, User

NEWEST = 5


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """What a list of alerts is narrowed to; None does not narrow."""

    state: AlertState | None = None
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert, with what it means and what may be done about it. ``times``: how often it was raised since
    it opened. ``outcome``: what its end let go. ``is_of_platform``: it concerns the installation, not one
    workspace. ``acknowledged_by``: a name, or None while nobody has."""

    id: str
    kind: str
    severity: Severity
    title: str
    subject: str
    detail: str
    meaning: str
    advice: str
    ends: str
    link: str
    times: int
    opened_at: datetime
    last_seen_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    outcome: str | None
    is_of_platform: bool
    can_acknowledge: bool


@dataclass(frozen=True, slots=True)
class NewestAlert:
    """A line of the bell's menu. ``about``: what it says in detail, or what it is about."""

    id: str
    severity: Severity
    title: str
    about: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class AlertPage:
    items: list[AlertRow]
    next_cursor: str | None


def list_alerts(unit: Unit, wanted: AlertFilter, *, cursor: str | None = None, limit: int = 50) -> AlertPage:
    """Newest first: those of the workspace, and to platform admins also those of the installation."""
    if cursor is not None and not cursor.startswith("alr_"):
        raise Malformed.field("cursor", "must be the nextCursor of an earlier answer")
    found: list[Alert] = []
    for place in in_sight(unit, "alerts.view"):  # one query for each, so that each walks its index
        statement = _narrow(select(Alert).where(_is_at(place)), wanted)
        if cursor is not None:
            statement = statement.where(col(Alert.id) < cursor)
        found += unit.session.exec(statement.order_by(col(Alert.id).desc()).limit(limit + 1))
    found.sort(key=lambda alert: alert.id, reverse=True)
    names = _names(unit, found[:limit])
    rows = [_row(unit, alert, names) for alert in found[:limit]]
    return AlertPage(rows, found[limit - 1].id if len(found) > limit else None)


def get_alert(unit: Unit, alert_id: str) -> AlertRow:
    """NotFound when it is another workspace's."""
    alert = find(unit, alert_id, permission="alerts.view")
    return _row(unit, alert, _names(unit, [alert]))


def count_open(unit: Unit) -> int:
    """How many alerts are open in the actor's sight: the bell's number."""
    return sum(
        unit.session.exec(
            select(func.count()).select_from(Alert).where(_is_at(place), col(Alert.resolved_at).is_(None))
        ).one()
        for place in in_sight(unit, "alerts.view")
    )


def newest_open(unit: Unit) -> tuple[NewestAlert, ...]:
    """The five newest open ones in the actor's sight."""
    found: list[Alert] = []
    for place in in_sight(unit, "alerts.view"):
        statement = _narrow(select(Alert).where(_is_at(place)), AlertFilter(AlertState.OPEN))
        found += unit.session.exec(statement.order_by(col(Alert.id).desc()).limit(NEWEST))
    found.sort(key=lambda alert: alert.id, reverse=True)
    return tuple(
        NewestAlert(one.id, one.severity, one.title, one.detail or one.subject, one.opened_at)
        for one in found[:NEWEST]
    )


def find(unit: Unit, alert_id: str, *, permission: str, lock: bool = False) -> Alert:
    """The alert, if the actor has that permission where it is. NotFound covers other workspaces' too (P5)."""
    places = in_sight(unit, permission)
    statement = select(Alert).where(col(Alert.id) == alert_id)
    alert = unit.session.exec(statement.with_for_update() if lock else statement).first()
    if alert is None or alert.workspace_id not in places:
        raise NotFound.of("alert")
    return alert


def in_sight(unit: Unit, permission: str) -> list[str | None]:
    """Whose alerts the actor has that permission for: the workspace's own, and None, the installation's, for
    platform admins. A platform key belongs to no workspace and has the latter alone."""
    places: list[str | None] = []
    if unit.actor.workspace_id is not None and unit.actor.can(permission):
        places.append(unit.actor.workspace_id)
    if unit.actor.can(access.PLATFORM_ADMIN):
        places.append(None)
    if not places:
        unit.require(permission)
    return places


def _is_at(place: str | None) -> ColumnElement[bool]:
    return col(Alert.workspace_id).is_(None) if place is None else col(Alert.workspace_id) == place


def _narrow(statement: SelectOfScalar[Alert], wanted: AlertFilter) -> SelectOfScalar[Alert]:
    if wanted.state is AlertState.OPEN:
        statement = statement.where(col(Alert.resolved_at).is_(None))
    if wanted.state is AlertState.RESOLVED:
        statement = statement.where(col(Alert.resolved_at).is_not(None))
    if wanted.severity is not None:
        statement = statement.where(col(Alert.severity) == wanted.severity)
    return statement


def _names(unit: Unit, alerts: list[Alert]) -> dict[str, str]:
    """actor → name, of the people and keys that acknowledged these."""
    actors = {alert.acknowledged_by for alert in alerts if alert.acknowledged_by}
    names: dict[str, str] = {}
    for model in (User, ApiKey) if actors else ():
        found = select(col(model.id), col(model.name)).where(col(model.id).in_(actors))
        names.update(dict(unit.session.exec(found).all()))
    return names


def _row(unit: Unit, alert: Alert, names: dict[str, str]) -> AlertRow:
    kind = kind_of(alert.kind)
    is_of_platform = alert.workspace_id is None
    by = alert.acknowledged_by
    return AlertRow(
        id=alert.id,
        kind=alert.kind,
        severity=alert.severity,
        title=alert.title,
        subject=alert.subject,
        detail=alert.detail,
        meaning=kind.meaning,
        advice=kind.advice,
        ends=kind.ends,
        link=alert.link,
        times=alert.times,
        opened_at=alert.opened_at,
        last_seen_at=alert.last_seen_at,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=names.get(by, by) if by else None,
        resolved_at=alert.resolved_at,
        outcome=alert.outcome,
        is_of_platform=is_of_platform,
        can_acknowledge=alert.resolved_at is None
        and alert.acknowledged_at is None
        and unit.actor.can(access.PLATFORM_ADMIN if is_of_platform else "alerts.acknowledge"),
    )
