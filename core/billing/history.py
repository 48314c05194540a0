"""Which plan and which time zone a workspace had, and when."""

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session, col, func, select

from core.billing import periods
from core.billing.periods import Period, Zones, newest
from core.billing.rules import Term, clip
from core.unit import Unit
from data.billing import Conversation, PlanChange, ZoneChange
from data.columns import EPOCH
from data.enums import PlanName
from data.people import Workspace
from data.sending import Plan

_EVER = datetime.max.replace(tzinfo=EPOCH.tzinfo)


def zones_of(unit: Unit, workspace: Workspace) -> Zones:
    """The zones of the workspace's months, the one that is to come included."""
    statement = select(ZoneChange).where(col(ZoneChange.workspace_id) == workspace.id)
    rows = unit.session.exec(statement.order_by(col(ZoneChange.at)))
    changes = [(row.at, row.old, row.new) for row in rows]
    if workspace.pending_timezone is not None and workspace.pending_timezone_from is not None:
        changes.append((workspace.pending_timezone_from, workspace.timezone, workspace.pending_timezone))
    return newest(changes, workspace.timezone)


def months_of(unit: Unit, workspace: Workspace, zones: Zones) -> Iterator[Period]:
    """From the month the workspace began, or its first conversation if that is earlier, to the present."""
    first = select(func.min(Conversation.opened_at)).where(col(Conversation.workspace_id) == workspace.id)
    opened = unit.session.exec(first).one()
    period = periods.period_of(zones, min(workspace.created_at, opened or workspace.created_at))
    while period.start <= unit.now:
        yield period
        period = periods.following(zones, period)


def terms_of(unit: Unit, workspace: Workspace, start: datetime, end: datetime) -> list[Term]:
    """The plans in force over ``[start, end)``, oldest first, without a gap. What a workspace began with it
    had all along."""
    statement = select(PlanChange).where(col(PlanChange.workspace_id) == workspace.id)
    changes = unit.session.exec(statement.order_by(col(PlanChange.at), col(PlanChange.id))).all()
    had = changes[0].old if changes else workspace.plan
    since = EPOCH
    spans: list[tuple[PlanName, datetime, datetime]] = []
    for change in changes:
        spans.append((had, since, change.at))
        had, since = change.new, change.at
    spans.append((had, since, _EVER))
    versions = _versions(unit.session)
    terms = [term for plan, since, until in spans for term in clip(versions[plan], since, until)]
    return clip(terms, start, end)


def terms_by_plan(unit: Unit, start: datetime, end: datetime) -> dict[PlanName, list[Term]]:
    """Each plan → its versions in force over ``[start, end)``, had the workspace been on it."""
    return {plan: clip(terms, start, end) for plan, terms in _versions(unit.session).items()}


def terms_under(unit: Unit, plan: PlanName, start: datetime, end: datetime) -> list[Term]:
    """The same, had the workspace been on ``plan``."""
    return terms_by_plan(unit, start, end)[plan]


def _versions(session: Session) -> dict[PlanName, list[Term]]:
    """plan → its versions as terms, oldest first."""
    found: dict[PlanName, list[Plan]] = {}
    for plan in session.exec(select(Plan).order_by(col(Plan.valid_from), col(Plan.version))):
        found.setdefault(plan.name, []).append(plan)
    return {
        name: [
            Term(
                plan=name,
                version=plan.version,
                included=plan.included_conversations,
                overage_micros=plan.overage_micros,
                start=plan.valid_from,
                end=following.valid_from if following is not None else _EVER,
            )
            for plan, following in zip(versions, [*versions[1:], None], strict=True)
        ]
        for name, versions in found.items()
    }
