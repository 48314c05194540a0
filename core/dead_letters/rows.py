"""One dead letter as people see it in a list, with what may be done about it."""

from dataclasses import dataclass
from datetime import datetime

from core.contacts.rules import mask_number, pretty_number
from core.dead_letters.commands import RESTORABLE_FOR
from core.ports.meta_errors import ErrorClass, explain
from core.unit import Unit
from data.enums import LetterState
from data.messages import DeadLetter

# What a redrive comes to when nothing has changed, by what the failure was.
_FAILS_AGAIN = {
    ErrorClass.FIX: "It fails again unless the cause was mended. To change the message, edit it first.",
    ErrorClass.PERMANENT: "Meta refuses the same message again. Edit it first, or discard it.",
    ErrorClass.RECIPIENT: "It fails again: this contact takes no messages of this kind. Discard it.",
    ErrorClass.HOLD: "It waits in the queue until what stopped its number is mended.",
}


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One line of a list, with what may be done about it. ``fails_again``: why a redrive of it as it is comes
    to nothing, in a sentence; empty when it can pass."""

    id: str
    message_id: str
    round: int
    state: LetterState
    error_code: str
    title: str
    meaning: str
    advice: str
    klass: ErrorClass
    error_detail: str
    fingerprint: str
    to: str
    to_pretty: str
    phone_number_id: str
    template_name: str | None
    attempts: int
    may_duplicate: bool
    dead_at: datetime
    assignee_id: str | None
    closed_at: datetime | None
    closed_reason: str | None
    bulk_id: str | None
    fails_again: str
    can_redrive: bool
    can_edit: bool
    can_discard: bool
    can_restore: bool


def row_of(unit: Unit, letter: DeadLetter) -> LetterRow:
    why = explain(letter.error_code)
    reveals = unit.actor.can("contacts.reveal")
    is_open = letter.state is LetterState.OPEN
    restorable = (
        letter.state is LetterState.DISCARDED
        and letter.closed_at is not None
        and letter.closed_at + RESTORABLE_FOR > unit.now
    )
    can_redrive = is_open and unit.actor.can("dead_letters.redrive")
    return LetterRow(
        id=letter.id,
        message_id=letter.message_id,
        round=letter.round,
        state=letter.state,
        error_code=letter.error_code,
        title=why.title,
        meaning=why.meaning,
        advice=why.advice,
        klass=why.klass,
        error_detail=letter.error_detail,
        fingerprint=letter.fingerprint,
        to=letter.recipient if reveals else mask_number(letter.recipient),
        to_pretty=pretty_number(letter.recipient) if reveals else mask_number(letter.recipient),
        phone_number_id=letter.phone_number_id,
        template_name=letter.template_name,
        attempts=letter.attempts,
        may_duplicate=letter.may_duplicate,
        dead_at=letter.dead_at,
        assignee_id=letter.assignee_id,
        closed_at=letter.closed_at,
        closed_reason=letter.closed_reason,
        bulk_id=letter.bulk_id,
        fails_again=_FAILS_AGAIN.get(why.klass, ""),
        can_redrive=can_redrive,
        can_edit=can_redrive and unit.actor.can("messages.send"),
        can_discard=is_open and unit.actor.can("dead_letters.discard"),
        can_restore=restorable and unit.actor.can("dead_letters.discard"),
    )
