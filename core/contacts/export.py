"""Everything we hold about one contact, for the contact."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from pydantic.alias_generators import to_camel
from sqlmodel import SQLModel, col, select

from core.contacts.detail import load
from core.contacts.emptying import theirs
from core.moments import rfc3339
from core.unit import Unit
from data.messages import (
    Attempt,
    Contact,
    DeadLetter,
    LetterAction,
    Message,
    MessageStatus,
    ServiceWindow,
    Suppression,
)


def export(unit: Unit, contact_id: str) -> dict[str, Any]:
    """Row by row, as it is stored: the contact and its aliases, windows and suppressions, and each message
    with its attempts, statuses and dead letters, oldest first. That it was taken out is an audit entry."""
    unit.require("contacts.manage")
    contact = load(unit, contact_id)
    unit.record("contact.exported", f"contact:{contact.id}")
    aliases = select(Contact).where(col(Contact.merged_into) == contact.id).order_by(col(Contact.id))
    windows = select(ServiceWindow).where(col(ServiceWindow.contact_id) == contact.id)
    suppressions = select(Suppression).where(col(Suppression.contact_id) == contact.id)
    return {
        "exportedAt": rfc3339(unit.now),
        "contact": _told(contact),
        "aliases": [_told(row) for row in unit.session.exec(aliases)],
        "serviceWindows": [
            _told(row) for row in unit.session.exec(windows.order_by(col(ServiceWindow.phone_number_id)))
        ],
        "suppressions": [_told(row) for row in unit.session.exec(suppressions.order_by(col(Suppression.id)))],
        "messages": _messages(unit, contact),
    }


def _messages(unit: Unit, contact: Contact) -> list[dict[str, Any]]:
    ids = theirs(contact)
    messages = select(Message).where(col(Message.contact_id) == contact.id).order_by(col(Message.id))
    attempts = select(Attempt).where(col(Attempt.message_id).in_(ids)).order_by(col(Attempt.number))
    statuses = (
        select(MessageStatus).where(col(MessageStatus.message_id).in_(ids)).order_by(col(MessageStatus.at))
    )
    letters = select(DeadLetter).where(col(DeadLetter.message_id).in_(ids)).order_by(col(DeadLetter.round))
    actions = (
        select(LetterAction)
        .join(DeadLetter, col(DeadLetter.id) == col(LetterAction.letter_id))
        .where(col(DeadLetter.message_id).in_(ids))
        .order_by(col(LetterAction.at), col(LetterAction.id))
    )
    tried = _by(unit.session.exec(attempts).all(), "message_id")
    reported = _by(unit.session.exec(statuses).all(), "message_id")
    dead = _by(unit.session.exec(letters).all(), "message_id")
    acts = _by(unit.session.exec(actions).all(), "letter_id")
    return [
        {
            **_told(message),
            "attempts": [_told(row) for row in tried.get(message.id, [])],
            "statuses": [_told(row) for row in reported.get(message.id, [])],
            "deadLetters": [
                {**_told(row), "actions": [_told(act) for act in acts.get(row.id, [])]}
                for row in dead.get(message.id, [])
            ],
        }
        for message in unit.session.exec(messages)
    ]


def _by(rows: Sequence[Any], name: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(getattr(row, name), []).append(row)
    return found


def _told(row: SQLModel) -> dict[str, Any]:
    """Every column, under the name that the API would give it."""
    return {to_camel(name): _value(getattr(row, name)) for name in type(row).model_fields}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return value.value if isinstance(value, Enum) else value
