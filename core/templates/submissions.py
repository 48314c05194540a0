"""Templates on their way to Meta: one row each, written before the call and settled by its answer or a sync.

Whatever dies in between, the row says what was submitted. Meta takes a name and language only once, and while
a row is open nobody submits the same again, so there is never a double.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select

from core.errors import Conflict, TooMany
from core.moments import rfc3339
from core.phones.history import Word
from core.templates import versions
from core.templates.drafts import as_written
from core.templates.reading import TemplateNode
from core.unit import Unit
from data.enums import ChangeSource, SubmissionKind, SubmissionState
from data.sending import Waba
from data.templates import TemplateSubmission

Component = dict[str, Any]

HOUR, DAY, MONTH = timedelta(hours=1), timedelta(days=1), timedelta(days=30)
# Meta's limits: of creations an account and hour, of edits an approved template.
CREATIONS_AN_HOUR = 100
EDITS_A_DAY = 1
EDITS_A_MONTH = 10
# After the longest that a call can take: who has not written its answer by then is gone.
GRACE = timedelta(seconds=5)
OPEN = (SubmissionState.SENDING, SubmissionState.UNKNOWN)
# Refused and lost ones never reached Meta's templates.
COUNTED = (*OPEN, SubmissionState.ACCEPTED)
ERROR_MAX = 500


@dataclass(frozen=True, slots=True)
class SubmissionView:
    """One that is not settled, or got lost. ``can_dismiss``: nothing more will come of it."""

    id: str
    kind: SubmissionKind
    state: SubmissionState
    name: str
    language: str
    category: str
    waba_id: str
    components: list[Component]
    asked_at: datetime
    can_dismiss: bool


def open_one(
    unit: Unit,
    waba: Waba,
    *,
    kind: SubmissionKind,
    name: str,
    language: str,
    category: str,
    components: list[Component],
    was_approved: bool = False,
) -> TemplateSubmission:
    """It is written down that this goes to Meta now, and the account's templates are read soon after.
    Conflict ``template_in_submission`` while the same is on its way already, TooMany at Meta's limits.

    Whoever opens one takes turns at the account's row.
    """
    unit.session.flush()
    unit.session.refresh(waba, with_for_update={"key_share": True})
    _refuse_second(unit, waba, name, language)
    if kind is SubmissionKind.CREATE:
        _refuse_too_many_creations(unit, waba)
    elif was_approved:
        _refuse_too_many_edits(unit, waba, name, language)
    row = TemplateSubmission(
        id=unit.new_id("tsu"),
        workspace_id=waba.workspace_id,
        waba_id=waba.id,
        kind=kind,
        state=SubmissionState.SENDING,
        name=name,
        language=language,
        category=category,
        components=components,
        was_approved=was_approved,
        asked_at=unit.now,
        asked_by=unit.actor.id,
    )
    unit.session.add(row)
    look_at = unit.now + look_after(unit)
    if waba.templates_due_at is not None:
        waba.templates_due_at = min(waba.templates_due_at, look_at)
        unit.session.add(waba)
    return row


def refuse(unit: Unit, submission_id: str, *, code: str, sentence: str) -> None:
    """Meta said no."""
    row = unit.session.get_one(TemplateSubmission, submission_id)
    if row.state in OPEN:
        _settle(unit, row, SubmissionState.REFUSED)
        row.error_code, row.error = code, sentence[:ERROR_MAX]


def lose_sight(unit: Unit, submission_id: str, *, code: str, sentence: str) -> None:
    """Nobody knows what Meta said: the next sync looks."""
    row = unit.session.get_one(TemplateSubmission, submission_id)
    if row.state is SubmissionState.SENDING:
        _settle(unit, row, SubmissionState.UNKNOWN)
        row.error_code, row.error = code, sentence[:ERROR_MAX]


def accept(unit: Unit, waba: Waba, submission_id: str) -> None:
    """Meta has it: its words are a version from when it was submitted."""
    row = unit.session.get_one(TemplateSubmission, submission_id)
    if row.state is SubmissionState.ACCEPTED:
        return
    _settle(unit, row, SubmissionState.ACCEPTED)
    words = versions.Words(row.name, row.language, row.category, row.components)
    word = Word(row.asked_at, ChangeSource.API)
    versions.keep(unit, waba, words, word=word, made_by=row.asked_by)


def settle_open(unit: Unit, waba: Waba, found: Sequence[TemplateNode], *, asked_at: datetime) -> bool:
    """What was submitted long enough before Meta was asked for all templates, and never answered, was either
    accepted or got lost. Returns whether some are still too young to tell.

    *Submitted at 10:00:00, the process killed, Meta asked at 10:00:20: the name is there → accepted; it is
    not → lost.*
    """
    open_rows = select(TemplateSubmission).where(
        col(TemplateSubmission.workspace_id) == waba.workspace_id,
        col(TemplateSubmission.state).in_(OPEN),
        col(TemplateSubmission.waba_id) == waba.id,
    )
    are_left = False
    nodes = {(node.name, node.language): node for node in found}
    for row in unit.session.exec(open_rows):
        if row.asked_at + look_after(unit) > asked_at:
            are_left = True
            continue
        node = nodes.get((row.name, row.language))
        is_there = node is not None and (
            row.kind is SubmissionKind.CREATE
            or not versions.differences(as_written(node.category, node.components), row.components)
        )
        if is_there:
            accept(unit, waba, row.id)
        else:
            _settle(unit, row, SubmissionState.LOST)
    return are_left


def unsettled(unit: Unit) -> list[SubmissionView]:
    """Those of the workspace of which nobody knows yet, and lost ones that nobody has put aside; newest
    first, at most 20."""
    unit.require("templates.view")
    statement = (
        unit.scoped(TemplateSubmission)
        .where(
            col(TemplateSubmission.state).in_((*OPEN, SubmissionState.LOST)),
            col(TemplateSubmission.seen_at).is_(None),
        )
        .order_by(col(TemplateSubmission.asked_at).desc(), col(TemplateSubmission.id))
        .limit(20)
    )
    overdue = unit.now - look_after(unit)
    return [
        _view(row)
        for row in unit.session.exec(statement)
        if row.state is not SubmissionState.SENDING or row.asked_at <= overdue
    ]


def submission_of(unit: Unit, submission_id: str) -> SubmissionView:
    """What was submitted, to be submitted again."""
    unit.require("templates.manage")
    return _view(unit.find(TemplateSubmission, submission_id, called="submission"))


def put_aside(unit: Unit, submission_id: str) -> None:
    """A lost one is no longer shown."""
    unit.require("templates.manage")
    row = unit.find(TemplateSubmission, submission_id, called="submission", lock=True)
    if row.state is not SubmissionState.LOST:
        raise Conflict("Wait until it is known whether Meta has it.", code="template_in_submission")
    row.seen_at = unit.now
    unit.session.add(row)
    unit.record("template.submission_dismissed", f"template:{row.name}/{row.language}")


def look_after(unit: Unit) -> timedelta:
    """From when on nobody still waits for Meta's answer."""
    return timedelta(seconds=unit.settings.waypost_graph_timeout) + GRACE


def _view(row: TemplateSubmission) -> SubmissionView:
    return SubmissionView(
        id=row.id,
        kind=row.kind,
        state=row.state,
        name=row.name,
        language=row.language,
        category=row.category,
        waba_id=row.waba_id,
        components=row.components,
        asked_at=row.asked_at,
        can_dismiss=row.state is SubmissionState.LOST,
    )


def _settle(unit: Unit, row: TemplateSubmission, state: SubmissionState) -> None:
    row.state, row.answered_at = state, unit.now
    unit.session.add(row)


def _refuse_second(unit: Unit, waba: Waba, name: str, language: str) -> None:
    same = select(TemplateSubmission.id).where(
        col(TemplateSubmission.waba_id) == waba.id,
        col(TemplateSubmission.name) == name,
        col(TemplateSubmission.language) == language,
        col(TemplateSubmission.state).in_(OPEN),
    )
    if unit.session.exec(same.limit(1)).first() is not None:
        raise Conflict(
            f"“{name}” ({language}) was submitted a moment ago, and Meta's answer is not known yet. Waypost "
            "looks whether Meta has it; try again in a minute.",
            code="template_in_submission",
        )


def _refuse_too_many_creations(unit: Unit, waba: Waba) -> None:
    mine = (
        col(TemplateSubmission.waba_id) == waba.id,
        col(TemplateSubmission.kind) == SubmissionKind.CREATE,
        col(TemplateSubmission.state).in_(COUNTED),
        col(TemplateSubmission.asked_at) > unit.now - HOUR,
    )
    moments = _moments(unit, mine)
    if len(moments) >= CREATIONS_AN_HOUR:
        _refuse_until(
            unit,
            moments[-CREATIONS_AN_HOUR] + HOUR,
            f"Meta takes {CREATIONS_AN_HOUR} new templates an hour for one account, and it has had them.",
        )


def _refuse_too_many_edits(unit: Unit, waba: Waba, name: str, language: str) -> None:
    mine = (
        col(TemplateSubmission.waba_id) == waba.id,
        col(TemplateSubmission.name) == name,
        col(TemplateSubmission.language) == language,
        col(TemplateSubmission.asked_at) > unit.now - MONTH,
        col(TemplateSubmission.kind) == SubmissionKind.EDIT,
        col(TemplateSubmission.state).in_(COUNTED),
        col(TemplateSubmission.was_approved),
    )
    moments = _moments(unit, mine)
    today = [moment for moment in moments if moment > unit.now - DAY]
    if len(moments) >= EDITS_A_MONTH:
        _refuse_until(
            unit,
            moments[-EDITS_A_MONTH] + MONTH,
            f"Meta takes {EDITS_A_MONTH} edits of an approved template in 30 days.",
        )
    if len(today) >= EDITS_A_DAY:
        _refuse_until(unit, today[-1] + DAY, "Meta takes one edit of an approved template in 24 hours.")


def _moments(unit: Unit, conditions: tuple[Any, ...]) -> list[datetime]:
    """When they were submitted, oldest first."""
    asked = select(TemplateSubmission.asked_at).where(*conditions)
    return list(unit.session.exec(asked.order_by(col(TemplateSubmission.asked_at))))


def _refuse_until(unit: Unit, until: datetime, why: str) -> None:
    wait_s = max(1, round((until - unit.now).total_seconds()))
    raise TooMany(
        f"{why} It is possible again {_in(wait_s)}.",
        code="template_limit",
        retry_after_s=wait_s,
        availableAt=rfc3339(until),
    )


def _in(wait_s: int) -> str:
    """*4000 s → in 67 minutes; 90000 s → in 25 hours.*"""
    for unit_s, one in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if wait_s >= 2 * unit_s:
            return f"in {round(wait_s / unit_s)} {one}s"
    return f"in {wait_s} seconds" if wait_s > 1 else "in a second"
