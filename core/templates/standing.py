"""Where a workspace stands, kept as time and events pass: up by what is rejected, down by time or by hand."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select

from core.runtime import Runtime
from core.templates import telling
from core.templates.abuse import TRIED, WINDOW, Happening, Tally, Thresholds, course, judge
from core.unit import Identity, Unit
from data.abuse import AbuseFlag, AbuseStanding, RejectedSend, TemplateMetric
from data.columns import EPOCH
from data.enums import AbuseLevel, TemplateEvent

GUARD = Identity(process="template guard")
AT_ONCE = 200
DECISIONS = (TemplateEvent.APPROVED, TemplateEvent.REJECTED)
_RANK = {AbuseLevel.OK: 0, AbuseLevel.WARNING: 1, AbuseLevel.FLAGGED: 2}


@dataclass(frozen=True, slots=True)
class Standing:
    """``tally``: what the last 24 hours hold, since a flag was cleared last. Of a flagged workspace
    ``reasons`` are those it was flagged for, in ``flag_id``, since when the window may have emptied."""

    level: AbuseLevel
    reasons: tuple[str, ...]
    tally: Tally
    since: datetime | None = None
    flag_id: str | None = None


def standing_of(unit: Unit, workspace_id: str) -> Standing:
    """As it is at this moment, whether or not anyone has judged since it changed. Writes nothing."""
    row = unit.session.get(AbuseStanding, workspace_id)
    flag = open_flag(unit, workspace_id)
    if row is None:
        return Standing(AbuseLevel.OK, (), Tally())
    found = _judge(unit, row, _weighing(unit, row))
    if flag is not None:
        return Standing(AbuseLevel.FLAGGED, tuple(flag.reasons), found.tally, flag.opened_at, flag.id)
    since = row.since if row.level is found.level else found.since
    return replace(found, since=since)


def open_flag(unit: Unit, workspace_id: str, *, lock: bool = False) -> AbuseFlag | None:
    statement = select(AbuseFlag).where(
        col(AbuseFlag.workspace_id) == workspace_id, col(AbuseFlag.cleared_at).is_(None)
    )
    return unit.session.exec(statement.with_for_update() if lock else statement).first()


def lock_standing(unit: Unit, workspace_id: str) -> AbuseStanding:
    """The workspace's row, held until the end of this transaction: who adds events or clears flags takes
    turns here, so that a flag opens once."""
    unit.session.flush()  # what was not written yet would be read over
    statement: sqlite.Insert | postgresql.Insert
    if unit.session.get_bind().dialect.name == "sqlite":
        statement = sqlite.insert(AbuseStanding)
    else:
        statement = postgresql.insert(AbuseStanding)
    fresh = {
        "workspace_id": workspace_id,
        "level": AbuseLevel.OK,
        "reasons": [],
        "since": unit.now,
        "judged_at": unit.now,
    }
    unit.session.execute(statement.values(fresh).on_conflict_do_nothing(index_elements=["workspace_id"]))
    mine = select(AbuseStanding).where(col(AbuseStanding.workspace_id) == workspace_id)
    return unit.session.exec(mine.with_for_update(), execution_options={"populate_existing": True}).one()


def keep(unit: Unit, row: AbuseStanding) -> Standing:
    """The row says what is so at this moment. A level further up, also one that was reached and left since it
    was judged last and flags, is told once; further down, its alert ends. ``row`` is locked."""
    unit.session.flush()
    flag = open_flag(unit, row.workspace_id)
    weighing = _weighing(unit, row)
    found = _judge(unit, row, weighing)
    row.judged_at = unit.now
    row.due_at = _due(unit, row, weighing)
    unit.session.add(row)
    if flag is not None:
        return Standing(AbuseLevel.FLAGGED, tuple(flag.reasons), found.tally, flag.opened_at, flag.id)
    if found.level is AbuseLevel.FLAGGED:
        flag = AbuseFlag(
            id=unit.new_id("flg"),
            workspace_id=row.workspace_id,
            reasons=list(found.reasons),
            opened_at=unit.now,
        )
        unit.session.add(flag)
        after = {"reasons": list(found.reasons)}
        unit.record(
            "workspace.flagged", f"workspace:{row.workspace_id}", after=after, workspace_id=row.workspace_id
        )
        found = replace(found, since=unit.now, flag_id=flag.id)
    _move(unit, row, found)
    return replace(found, since=row.since)


def catch_up(unit: Unit, row: AbuseStanding) -> None:
    """What time alone has changed until this moment is judged, before something that happened earlier is
    told: that weighs from now on, and flags nobody for a moment at which no one knew of it. ``row`` is
    locked."""
    if row.due_at is not None and row.due_at <= unit.now:
        keep(unit, row)
    row.judged_at = unit.now
    unit.session.add(row)


def due_workspaces(unit: Unit) -> list[str]:
    """Those whose standing may have changed by time alone, longest due first, at most ``AT_ONCE``."""
    due = select(AbuseStanding.workspace_id).where(col(AbuseStanding.due_at) <= unit.now)
    return list(unit.session.exec(due.order_by(col(AbuseStanding.due_at)).limit(AT_ONCE)))


def keep_due(runtime: Runtime) -> int:
    """The standings whose time has come are as they should be; how many they were."""
    with runtime.unit(GUARD) as unit:
        ids = due_workspaces(unit)
    for workspace_id in ids:
        with runtime.unit(GUARD, write=True) as unit:
            keep(unit, lock_standing(unit, workspace_id))
    return len(ids)


def happenings(unit: Unit, workspace_id: str, *, after: datetime) -> list[Happening]:
    """What weighs in the workspace's windows and came later than ``after``, by time."""
    decided = select(TemplateMetric.at, TemplateMetric.event).where(
        col(TemplateMetric.workspace_id) == workspace_id,
        col(TemplateMetric.at) > after,
        col(TemplateMetric.counts).is_(True),
        col(TemplateMetric.event).in_(DECISIONS),
    )
    tried = select(RejectedSend.at).where(
        col(RejectedSend.workspace_id) == workspace_id, col(RejectedSend.at) > after
    )
    found = [Happening(at, str(event)) for at, event in unit.session.exec(decided)]
    found += [Happening(at, TRIED) for at in unit.session.exec(tried)]
    return sorted(found, key=lambda one: one.at)


def _weighing(unit: Unit, row: AbuseStanding) -> list[Happening]:
    return happenings(unit, row.workspace_id, after=row.judged_at - WINDOW)


def _judge(unit: Unit, row: AbuseStanding, weighing: list[Happening]) -> Standing:
    """The level now, or flagged if that was reached at any moment since the last time: a clock that stood
    still for a while misses nothing."""
    thresholds = Thresholds.of(unit.settings)
    judged = [
        (judge(tally, thresholds), tally)
        for _, tally in course(weighing, since=row.judged_at, until=unit.now, counts_from=row.counts_from)
    ]
    now, tally = judged[-1]
    flagged = [one for one, _ in judged if one.level is AbuseLevel.FLAGGED]
    if flagged and now.level is not AbuseLevel.FLAGGED:
        now = flagged[-1]
    return Standing(now.level, now.reasons, tally, unit.now)


def _due(unit: Unit, row: AbuseStanding, weighing: list[Happening]) -> datetime | None:
    """When the first of what counts now counts no more."""
    start = max(unit.now - WINDOW, row.counts_from or EPOCH)
    return next((one.at + WINDOW for one in weighing if one.at > start), None)


def _move(unit: Unit, row: AbuseStanding, found: Standing) -> None:
    before, row.level, row.reasons = row.level, found.level, list(found.reasons)
    if found.level is before:
        return
    row.since = unit.now
    if _RANK[found.level] > _RANK[before]:
        telling.went_up(unit, row.workspace_id, found.level, found.reasons)
    if before is AbuseLevel.WARNING:
        telling.warning_is_over(unit, row.workspace_id)
