"""A bulk redrive at work: letter by letter into the queue, no faster than its pace (Q10).

Each step is one transaction: the letters it closes, the messages it sends again and its own place change
together. Killed at any moment it goes on from there: no letter twice, none forgotten.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select as select_columns
from sqlalchemy import text, update
from sqlmodel import col, func

from core.dead_letters.bulk_rules import JUDGED, judge, lane_room, room, verdict
from core.dead_letters.dry_run import lane_limits
from core.dead_letters.skipping import (
    NOT_OPEN,
    held_phones,
    may_duplicate,
    skip_reason,
    template_of_message,
)
from core.dead_letters.walking import go_on_after, next_letters
from core.ids import new_id
from core.messaging.letters import leave_redrives
from core.unit import Unit
from data.columns import to_micros
from data.enums import BulkState, LetterState, MessageState
from data.letters import BulkWork
from data.messages import DeadLetter, Message
from data.sending import Phone, Template

# Letters looked at in one step; those that are skipped take no room.
AT_ONCE = 500
WATCHED_MAX = 500

_ACT = text(
    "INSERT INTO letter_action (id, letter_id, at, actor, verb, text, bulk_id) "
    "VALUES (:id, :letter_id, :at, :actor, :verb, :text, :bulk_id)"
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    letter: DeadLetter
    reason: str | None
    may_duplicate: bool
    sent_before: bool


def release(unit: Unit, work: BulkWork) -> bool:
    """What there is room for is in the queue again. Whether the next step has something to do at once."""
    _hear(unit, work)
    judged = judge(work.verdicts, canary=work.canary, canary_passed=work.canary_passed, released=work.done)
    if judged.stops is not None:
        stop(unit, work, judged.stops)
        return False
    if judged.waits:
        return False
    if work.canary is not None and work.done >= work.canary:
        work.canary_passed = True
    waiting = _waiting(unit, work)
    free = (
        AT_ONCE
        if unit.throughput_lifted
        else room(rate_per_second=work.rate_per_second, waiting=sum(waiting.values()))
    )
    if work.canary is not None and not work.canary_passed:
        free = min(free, work.canary - work.done)
    if free <= 0:
        return False
    letters = next_letters(unit, work, limit=AT_ONCE)
    if not letters:
        finish(unit, work)
        return False
    return _release(unit, work, letters, waiting, free)


def _release(
    unit: Unit, work: BulkWork, letters: list[DeadLetter], waiting: dict[str, int], free: int
) -> bool:
    candidates, locked_all = _lock(unit, work, letters)
    held = set(held_phones(unit)) - set(work.held)
    phones = {one.letter.phone_number_id for one in candidates}
    rooms = {} if unit.throughput_lifted else lane_room(lane_limits(unit, phones), waiting)
    passed: list[DeadLetter] = []
    going: list[_Candidate] = []
    skipped: Counter[str] = Counter()
    is_full = not locked_all
    cause = None
    for one in candidates:
        phone = one.letter.phone_number_id
        if one.reason is not None:
            skipped[one.reason] += 1
        elif phone in held:
            cause = "A number that it sends from is held now. Resume it when the number is released."
            break
        elif len(going) >= free or rooms.get(phone, 1) <= 0:
            is_full = True
            break
        else:
            going.append(one)
            if phone in rooms:
                rooms[phone] -= 1
        passed.append(one.letter)
    if going:
        _send_again(unit, work, going)
    go_on_after(unit, work, passed)
    work.done += len(going)
    work.skipped = dict(Counter(work.skipped) + skipped)
    unit.session.add(work)
    if cause is not None:
        stop(unit, work, cause)
    return cause is None and not is_full


def stop(unit: Unit, work: BulkWork, cause: str) -> None:
    """It stops itself, and says why. A person resumes it, or cancels it."""
    work.state = BulkState.STOPPED
    work.cause = cause
    unit.session.add(work)
    unit.record(
        "dead_letters.redrive_stopped",
        f"redrive:{work.id}",
        after={"cause": cause, "done": work.done, "total": work.total},
        workspace_id=work.workspace_id,
    )


def finish(unit: Unit, work: BulkWork) -> None:
    """Every letter was either done or skipped; those that had gone meanwhile count as skipped."""
    gone = work.total - work.done - sum(work.skipped.values())
    if gone > 0:
        work.skipped = dict(Counter(work.skipped) + Counter({NOT_OPEN: gone}))
    work.state = BulkState.DONE
    work.finished_at = unit.now
    unit.session.add(work)
    unit.record(
        f"dead_letters.{work.verb.value}_finished",
        f"bulk:{work.id}",
        after={"done": work.done, "skipped": work.skipped},
        workspace_id=work.workspace_id,
    )


def act_on_all(unit: Unit, work: BulkWork, letters: Sequence[str], *, verb: str, text: str | None) -> None:
    """Each letter's history says what was done, by whom, and as part of what."""
    unit.session.connection().execute(
        _ACT,
        [
            {
                "id": new_id("act", unit.now),
                "letter_id": letter_id,
                "at": to_micros(unit.now),
                "actor": work.started_by_name,
                "verb": verb,
                "text": text,
                "bulk_id": work.id,
            }
            for letter_id in letters
        ],
    )


def _hear(unit: Unit, work: BulkWork) -> None:
    """What became of the messages whose outcome it waits for."""
    if not work.watched:
        return
    statement = select_columns(
        col(Message.id), col(Message.state), col(Message.waiting_for), col(Message.sent_at)
    ).where(col(Message.id).in_(work.watched))
    heard = {row[0]: row[1:] for row in unit.session.execute(statement)}
    still: list[str] = []
    verdicts = work.verdicts
    for message_id in work.watched:
        if message_id not in heard:
            continue
        state, waiting_for, sent_at = heard[message_id]
        came = verdict(state, waiting_for, sent_at=sent_at, now=unit.now)
        if came is None:
            still.append(message_id)
        else:
            verdicts += came
    if len(still) != len(work.watched):
        work.watched = still
        work.verdicts = verdicts[-max(JUDGED, 0 if work.canary_passed else work.canary or 0) :]
        unit.session.add(work)


def _waiting(unit: Unit, work: BulkWork) -> dict[str, int]:
    """phone → messages that it handed over and that are not yet on the wire."""
    statement = (
        select_columns(col(Message.phone_number_id), func.count())
        .where(
            col(Message.redrive_id) == work.id,
            col(Message.state).in_([MessageState.QUEUED, MessageState.CLAIMED]),
        )
        .group_by(col(Message.phone_number_id))
    )
    return {row[0]: row[1] for row in unit.session.execute(statement)}


def _lock(unit: Unit, work: BulkWork, letters: list[DeadLetter]) -> tuple[list[_Candidate], bool]:
    """The letters as they are once their messages are ours, up to the first that somebody else has: that
    one's turn comes with the next step. Whether all are."""
    first_of_others = _first_of_others(unit, [letter.message_id for letter in letters])
    ours = letters[:first_of_others]
    reason = skip_reason(held=work.held, include_unknown=work.include_unknown, now=unit.now)
    statement = (
        select_columns(
            *(col(DeadLetter.id), col(DeadLetter.state), reason, may_duplicate()),
            col(Message.redrive_id).is_not(None),
        )
        .join(Message, col(Message.id) == col(DeadLetter.message_id))
        .join(Phone, col(Phone.id) == col(Message.phone_number_id))
        .outerjoin(Template, template_of_message())
        .where(col(DeadLetter.id).in_([letter.id for letter in ours]))
    )
    now = {row[0]: row[1:] for row in unit.session.execute(statement)}
    candidates = []
    for letter in ours:
        state, why, doubtful, sent_before = now[letter.id]
        reason_now = why if state is LetterState.OPEN else NOT_OPEN
        candidates.append(_Candidate(letter, reason_now, bool(doubtful), bool(sent_before)))
    return candidates, len(ours) == len(letters)


def _first_of_others(unit: Unit, message_ids: list[str]) -> int:
    """These messages are held until the end of this transaction, up to the first that somebody else holds:
    its index, or how many there are. SQLite's one writer holds them all."""
    if unit.session.get_bind().dialect.name == "sqlite":
        return len(message_ids)
    lock = (
        select_columns(col(Message.id))
        .where(col(Message.id).in_(message_ids))
        .order_by(col(Message.id))
        .with_for_update(skip_locked=True)
    )
    ours = set(unit.session.scalars(lock))
    return next((index for index, one in enumerate(message_ids) if one not in ours), len(message_ids))


def _send_again(unit: Unit, work: BulkWork, going: list[_Candidate]) -> None:
    message_ids = [one.letter.message_id for one in going]
    leave_redrives(unit, [one.letter.message_id for one in going if one.sent_before], into=work.id)
    fresh: dict[str, Any] = {
        "state": MessageState.QUEUED,
        "waiting_for": None,
        "due_at": unit.now,
        "expires_at": unit.now + timedelta(seconds=unit.settings.waypost_message_max_age),
        "rung": 0,
        "rate_waits": 0,
        "leases_lost": 0,
        "round": col(Message.round) + 1,
        "lease_until": None,
        "error_code": None,
        "error_detail": None,
        "redrive_id": work.id,
    }
    session = unit.session
    session.execute(
        update(Message).where(col(Message.id).in_(message_ids)).values(fresh),
        execution_options={"synchronize_session": False},
    )
    doubtful = [one.letter.message_id for one in going if one.may_duplicate]
    if doubtful:
        session.execute(
            update(Message).where(col(Message.id).in_(doubtful)).values(may_duplicate=True),
            execution_options={"synchronize_session": False},
        )
    letter_ids = [one.letter.id for one in going]
    session.execute(
        update(DeadLetter)
        .where(col(DeadLetter.id).in_(letter_ids))
        .values(state=LetterState.REDRIVEN, closed_at=unit.now, closed_reason=work.reason, bulk_id=work.id),
        execution_options={"synchronize_session": False},
    )
    act_on_all(unit, work, letter_ids, verb="redrove", text=work.reason)
    work.watched = [*work.watched, *message_ids][-WATCHED_MAX:]
    unit.ring()
