"""Other bulk work at its letters: discard, restore, assign, note (Q10)."""

from collections import Counter

from sqlalchemy import exists, update
from sqlalchemy import select as select_columns
from sqlmodel import col

from core.contacts.rules import ERASED
from core.dead_letters.commands import RESTORABLE_FOR
from core.dead_letters.releasing import AT_ONCE, act_on_all, finish
from core.dead_letters.skipping import NOT_OPEN
from core.dead_letters.walking import go_on_after, next_letters
from core.unit import Unit
from data.enums import BulkVerb, LetterState, MessageState
from data.letters import BulkWork
from data.messages import DeadLetter, Message, MessageStatus

_WORDS = {
    BulkVerb.DISCARD: "discarded",
    BulkVerb.RESTORE: "restored",
    BulkVerb.ASSIGN: "assigned",
    BulkVerb.NOTE: "noted",
}
_DELIVERED = ("delivered", "read", "played")


def change(unit: Unit, work: BulkWork) -> bool:
    """The next letters are changed. Whether there may be more."""
    letters = next_letters(unit, work, limit=AT_ONCE)
    if not letters:
        finish(unit, work)
        return False
    message_ids = [letter.message_id for letter in letters]
    lock = select_columns(col(Message.id)).where(col(Message.id).in_(message_ids))
    unit.session.execute(lock.order_by(col(Message.id)).with_for_update()).all()
    may = _those_that_may(unit, work, [letter.id for letter in letters])
    if may:
        _write(unit, work, may)
        text = work.assignee_id if work.verb is BulkVerb.ASSIGN else work.reason
        act_on_all(unit, work, list(may), verb=_WORDS[work.verb], text=text)
    go_on_after(unit, work, letters)
    work.done += len(may)
    left = len(letters) - len(may)
    if left:
        work.skipped = dict(Counter(work.skipped) + Counter({NOT_OPEN: left}))
    unit.session.add(work)
    return True


def _those_that_may(unit: Unit, work: BulkWork, letter_ids: list[str]) -> dict[str, str]:
    """letter id → message id, of those that it can be done to now."""
    statement = (
        select_columns(col(DeadLetter.id), col(DeadLetter.message_id))
        .join(Message, col(Message.id) == col(DeadLetter.message_id))
        .where(col(DeadLetter.id).in_(letter_ids))
    )
    if work.verb is BulkVerb.DISCARD:
        statement = statement.where(col(DeadLetter.state) == LetterState.OPEN)
    if work.verb is BulkVerb.RESTORE:
        reported = exists().where(
            col(MessageStatus.message_id) == col(Message.id), col(MessageStatus.status).in_(_DELIVERED)
        )
        statement = statement.where(
            col(DeadLetter.state) == LetterState.DISCARDED,
            col(DeadLetter.closed_at) > unit.now - RESTORABLE_FOR,
            col(Message.recipient) != ERASED,
            ~reported,
        )
    return {row[0]: row[1] for row in unit.session.execute(statement)}


def _write(unit: Unit, work: BulkWork, may: dict[str, str]) -> None:
    options = {"synchronize_session": False}
    letters = update(DeadLetter).where(col(DeadLetter.id).in_(may))
    messages = update(Message).where(col(Message.id).in_(may.values()))
    if work.verb is BulkVerb.DISCARD:
        unit.session.execute(messages.values(state=MessageState.DISCARDED), execution_options=options)
        closed = letters.values(
            state=LetterState.DISCARDED, closed_at=unit.now, closed_reason=work.reason, bulk_id=work.id
        )
        unit.session.execute(closed, execution_options=options)
    elif work.verb is BulkVerb.RESTORE:
        unit.session.execute(messages.values(state=MessageState.DEAD), execution_options=options)
        opened = letters.values(state=LetterState.OPEN, closed_at=None, closed_reason=None, bulk_id=None)
        unit.session.execute(opened, execution_options=options)
    elif work.verb is BulkVerb.ASSIGN:
        unit.session.execute(letters.values(assignee_id=work.assignee_id), execution_options=options)
