"""Everything about one dead letter."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select as select_columns
from sqlmodel import col, select

from core.dead_letters.rows import LetterRow, row_of
from core.messaging.letter_counts import Counted, count_kept
from core.messaging.queries import AttemptView, attempts_of
from core.messaging.requests import meta_body
from core.unit import Unit
from data.enums import LetterState, MessageKind
from data.messages import DeadLetter, LetterAction, Message
from data.people import User


@dataclass(frozen=True, slots=True)
class ActionView:
    """``text`` is the reason, the note, or the name of who was put in charge. ``payload_before`` is None for
    those who may not see it."""

    at: datetime
    actor: str
    verb: str
    text: str | None
    payload_before: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class LetterDetail:
    """``payload``, and the ``request`` that Meta gets of it, are None for those who may not see them; of a
    template message its name and language are no secret. ``same_error_open``: open letters with the same
    cause, this one too if it is open."""

    row: LetterRow
    kind: MessageKind
    template_language: str | None
    created_at: datetime
    contact_id: str
    payload: dict[str, Any] | None
    request: dict[str, Any] | None
    attempts: list[AttemptView]
    actions: list[ActionView]
    assignee_name: str | None
    same_error_open: int


def letter_detail(unit: Unit, letter_id: str) -> LetterDetail:
    unit.require("dead_letters.view")
    letter = unit.find(DeadLetter, letter_id, called="dead letter")
    message = unit.session.get_one(Message, letter.message_id)
    assignee = unit.session.get(User, letter.assignee_id) if letter.assignee_id else None
    reveals = unit.actor.can("contacts.reveal")
    return LetterDetail(
        row=row_of(unit, letter),
        kind=message.kind,
        template_language=message.template_language,
        created_at=message.created_at,
        contact_id=message.contact_id,
        payload=message.payload if reveals else None,
        request=meta_body(message.payload, message_id=message.id) if reveals else None,
        attempts=attempts_of(unit, letter.message_id),
        actions=_actions(unit, letter.id, reveals=reveals),
        assignee_name=assignee.name if assignee else None,
        same_error_open=count_kept(unit, Counted(LetterState.OPEN, fingerprint=letter.fingerprint)),
    )


def _actions(unit: Unit, letter_id: str, *, reveals: bool) -> list[ActionView]:
    """Oldest first."""
    actions = unit.session.exec(
        select(LetterAction)
        .where(col(LetterAction.letter_id) == letter_id)
        .order_by(col(LetterAction.at), col(LetterAction.id))
    ).all()
    in_charge = {action.text for action in actions if action.verb == "assigned"}
    people = unit.session.execute(
        select_columns(col(User.id), col(User.name)).where(col(User.id).in_(in_charge))
    ).all()
    names: dict[str | None, str] = dict(people)
    return [
        ActionView(
            at=action.at,
            actor=action.actor,
            verb=action.verb,
            text=names.get(action.text, action.text) if action.verb == "assigned" else action.text,
            payload_before=action.payload_before if reveals else None,
        )
        for action in actions
    ]
