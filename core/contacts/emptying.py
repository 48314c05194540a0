"""What an erasure takes out of the tables: the contents of messages, attempts, statuses and letters."""

from typing import Any

from sqlalchemy import Select, delete, text, update
from sqlalchemy import select as select_columns
from sqlmodel import col, select

from core.contacts.digests import digest
from core.contacts.rules import ERASED
from core.unit import Unit
from data.enums import LetterState, MessageState, Outcome
from data.letters import LetterText
from data.messages import Attempt, Contact, DeadLetter, IdempotencyKey, LetterAction, Message, MessageStatus

GIVEN_UP = (
    MessageState.QUEUED,
    MessageState.CLAIMED,
    MessageState.SENDING,
    MessageState.RETRY_QUEUED,
    MessageState.UNKNOWN,
)
_RENAME = (
    text("UPDATE message SET wamid = :new WHERE wamid = :old"),
    text("UPDATE attempt SET wamid = :new WHERE wamid = :old"),
    text("UPDATE message_status SET wamid = :new WHERE wamid = :old"),
)


def theirs(contact: Contact) -> Select[Any]:
    """The ids of their messages."""
    return select_columns(col(Message.id)).where(col(Message.contact_id) == contact.id)


def open_letters(contact: Contact) -> Select[Any]:
    """The ids of the letters that wait for a person."""
    return select_columns(col(DeadLetter.id)).where(
        col(DeadLetter.message_id).in_(theirs(contact)), col(DeadLetter.state) == LetterState.OPEN
    )


def give_up(unit: Unit, contact: Contact) -> int:
    """Nothing more goes out. Of what may be on the wire nobody will know: its answer is not kept."""
    given_up = unit.session.execute(
        update(Message)
        .where(col(Message.contact_id) == contact.id, col(Message.state).in_(GIVEN_UP))
        .values(
            state=MessageState.DISCARDED, waiting_for=None, due_at=None, lease_until=None, lease_holder=None
        )
    )
    unfinished = col(Attempt.message_id).in_(theirs(contact)) & col(Attempt.outcome).is_(None)
    for left, outcome in (
        (col(Attempt.started_at).is_(None), Outcome.LOST),
        (col(Attempt.started_at).is_not(None), Outcome.UNKNOWN),
    ):
        unit.session.execute(
            update(Attempt).where(unfinished, left).values(outcome=outcome, finished_at=unit.now)
        )
    return int(given_up.rowcount)  # type: ignore[attr-defined]


def rename_wamids(unit: Unit, contact: Contact, key: bytes) -> None:
    """Meta's ids hold the number, in base64. Each becomes a digest, the same wherever it stands."""
    messages = theirs(contact)
    found = {
        *unit.session.exec(select(Message.wamid).where(col(Message.contact_id) == contact.id)),
        *unit.session.exec(select(Attempt.wamid).where(col(Attempt.message_id).in_(messages))),
        *unit.session.exec(select(MessageStatus.wamid).where(col(MessageStatus.message_id).in_(messages))),
    }
    wamids = sorted(wamid for wamid in found if wamid)
    if wamids:
        pairs = [{"old": wamid, "new": f"{ERASED}.{digest(key, wamid)}"} for wamid in wamids]
        for statement in _RENAME:
            unit.session.connection().execute(statement, pairs)


def empty_messages(unit: Unit, contact: Contact) -> None:
    """Number, text and what Meta said about them are gone; times, states and direction stay."""
    messages = theirs(contact)
    for statement in (
        update(Attempt).where(col(Attempt.message_id).in_(messages)).values(error_detail=None, trace_id=None),
        update(MessageStatus).where(col(MessageStatus.message_id).in_(messages)).values(error_detail=None),
        update(IdempotencyKey).where(col(IdempotencyKey.message_id).in_(messages)).values(answer=None),
        update(Message)
        .where(col(Message.contact_id) == contact.id)
        .values(recipient=ERASED, payload={}, error_detail=None),
    ):
        unit.session.execute(statement)


def empty_letters(unit: Unit, contact: Contact) -> None:
    """Open ones are closed: there is nothing left to send again."""
    letters = select_columns(col(DeadLetter.id)).where(col(DeadLetter.message_id).in_(theirs(contact)))
    for statement in (
        update(LetterAction)
        .where(col(LetterAction.letter_id).in_(letters))
        .values(text=None, payload_before=None),
        update(DeadLetter)
        .where(col(DeadLetter.id).in_(open_letters(contact)))
        .values(state=LetterState.DISCARDED, closed_at=unit.now),
        update(DeadLetter)
        .where(col(DeadLetter.message_id).in_(theirs(contact)))
        .values(recipient=ERASED, error_detail="", closed_reason=None),
        delete(LetterText).where(col(LetterText.letter_id).in_(letters)),
    ):
        unit.session.execute(statement)
