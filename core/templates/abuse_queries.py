"""Workspaces by how much Meta rejects of their templates, for people of the platform (P8)."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from sqlalchemy import literal
from sqlmodel import col, func, select

from core import access
from core.errors import NotFound
from core.templates.abuse import TRIED, WINDOW, Tally, Thresholds, course, judge
from core.templates.flags import FlagRow, list_flags
from core.templates.metric_queries import names_of
from core.templates.standing import DECISIONS, Standing, happenings, standing_of
from core.unit import Unit
from data.abuse import AbuseFlag, AbuseStanding, RejectedSend, TemplateMetric
from data.columns import EPOCH, Instant
from data.enums import AbuseLevel, ChangeSource, TemplateEvent
from data.people import Workspace

AT_MOST = 200
EVENTS_SHOWN = 100
_RISK = {AbuseLevel.FLAGGED: 2, AbuseLevel.WARNING: 1, AbuseLevel.OK: 0}


@dataclass(frozen=True, slots=True)
class RiskRow:
    """``flagged_at`` None: it is not flagged."""

    workspace_id: str
    slug: str
    name: str
    level: AbuseLevel
    reasons: tuple[str, ...]
    tally: Tally
    flagged_at: datetime | None


@dataclass(frozen=True, slots=True)
class Point:
    """From ``at`` on, until the next one."""

    at: datetime
    tally: Tally


@dataclass(frozen=True, slots=True)
class EventRow:
    """``what``: an event of a template, or ``tried``. ``counts``: not only told again."""

    id: str
    what: str
    template_id: str
    name: str | None
    language: str | None
    reason: str | None
    at: datetime
    source: ChangeSource | None
    counts: bool


@dataclass(frozen=True, slots=True)
class Risk:
    """One workspace. ``line``: how its windows went in the last 24 hours, oldest first, up to now. ``events``
    of 48 hours, newest first, ``is_whole`` if that is all of them; ``flags`` newest first."""

    slug: str
    name: str
    standing: Standing
    line: tuple[Point, ...]
    events: tuple[EventRow, ...]
    is_whole: bool
    flags: tuple[FlagRow, ...]


def house_rules(unit: Unit) -> Thresholds:
    unit.require(access.PLATFORM_SUPPORT)
    return Thresholds.of(unit.settings)


def own_standing(unit: Unit) -> Standing:
    """Where the actor's workspace stands."""
    unit.require("templates.view")
    return standing_of(unit, unit.workspace_id)


def risks(unit: Unit) -> list[RiskRow]:
    """Flagged workspaces, then the others by rate, of all that are flagged or had a verdict or a try within
    24 hours; at most ``AT_MOST``."""
    unit.require(access.PLATFORM_SUPPORT)
    tallies = _tallies(unit)
    flags = {
        flag.workspace_id: flag
        for flag in unit.session.exec(select(AbuseFlag).where(col(AbuseFlag.cleared_at).is_(None)))
    }
    found = []
    ids = list({*tallies, *flags})
    thresholds = Thresholds.of(unit.settings)
    for start in range(0, len(ids), 500):
        some = select(Workspace).where(col(Workspace.id).in_(ids[start : start + 500]))
        for workspace in unit.session.exec(some):
            tally = tallies.get(workspace.id, Tally())
            judged = judge(tally, thresholds)
            flag = flags.get(workspace.id)
            found.append(
                RiskRow(
                    workspace_id=workspace.id,
                    slug=workspace.slug,
                    name=workspace.name,
                    level=AbuseLevel.FLAGGED if flag is not None else judged.level,
                    reasons=tuple(flag.reasons) if flag is not None else judged.reasons,
                    tally=tally,
                    flagged_at=flag.opened_at if flag is not None else None,
                )
            )
    found.sort(key=lambda row: (-_RISK[row.level], -row.tally.rate, -row.tally.rejected, row.slug))
    return found[:AT_MOST]


def risk_of(unit: Unit, workspace_id: str) -> Risk:
    unit.require(access.PLATFORM_SUPPORT)
    workspace = unit.session.get(Workspace, workspace_id)
    if workspace is None:
        raise NotFound("There is no such workspace.")
    flags = list_flags(unit, workspace_id=workspace_id).items
    events = _events(unit, workspace_id, after=unit.now - 2 * WINDOW)
    return Risk(
        slug=workspace.slug,
        name=workspace.name,
        standing=standing_of(unit, workspace_id),
        line=tuple(_line(unit, workspace_id, [flag.cleared_at for flag in flags if flag.cleared_at])),
        events=tuple(events[:EVENTS_SHOWN]),
        is_whole=len(events) <= EVENTS_SHOWN,
        flags=tuple(flags),
    )


def _line(unit: Unit, workspace_id: str, cleared: list[datetime]) -> list[Point]:
    """The windows as they were judged: anew from each moment at which a flag was cleared."""
    since = unit.now - WINDOW
    weighing = happenings(unit, workspace_id, after=since - WINDOW)
    points: list[Point] = []
    starts = sorted(cleared)
    for counts_from, until in pairwise([None, *starts, unit.now]):
        if until is None or until <= since:
            continue
        begins = since if counts_from is None else max(since, counts_from)
        points += [
            Point(at, tally)
            for at, tally in course(weighing, since=begins, until=until, counts_from=counts_from)
            if at < until
        ]
    last = starts[-1] if starts else None
    [(now, tally)] = course(weighing, since=unit.now, until=unit.now, counts_from=last)
    return [*points, Point(now, tally)]


def _tallies(unit: Unit) -> dict[str, Tally]:
    """workspace → what its window holds, of those where it holds anything."""
    since = unit.now - WINDOW
    counts: dict[str, dict[str, int]] = {}
    # Grouped by the standings', or SQLite walks every event there ever was in the order of the groups.
    owner = col(AbuseStanding.workspace_id)
    start = func.coalesce(col(AbuseStanding.counts_from), literal(EPOCH, Instant()))
    decided = (
        select(owner, TemplateMetric.event, func.count())
        .join(TemplateMetric, col(TemplateMetric.workspace_id) == owner)
        .where(
            col(TemplateMetric.at) > since,
            col(TemplateMetric.at) > start,
            col(TemplateMetric.counts).is_(True),
            col(TemplateMetric.event).in_(DECISIONS),
        )
        .group_by(owner, col(TemplateMetric.event))
    )
    for workspace_id, event, number in unit.session.exec(decided):
        counts.setdefault(workspace_id, {})[str(event)] = number
    tried = (
        select(owner, func.count())
        .join(RejectedSend, col(RejectedSend.workspace_id) == owner)
        .where(col(RejectedSend.at) > since, col(RejectedSend.at) > start)
        .group_by(owner)
    )
    for workspace_id, number in unit.session.exec(tried):
        counts.setdefault(workspace_id, {})[TRIED] = number
    return {workspace_id: Tally(**found) for workspace_id, found in counts.items()}


def _events(unit: Unit, workspace_id: str, *, after: datetime) -> list[EventRow]:
    """Newest first, at most one more than are shown."""
    of_templates = select(TemplateMetric).where(
        col(TemplateMetric.workspace_id) == workspace_id,
        col(TemplateMetric.at) > after,
        col(TemplateMetric.event) != TemplateEvent.EDITED,
    )
    metrics = unit.session.exec(of_templates.order_by(col(TemplateMetric.at).desc()).limit(EVENTS_SHOWN + 1))
    tries = (
        select(RejectedSend)
        .where(col(RejectedSend.workspace_id) == workspace_id, col(RejectedSend.at) > after)
        .order_by(col(RejectedSend.at).desc())
        .limit(EVENTS_SHOWN + 1)
    )
    rows = [
        (one.id, one.event.value, one.template_id, one.reason, one.at, one.source, one.counts)
        for one in metrics
    ]
    found: list[EventRow] = []
    tried = [(one.id, TRIED, one.template_id, None, one.at, None, True) for one in unit.session.exec(tries)]
    names = names_of(unit, workspace_id, {one[2] for one in [*rows, *tried]})
    for row_id, what, template_id, reason, at, source, counts in [*rows, *tried]:
        name, language = names.get(template_id, (None, None))
        found.append(EventRow(row_id, what, template_id, name, language, reason, at, source, counts))
    found.sort(key=lambda one: (one.at, one.id), reverse=True)
    return found[: EVENTS_SHOWN + 1]
