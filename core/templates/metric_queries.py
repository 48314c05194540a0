"""How many templates were created, approved, rejected, paused and disabled, by day and by template (T1)."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import col, or_, select

from core.billing import periods
from core.billing.history import zones_of
from core.billing.queries import check_days
from core.templates.standing import Standing, standing_of
from core.unit import Unit
from data.abuse import TemplateMetric, TemplateMetricDay
from data.enums import TemplateEvent
from data.sending import Template

COUNTED = tuple(event for event in TemplateEvent if event is not TemplateEvent.EDITED)
DAYS_BY_DEFAULT = 30
EARLIEST = date(periods.FIRST_YEAR, 1, 1)


@dataclass(slots=True)
class Counts:
    """One number for each event but edits."""

    created: int = 0
    approved: int = 0
    rejected: int = 0
    paused: int = 0
    disabled: int = 0

    def add(self, event: str, count: int = 1) -> None:
        setattr(self, event, getattr(self, event) + count)


@dataclass(frozen=True, slots=True)
class TemplateCounts:
    """``name`` and ``language`` None: we have no copy of it."""

    template_id: str
    name: str | None
    language: str | None
    counts: Counts


@dataclass(frozen=True, slots=True)
class TemplateMetrics:
    """``first`` and ``last`` included. ``by_day`` has every day, ``by_template`` those with an event, most
    rejections first. ``standing``: the workspace's now."""

    first: date
    last: date
    standing: Standing
    totals: Counts = field(default_factory=Counts)
    by_day: dict[date, Counts] = field(default_factory=dict)
    by_template: list[TemplateCounts] = field(default_factory=list)


def template_metrics(unit: Unit, first: date | None = None, last: date | None = None) -> TemplateMetrics:
    """Of the days ``first`` to ``last`` in the workspace's zone; of the last 30 unless said. Malformed for a
    range that is reversed or too long."""
    unit.require("templates.view")
    workspace = unit.workspace()
    last = last or unit.now.astimezone(ZoneInfo(workspace.timezone)).date()
    check_days(first or last, last)
    first = first or max(last - timedelta(days=DAYS_BY_DEFAULT - 1), EARLIEST)
    spans = list(periods.days(zones_of(unit, workspace), first, last))
    found = TemplateMetrics(first, last, standing_of(unit, workspace.id))
    found.by_day.update({day: Counts() for day, _, _ in spans})
    by_template: dict[str, Counts] = {}

    def count(day: date, template_id: str, event: str, number: int) -> None:
        for counts in (found.totals, found.by_day[day], by_template.setdefault(template_id, Counts())):
            counts.add(event, number)

    starts = [start for _, start, _ in spans]
    detail = select(TemplateMetric.at, TemplateMetric.template_id, TemplateMetric.event).where(
        col(TemplateMetric.workspace_id) == workspace.id,
        col(TemplateMetric.at) >= starts[0],
        col(TemplateMetric.at) < spans[-1][2],
        col(TemplateMetric.counts).is_(True),
        col(TemplateMetric.event).in_(COUNTED),
    )
    for at, template_id, event in unit.session.exec(detail):
        count(spans[bisect_right(starts, at) - 1][0], template_id, event, 1)
    purged = unit.scoped(TemplateMetricDay).where(
        col(TemplateMetricDay.day).between(first.isoformat(), last.isoformat())
    )
    for row in unit.session.exec(purged):
        for event in COUNTED:
            count(date.fromisoformat(row.day), row.template_id, event, getattr(row, event))
    names = names_of(unit, workspace.id, by_template)
    for template_id, counts in sorted(
        by_template.items(), key=lambda one: (-one[1].rejected, -one[1].approved, one[0])
    ):
        name, language = names.get(template_id, (None, None))
        found.by_template.append(TemplateCounts(template_id, name, language, counts))
    return found


def names_of(unit: Unit, workspace_id: str, template_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """id, Meta's or ours → name and language, of those that we have a copy of."""
    ids = list(template_ids)
    found = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        statement = select(Template.id, Template.meta_id, Template.name, Template.language).where(
            col(Template.workspace_id) == workspace_id,
            or_(col(Template.meta_id).in_(some), col(Template.id).in_(some)),
        )
        for ours, metas, name, language in unit.session.exec(statement):
            found[ours] = found[metas or ours] = (name, language)
    return found
