"""Bulk work as people start, watch and steer it (Q10). It goes on without them, page and process."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select as select_columns
from sqlmodel import col, func, select

from core.dead_letters.bulk_rules import RATE_MAX
from core.dead_letters.changing import change
from core.dead_letters.commands import check_assignee
from core.dead_letters.dry_run import DryRun, try_redrive
from core.dead_letters.filters import LetterFilter, check_filter, filter_json, frozen
from core.dead_letters.lists import count_letters, matching_ids
from core.dead_letters.releasing import release
from core.dead_letters.skipping import held_phones
from core.dead_letters.walking import LIST_MAX, freeze
from core.errors import Conflict, Impossible, Malformed
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.enums import BulkState, BulkVerb, LetterState, MessageState
from data.letters import RUNNING, BulkWork
from data.messages import Message

# Steps that one work takes before others have their turn.
STEPS_A_TURN = 10
RATE_DEFAULT = 5
_OVER = (BulkState.DONE, BulkState.CANCELLED)
# What each needs besides the permission for many at once.
_NEEDS = {
    BulkVerb.REDRIVE: "dead_letters.redrive",
    BulkVerb.DISCARD: "dead_letters.discard",
    BulkVerb.RESTORE: "dead_letters.discard",
    BulkVerb.ASSIGN: "dead_letters.annotate",
    BulkVerb.NOTE: "dead_letters.annotate",
}


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to which letters: those named, or all that match.

    ``reason``: of a redrive or a discard why, of a note its text. ``canary``: so many go first, and the rest
    only when nine in ten of them got through. ``confirm``: said aloud that an empty filter is meant.
    """

    verb: BulkVerb
    wanted: LetterFilter = field(default_factory=LetterFilter)
    letter_ids: Sequence[str] | None = None
    reason: str | None = None
    assignee_id: str | None = None
    rate_per_second: int = RATE_DEFAULT
    canary: int | None = None
    include_unknown: bool = False
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class WorkView:
    """Where bulk work stands. ``skipped``: reason → letters. ``delivered``, ``failed_again`` and ``retrying``
    are messages, of a redrive; ``per_second``: what it came to so far. ``cause``: why it stopped itself."""

    id: str
    verb: BulkVerb
    state: BulkState
    wanted: dict[str, Any]
    is_listed: bool
    total: int
    done: int
    skipped: dict[str, int]
    delivered: int
    failed_again: int
    retrying: int
    rate_per_second: int
    per_second: float
    remaining_s: float | None
    canary: int | None
    waits_for_canary: bool
    include_unknown: bool
    reason: str | None
    assignee_id: str | None
    cause: str | None
    started_by: str
    started_by_name: str
    started_at: datetime
    finished_at: datetime | None

    @property
    def skipped_count(self) -> int:
        return sum(self.skipped.values())

    @property
    def is_over(self) -> bool:
        return self.state in _OVER


def dry_run(unit: Unit, order: Order) -> DryRun:
    """What a redrive would do now. Changes nothing."""
    _require(unit, order.verb)
    wanted = _checked(order, unit)
    ids: Any = list(order.letter_ids) if order.letter_ids is not None else matching_ids(unit, wanted)
    return try_redrive(
        unit, ids, rate_per_second=order.rate_per_second, include_unknown=order.include_unknown
    )


def start(unit: Unit, order: Order) -> BulkWork:
    """It runs, about what matches now and nothing that dies later. Impossible ``nothing_matches``."""
    _require(unit, order.verb)
    wanted = _checked(order, unit)
    if order.assignee_id is not None:
        check_assignee(unit, order.assignee_id)
    work = BulkWork(
        id=unit.new_id("rdv" if order.verb is BulkVerb.REDRIVE else "blk"),
        workspace_id=unit.workspace_id,
        verb=order.verb,
        state=BulkState.RUNNING,
        wanted=filter_json(wanted),
        reason=order.reason,
        assignee_id=order.assignee_id,
        rate_per_second=order.rate_per_second,
        canary=order.canary,
        include_unknown=order.include_unknown,
        held=held_phones(unit) if order.verb is BulkVerb.REDRIVE else [],
        total=0,
        skipped={},
        watched=[],
        started_by=unit.actor.id,
        started_by_name=unit.actor.name,
        started_at=unit.now,
    )
    freeze(unit, work, wanted, order.letter_ids)
    if not work.is_listed:
        work.total = count_letters(unit, wanted)
    if work.total == 0:
        raise Impossible("No dead letter matches; there is nothing to do.", code="nothing_matches")
    unit.session.add(work)
    unit.record(
        f"dead_letters.{order.verb.value}_started",
        f"bulk:{work.id}",
        after={
            "total": work.total,
            "filter": work.wanted if order.letter_ids is None else {"letters": work.total},
            "reason": order.reason,
            "rate": order.rate_per_second if order.verb is BulkVerb.REDRIVE else None,
        },
    )
    return work


def pause(unit: Unit, work_id: str) -> BulkWork:
    """Nothing more is done until somebody resumes it."""
    return _steer(unit, work_id, "paused", BulkState.PAUSED)


def resume(unit: Unit, work_id: str) -> BulkWork:
    """It goes on from where it was. What made it stop itself is forgotten: it is judged anew."""
    work = _steer(unit, work_id, "resumed", BulkState.RUNNING)
    work.cause = None
    work.verdicts = ""
    work.watched = []
    if work.canary is not None and work.done >= work.canary:
        work.canary_passed = True
    return work


def cancel(unit: Unit, work_id: str) -> BulkWork:
    """It is over within a second. What was not done stays as it was."""
    work = _steer(unit, work_id, "cancelled", BulkState.CANCELLED)
    work.finished_at = work.finished_at or unit.now
    return work


def set_pace(unit: Unit, work_id: str, *, rate_per_second: int) -> BulkWork:
    """From now on so many messages a second."""
    work = _locked(unit, work_id)
    check_rate(rate_per_second)
    if work.state in _OVER:
        raise _is_over(work)
    before, work.rate_per_second = work.rate_per_second, rate_per_second
    unit.session.add(work)
    unit.record(
        "dead_letters.redrive_repaced",
        f"bulk:{work.id}",
        before={"rate": before},
        after={"rate": rate_per_second},
    )
    return work


def work_view(unit: Unit, work_id: str) -> WorkView:
    unit.require("dead_letters.view")
    return _view(unit, unit.find(BulkWork, work_id, called=_called(work_id)))


def recent_work(unit: Unit, *, limit: int = 20) -> list[WorkView]:
    """Newest first."""
    unit.require("dead_letters.view")
    newest = unit.scoped(BulkWork).order_by(col(BulkWork.id).desc()).limit(limit)
    return sorted((_view(unit, work) for work in unit.session.exec(newest)), key=_newest_first)


def _newest_first(view: WorkView) -> float:
    return -view.started_at.timestamp()


def run_due(runtime: Runtime, *, process: str = "clock") -> None:
    """All bulk work that runs goes on for a while: a turn each."""
    with runtime.unit(Identity(process=process)) as unit:
        running = unit.session.execute(
            select_columns(col(BulkWork.id), col(BulkWork.workspace_id))
            .where(RUNNING)
            .order_by(col(BulkWork.id))
        ).all()
    for work_id, workspace_id in running:
        for _ in range(STEPS_A_TURN):
            with runtime.unit(Identity(process=process, workspace_id=workspace_id), write=True) as unit:
                if not take_step(unit, work_id):
                    break


def take_step(unit: Unit, work_id: str) -> bool:
    """One transaction of it. Whether another step has something to do at once."""
    locked = select(BulkWork).where(col(BulkWork.id) == work_id).with_for_update()
    work = unit.session.exec(locked).one()
    if work.state is not BulkState.RUNNING:
        return False
    return release(unit, work) if work.verb is BulkVerb.REDRIVE else change(unit, work)


def check_rate(rate_per_second: int) -> None:
    if not 1 <= rate_per_second <= RATE_MAX:
        raise Malformed.field("ratePerSecond", f"must be from 1 to {RATE_MAX:,}")


def _require(unit: Unit, verb: BulkVerb) -> None:
    unit.require("dead_letters.bulk_redrive")
    unit.require(_NEEDS[verb])


def _checked(order: Order, unit: Unit) -> LetterFilter:
    """The filter it is frozen with: of what can be redriven or discarded the open ones, of what can be
    restored the discarded ones."""
    check_rate(order.rate_per_second)
    check_filter(order.wanted)
    if order.canary is not None and order.canary < 1:
        raise Malformed.field("canary", "must be at least 1")
    if order.verb is BulkVerb.DISCARD and not (order.reason or "").strip():
        raise Impossible("Say why: a discard needs a reason.", code="reason_required")
    if order.letter_ids is not None and len(order.letter_ids) > LIST_MAX:
        raise Malformed.field("ids", f"must be at most {LIST_MAX:,}")
    if order.letter_ids is None and order.wanted.is_empty and not order.confirm:
        raise Malformed.field("confirm", "must be true where the filter is empty: it would be all letters")
    wanted = frozen(order.wanted, now=unit.now)
    if order.verb in (BulkVerb.REDRIVE, BulkVerb.DISCARD):
        return _in_state(wanted, LetterState.OPEN, "open")
    if order.verb is BulkVerb.RESTORE:
        return _in_state(wanted, LetterState.DISCARDED, "discarded")
    return wanted


def _in_state(wanted: LetterFilter, state: LetterState, word: str) -> LetterFilter:
    if wanted.state not in (None, state):
        raise Malformed.field("filter.state", f"must be {word}, or left out")
    return replace(wanted, state=state)


def _steer(unit: Unit, work_id: str, word: str, state: BulkState) -> BulkWork:
    work = _locked(unit, work_id)
    if work.state in _OVER and work.state is not state:
        raise _is_over(work)
    if work.state is not state:
        before, work.state = work.state, state
        unit.session.add(work)
        unit.record(
            f"dead_letters.{work.verb.value}_{word}",
            f"bulk:{work.id}",
            before={"state": before.value},
            after={"state": state.value, "done": work.done, "total": work.total},
        )
    return work


def _locked(unit: Unit, work_id: str) -> BulkWork:
    unit.require("dead_letters.bulk_redrive")
    work = unit.find(BulkWork, work_id, called=_called(work_id), lock=True)
    unit.require(_NEEDS[work.verb])
    return work


def _called(work_id: str) -> str:
    return "redrive" if work_id.startswith("rdv_") else "bulk work"


def _is_over(work: BulkWork) -> Conflict:
    return Conflict(
        f"This work is {work.state.value}; it cannot be changed any more.",
        code="not_running",
        state=work.state.value,
    )


def _view(unit: Unit, work: BulkWork) -> WorkView:
    outcomes = _outcomes(unit, work) if work.verb is BulkVerb.REDRIVE else {}
    ended_at = work.finished_at or unit.now
    took_s = max((ended_at - work.started_at).total_seconds(), 0.001)
    per_second = work.done / took_s
    left = max(0, work.total - work.done - sum(work.skipped.values()))
    pace = float(work.rate_per_second) if work.verb is BulkVerb.REDRIVE else per_second
    return WorkView(
        id=work.id,
        verb=work.verb,
        state=work.state,
        wanted=work.wanted,
        is_listed=work.is_listed,
        total=work.total,
        done=work.done,
        skipped=work.skipped,
        delivered=sum(outcomes.get(one, 0) for one in (MessageState.DELIVERED, MessageState.READ)),
        failed_again=work.left_failed
        + sum(outcomes.get(one, 0) for one in (MessageState.DEAD, MessageState.FAILED)),
        retrying=outcomes.get(MessageState.RETRY_QUEUED, 0),
        rate_per_second=work.rate_per_second,
        per_second=per_second,
        remaining_s=left / pace if pace and work.state not in _OVER else None,
        canary=work.canary,
        waits_for_canary=work.canary is not None and not work.canary_passed and work.done >= work.canary,
        include_unknown=work.include_unknown,
        reason=work.reason,
        assignee_id=work.assignee_id,
        cause=work.cause,
        started_by=work.started_by,
        started_by_name=work.started_by_name,
        started_at=work.started_at,
        finished_at=work.finished_at,
    )


def _outcomes(unit: Unit, work: BulkWork) -> dict[MessageState, int]:
    """From an index alone."""
    statement = (
        select_columns(col(Message.state), func.count())
        .where(col(Message.redrive_id) == work.id)
        .group_by(col(Message.state))
    )
    return {row[0]: row[1] for row in unit.session.execute(statement)}
