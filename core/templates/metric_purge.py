"""The detail of what became of templates is forgotten when it is old; the totals of each day stay (T5)."""

from collections import defaultdict
from datetime import timedelta

from sqlmodel import col, delete, select

from core.billing.history import zones_of
from core.billing.periods import Zones, day_of
from core.unit import Unit
from data.abuse import RejectedSend, TemplateMetric, TemplateMetricDay
from data.enums import TemplateEvent
from data.people import Workspace

AT_ONCE = 500


def purge(unit: Unit) -> int:
    """Some of the events that are older than ``WAYPOST_RETENTION_DAYS`` are in the totals of their days and
    nowhere else; returns how many. Call until it is 0."""
    before = unit.now - timedelta(days=unit.settings.waypost_retention_days)
    oldest = select(TemplateMetric).where(col(TemplateMetric.at) < before).order_by(col(TemplateMetric.at))
    rows = list(unit.session.exec(oldest.limit(AT_ONCE)))
    zones: dict[str, Zones] = {}
    by_day: dict[tuple[str, str, str], list[TemplateMetric]] = defaultdict(list)
    for row in rows:
        if row.workspace_id not in zones:
            workspace = unit.session.get_one(Workspace, row.workspace_id)
            zones[row.workspace_id] = zones_of(unit, workspace)
        day = day_of(zones[row.workspace_id], row.at).isoformat()
        by_day[row.workspace_id, row.template_id, day].append(row)
    for key, of_day in by_day.items():
        _add(unit, key, of_day)
    for row in rows:
        unit.session.delete(row)
    sends = select(RejectedSend.id).where(col(RejectedSend.at) < before).limit(AT_ONCE)
    forgotten = unit.session.exec(delete(RejectedSend).where(col(RejectedSend.id).in_(sends)))
    return len(rows) + forgotten.rowcount


def _add(unit: Unit, key: tuple[str, str, str], rows: list[TemplateMetric]) -> None:
    """``rows``: of one template on one day, oldest first."""
    workspace_id, template_id, day = key
    newest = rows[-1]
    total = unit.session.get(TemplateMetricDay, key) or TemplateMetricDay(
        workspace_id=workspace_id,
        template_id=template_id,
        day=day,
        last_event=newest.event,
        last_at=newest.at,
    )
    for row in rows:
        if row.counts and row.event is not TemplateEvent.EDITED:
            setattr(total, row.event, getattr(total, row.event) + 1)
    if newest.at >= total.last_at:
        total.last_event, total.last_at = newest.event, newest.at
    unit.session.add(total)
