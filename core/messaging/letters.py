"""Dead letters as they come and go with their messages. What people do about them is in dead_letters."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select

from core.ports.meta_errors import explain, fingerprint
from core.unit import Unit
from data.enums import LetterState, MessageState
from data.letters import LetterText
from data.messages import DeadLetter, Message
from data.words import index_text, texts_in

_OF_A_DEATH = ("state", "error_code", "error_detail", "fingerprint", "attempts", "may_duplicate", "dead_at")
_NO_MORE = {"closed_at": None, "closed_reason": None, "bulk_id": None}
_LEFT = text(
    "SELECT redrive_id, count(*) FROM message WHERE id IN :ids AND redrive_id IS NOT NULL "
    "AND (CAST(:redrive_id AS VARCHAR) IS NULL OR redrive_id <> :redrive_id) "
    "GROUP BY redrive_id ORDER BY redrive_id"
).bindparams(bindparam("ids", expanding=True))
_KEEP_AS_FAILED = text("UPDATE bulk_work SET left_failed = left_failed + :count WHERE id = :id")
_ADD_WORDS = text(
    "INSERT INTO letter_text (workspace_id, letter_id, error_words, payload_words) "
    "VALUES (:workspace_id, :letter_id, :error_words, :payload_words)"
)
DELIVERED = "Meta reported that it was delivered."
GOES_ON = "It goes on by itself: Meta was down when it was tried."


@dataclass(frozen=True, slots=True)
class Death:
    """A message out of attempts, with what its letter copies from it."""

    message_id: str
    workspace_id: str
    round: int
    attempts: int
    recipient: str
    phone_number_id: str
    template_name: str | None
    may_duplicate: bool
    error_code: str
    error_detail: str


def open_letters(unit: Unit, deaths: list[Death]) -> None:
    """One open letter for each; a message has at most one a round, so one that was resolved opens again."""
    table = DeadLetter.__table__  # type: ignore[attr-defined]
    statement: sqlite.Insert | postgresql.Insert
    if unit.session.get_bind().dialect.name == "sqlite":
        statement = sqlite.insert(table)
    else:
        statement = postgresql.insert(table)
    again = {name: statement.excluded[name] for name in _OF_A_DEATH} | _NO_MORE
    unit.session.connection().execute(
        statement.on_conflict_do_update(index_elements=["message_id", "round"], set_=again),
        [
            {
                "id": unit.new_id("dl"),
                "workspace_id": death.workspace_id,
                "message_id": death.message_id,
                "round": death.round,
                "state": LetterState.OPEN,
                "error_code": death.error_code,
                "error_detail": death.error_detail,
                "fingerprint": fingerprint(
                    death.error_code, template=death.template_name, detail=death.error_detail
                ),
                "recipient": death.recipient,
                "phone_number_id": death.phone_number_id,
                "template_name": death.template_name,
                "attempts": death.attempts,
                "may_duplicate": death.may_duplicate,
                "dead_at": unit.now,
            }
            for death in deaths
        ],
    )
    index_letters(unit, [death.message_id for death in deaths])


def index_letters(unit: Unit, message_ids: Collection[str]) -> None:
    """The open letters of these messages are found by their words."""
    connection = unit.session.connection()
    letters = connection.execute(
        select(  # type: ignore[call-overload]
            DeadLetter.id,
            DeadLetter.workspace_id,
            DeadLetter.error_code,
            DeadLetter.error_detail,
            DeadLetter.template_name,
            Message.payload,
        )
        .join(Message, col(Message.id) == col(DeadLetter.message_id))
        .where(col(DeadLetter.message_id).in_(message_ids), col(DeadLetter.state) == LetterState.OPEN)
        .order_by(col(DeadLetter.dead_at), col(DeadLetter.id))
    ).all()
    if letters:
        connection.execute(
            delete(LetterText).where(col(LetterText.letter_id).in_([letter.id for letter in letters]))
        )
        connection.execute(
            _ADD_WORDS,
            [
                {
                    "workspace_id": letter.workspace_id,
                    "letter_id": letter.id,
                    "error_words": index_text(
                        letter.error_code,
                        explain(letter.error_code).title,
                        letter.template_name,
                        letter.error_detail,
                    ),
                    "payload_words": index_text(*texts_in(letter.payload)),
                }
                for letter in letters
            ],
        )


def bury(unit: Unit, *, message_id: str, error_code: str) -> None:
    """A waiting message is dead without another attempt, under that code."""
    message = unit.session.get(Message, message_id, populate_existing=True)
    if message is None:
        raise LookupError(message_id)
    message.state = MessageState.DEAD
    message.waiting_for = None
    message.due_at = None
    message.error_code = error_code
    message.error_detail = explain(error_code).meaning
    unit.session.add(message)
    unit.session.flush()
    open_letters(unit, [death_of(message)])


def death_of(message: Message) -> Death:
    return Death(
        message_id=message.id,
        workspace_id=message.workspace_id,
        round=message.round,
        attempts=message.attempt,
        recipient=message.recipient,
        phone_number_id=message.phone_number_id,
        template_name=message.template_name,
        may_duplicate=message.may_duplicate,
        error_code=message.error_code or "bad_response",
        error_detail=message.error_detail or "",
    )


def close_letter(
    unit: Unit, *, message_id: str, state: LetterState, at: datetime, reason: str
) -> DeadLetter | None:
    """The open letter of the message, if it has one, is now in ``state``."""
    statement = select(DeadLetter).where(
        col(DeadLetter.message_id) == message_id, col(DeadLetter.state) == LetterState.OPEN
    )
    letter = unit.session.exec(statement).first()
    if letter is not None:
        letter.state = state
        letter.closed_at = at
        letter.closed_reason = reason
        unit.session.add(letter)
    return letter


def close_letters(
    unit: Unit, *, message_ids: Collection[str], state: LetterState, at: datetime, reason: str
) -> None:
    """The open letters of these messages, where they have one, are now in ``state``."""
    table = DeadLetter.__table__  # type: ignore[attr-defined]
    unit.session.connection().execute(
        update(table)
        .where(table.c.message_id.in_(message_ids), table.c.state == LetterState.OPEN)
        .values(state=state, closed_at=at, closed_reason=reason)
    )


def leave_redrives(unit: Unit, message_ids: Collection[str], *, into: str | None = None) -> None:
    """These dead messages are sent again by other means (``into``: a bulk redrive): the one that had sent
    them keeps them as failed again."""
    if not message_ids:
        return
    connection = unit.session.connection()
    left = connection.execute(_LEFT, {"ids": list(message_ids), "redrive_id": into}).all()
    if left:
        connection.execute(_KEEP_AS_FAILED, [{"id": row[0], "count": row[1]} for row in left])
