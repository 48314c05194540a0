"""Dead letters as they come and go with their messages. What people do about them is in dead_letters."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select

from core.ports.meta_errors import explain, fingerprint
from core.unit import Unit
from data.enums import LetterState, MessageState
from data.messages import DeadLetter, Message

_OF_A_DEATH = ("state", "error_code", "error_detail", "fingerprint", "attempts", "may_duplicate", "dead_at")


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
    again = {name: statement.excluded[name] for name in _OF_A_DEATH} | {"closed_at": None}
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


def close_letter(unit: Unit, *, message_id: str, state: LetterState, at: datetime) -> DeadLetter | None:
    """The open letter of the message, if it has one, is now in ``state``."""
    statement = select(DeadLetter).where(
        col(DeadLetter.message_id) == message_id, col(DeadLetter.state) == LetterState.OPEN
    )
    letter = unit.session.exec(statement).first()
    if letter is not None:
        letter.state = state
        letter.closed_at = at
        unit.session.add(letter)
    return letter
