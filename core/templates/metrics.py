"""What becomes of templates, one row an event, however often it is told and in whatever order (T1)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlmodel import col, func, or_, select

from core.errors import Malformed
from core.moments import rfc3339
from core.phones.history import Word
from core.phones.reading import word as said
from core.templates.reading import status_reason
from core.templates.rules import REJECTED
from core.templates.standing import Standing, catch_up, keep, lock_standing, open_flag
from core.unit import Unit
from data.abuse import RejectedSend, TemplateMetric, TemplateMetricDay
from data.columns import EPOCH
from data.enums import ChangeSource, TemplateEvent
from data.sending import Template, Waba

# Clocks differ a little; what lies further in the future is a mistake.
AHEAD = timedelta(seconds=300)
ID_MAX = 64
REASON_MAX = 500
VERDICTS = frozenset(
    {TemplateEvent.APPROVED, TemplateEvent.REJECTED, TemplateEvent.PAUSED, TemplateEvent.DISABLED}
)
# Of one second: what is submitted comes before its verdict, whose webhook knows no smaller part of time.
_ORDER = {event: place for place, event in enumerate(TemplateEvent)}
# What a status of Meta's makes of a template. Submitted again is edited, somewhere else than here.
_EVENTS: Mapping[str, TemplateEvent] = MappingProxyType(
    {
        "APPROVED": TemplateEvent.APPROVED,
        "REINSTATED": TemplateEvent.APPROVED,
        "REJECTED": TemplateEvent.REJECTED,
        "PAUSED": TemplateEvent.PAUSED,
        "DISABLED": TemplateEvent.DISABLED,
        "PENDING": TemplateEvent.EDITED,
    }
)


def tell(
    unit: Unit,
    template_id: str,
    event: TemplateEvent,
    *,
    reason: str | None = None,
    occurred_at: datetime | None = None,
) -> Standing:
    """Someone tells of a template of their workspace: what ``record`` does, audited. Malformed for a moment
    in the future, or before 1970."""
    unit.require("templates.manage")
    if occurred_at is not None and not EPOCH <= occurred_at <= unit.now + AHEAD:
        raise Malformed.field("occurredAt", "must lie in the past, and not before 1970")
    standing = record(unit, template_id, event, at=occurred_at, reason=reason)
    after: dict[str, Any] = {"event": event.value}
    if reason:
        after["reason"] = reason[:REASON_MAX]
    if occurred_at is not None:
        after["occurredAt"] = rfc3339(occurred_at)
    unit.record("template.event_told", f"template:{template_id[:ID_MAX]}", after=after)
    return standing


def record(
    unit: Unit,
    template_id: str,
    event: TemplateEvent,
    *,
    at: datetime | None = None,
    reason: str | None = None,
    source: ChangeSource = ChangeSource.API,
    workspace_id: str | None = None,
) -> Standing:
    """The event stands among the template's, once, and the workspace stands as it then does.

    ``template_id`` is Meta's id of it or ours, also of one that we have no copy of. The event counts unless
    the one before it, by time, is the same: *rejected at 10:00, told again at 11:00 and, late, as of 09:00:
    one rejection, at 09:00. With an edit between: two.* Called by commands that have asked who may.
    """
    owner = workspace_id or unit.workspace_id
    at = min(at or unit.now, unit.now)
    if event not in VERDICTS:
        at = at.replace(microsecond=0)
    standing = lock_standing(unit, owner)
    catch_up(unit, standing)
    _add(unit, owner, _key(unit, owner, template_id), event, at=at, reason=reason, source=source)
    return keep(unit, standing)


def follow(
    unit: Unit,
    waba: Waba,
    template: Template | None,
    status: str,
    *,
    word: Word,
    detail: dict[str, Any] | None,
) -> None:
    """What Meta says of a template's status is an event, if it is one of those. ``PENDING`` after a verdict
    is an edit. ``template``: our copy, where there is one."""
    event = _EVENTS.get(status)
    told = said((detail or {}).get("message_template_id"))
    template_id = told or (template.meta_id or template.id if template is not None else None)
    if event is None or template_id is None:
        return
    if event is TemplateEvent.EDITED:
        before, _ = _neighbours(unit, waba.workspace_id, template_id, event, word.at)
        if before not in VERDICTS:
            return
    record(
        unit,
        template_id,
        event,
        at=word.at,
        reason=status_reason(detail or {}),
        source=word.source,
        workspace_id=waba.workspace_id,
    )


def note_found(unit: Unit, waba: Waba, template_id: str, *, word: Word) -> None:
    """A template that Meta has and we had no copy of was created: when Meta was asked, or before whatever was
    told of it earlier. What is created here says so itself."""
    if word.source is not ChangeSource.SYNC or not is_dated(waba, word):
        return
    first = select(func.min(TemplateMetric.at)).where(
        col(TemplateMetric.workspace_id) == waba.workspace_id, col(TemplateMetric.template_id) == template_id
    )
    told_at = unit.session.exec(first).one()
    record(
        unit,
        template_id,
        TemplateEvent.CREATED,
        at=min(word.at, told_at or word.at),
        source=word.source,
        workspace_id=waba.workspace_id,
    )


def is_dated(waba: Waba, word: Word) -> bool:
    """Whether it became so about when it is said. What is found when an account's templates are read whole
    for the first time may be years old, and is not counted."""
    return word.source is not ChangeSource.SYNC or waba.templates_due_at is not None


def note_rejected_send(unit: Unit, *, name: str, language: str) -> None:
    """A send of a rejected template was tried (T2). Not counted while the workspace is flagged: when that is
    cleared it starts anew."""
    unit.require("messages.send")
    found = unit.scoped(Template).where(
        col(Template.name) == name, col(Template.language) == language, col(Template.status) == REJECTED
    )
    template = unit.session.exec(found.order_by(col(Template.id))).first()
    standing = lock_standing(unit, unit.workspace_id)
    if template is None or open_flag(unit, unit.workspace_id) is not None:
        return
    unit.session.add(
        RejectedSend(
            id=unit.new_id("rjs"),
            workspace_id=unit.workspace_id,
            template_id=template.meta_id or template.id,
            at=unit.now,
        )
    )
    keep(unit, standing)


def _key(unit: Unit, workspace_id: str, template_id: str) -> str:
    mine = select(Template).where(
        col(Template.workspace_id) == workspace_id,
        or_(col(Template.id) == template_id, col(Template.meta_id) == template_id),
    )
    template = unit.session.exec(mine.order_by(col(Template.id))).first()
    return (template.meta_id or template.id if template is not None else template_id)[:ID_MAX]


def _add(
    unit: Unit,
    workspace_id: str,
    template_id: str,
    event: TemplateEvent,
    *,
    at: datetime,
    reason: str | None,
    source: ChangeSource,
) -> None:
    """The row, and whether the one after it still says something new."""
    before, following = _neighbours(unit, workspace_id, template_id, event, at)
    if following is not None and (following.event, following.at) == (event, at):
        return
    unit.session.add(
        TemplateMetric(
            id=unit.new_id("tmx"),
            workspace_id=workspace_id,
            template_id=template_id,
            event=event,
            reason=reason[:REASON_MAX] if reason else None,
            at=at,
            noticed_at=unit.now,
            source=source,
            counts=before is not event,
        )
    )
    if following is not None:
        following.counts = following.event is not event
        unit.session.add(following)
    unit.session.flush()


def _neighbours(
    unit: Unit, workspace_id: str, template_id: str, event: TemplateEvent, at: datetime
) -> tuple[TemplateEvent | None, TemplateMetric | None]:
    """What came last before that event of the template, and the row that stands at its place or next after
    it."""
    unit.session.flush()
    mine = select(TemplateMetric).where(
        col(TemplateMetric.workspace_id) == workspace_id, col(TemplateMetric.template_id) == template_id
    )
    column = col(TemplateMetric.at)
    # One moment has at most one row of each event.
    most = len(TemplateEvent) + 1
    rows = [
        *unit.session.exec(mine.where(column < at).order_by(column.desc()).limit(most)),
        *unit.session.exec(mine.where(column >= at).order_by(column).limit(most)),
    ]
    here = at, _ORDER[event]
    places = sorted((((row.at, _ORDER[row.event]), row) for row in rows), key=lambda one: one[0])
    earlier = [row.event for place, row in places if place < here]
    later = [row for place, row in places if place >= here]
    before = earlier[-1] if earlier else _purged(unit, workspace_id, template_id, at)
    return before, later[0] if later else None


def _purged(unit: Unit, workspace_id: str, template_id: str, at: datetime) -> TemplateEvent | None:
    """The last event before that moment of which only the day's totals are left."""
    statement = select(TemplateMetricDay).where(
        col(TemplateMetricDay.workspace_id) == workspace_id,
        col(TemplateMetricDay.template_id) == template_id,
        col(TemplateMetricDay.last_at) <= at,
    )
    day = unit.session.exec(statement.order_by(col(TemplateMetricDay.day).desc()).limit(1)).first()
    return day.last_event if day is not None else None
