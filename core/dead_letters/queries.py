"""Dead letters as people see them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select as select_columns
from sqlmodel import col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from core.contacts.rules import mask_number, pretty_number
from core.dead_letters.commands import RESTORABLE_FOR
from core.errors import Malformed
from core.messaging.queries import AttemptView, attempts_of, require_reveal
from core.ports.meta_errors import ErrorClass, explain
from core.unit import Unit
from data.columns import from_micros, to_micros
from data.enums import LetterState
from data.messages import DeadLetter, LetterAction, Message
from data.people import User

HOURS = 24


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """What a list of letters is narrowed to; None does not narrow."""

    state: LetterState | None = None
    error_code: str | None = None
    fingerprint: str | None = None
    phone_number_id: str | None = None
    template_name: str | None = None
    to: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One line of a list, with what may be done about it."""

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
    can_redrive: bool
    can_edit: bool
    can_discard: bool
    can_restore: bool


@dataclass(frozen=True, slots=True)
class LetterPage:
    items: list[LetterRow]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ActionView:
    at: datetime
    actor: str
    verb: str
    text: str | None
    payload_before: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class LetterDetail:
    """``payload`` is None for those who may not see it."""

    row: LetterRow
    payload: dict[str, Any] | None
    attempts: list[AttemptView]
    actions: list[ActionView]
    assignee_name: str | None


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Letters with one cause. ``per_hour``: the last 24 hours, oldest first."""

    fingerprint: str
    error_code: str
    title: str
    advice: str
    klass: ErrorClass
    template_name: str | None
    count: int
    first_seen: datetime
    last_seen: datetime
    per_hour: list[int]


def list_letters(
    unit: Unit, wanted: LetterFilter, *, cursor: str | None = None, limit: int = 50
) -> LetterPage:
    """Newest dead first. ``cursor`` is what ``next_cursor`` of the page before said."""
    unit.require("dead_letters.view")
    statement = _narrow(unit, unit.scoped(DeadLetter), wanted)
    if cursor is not None:
        dead_at, letter_id = _read_cursor(cursor)
        statement = statement.where(
            (col(DeadLetter.dead_at) < dead_at)
            | ((col(DeadLetter.dead_at) == dead_at) & (col(DeadLetter.id) < letter_id))
        )
    statement = statement.order_by(col(DeadLetter.dead_at).desc(), col(DeadLetter.id).desc()).limit(limit + 1)
    letters = list(unit.session.exec(statement))
    rows = [_row(unit, letter) for letter in letters[:limit]]
    more = len(letters) > limit
    return LetterPage(rows, _cursor(letters[limit - 1]) if more else None)


def count_letters(unit: Unit, wanted: LetterFilter) -> int:
    """How many match: the same conditions as the list."""
    unit.require("dead_letters.view")
    matching = _narrow(unit, unit.scoped(DeadLetter), wanted).subquery()
    return unit.session.exec(select(func.count()).select_from(matching)).one()


def counts_by_state(unit: Unit) -> dict[LetterState, int]:
    """state → number of letters; every state is present."""
    unit.require("dead_letters.view")
    statement = (
        select(DeadLetter.state, func.count())
        .where(col(DeadLetter.workspace_id) == unit.workspace_id)
        .group_by(col(DeadLetter.state))
    )
    found = {row[0]: row[1] for row in unit.session.exec(statement)}
    return {state: found.get(state, 0) for state in LetterState}


def letter_detail(unit: Unit, letter_id: str) -> LetterDetail:
    unit.require("dead_letters.view")
    letter = unit.find(DeadLetter, letter_id, called="dead letter")
    message = unit.session.get_one(Message, letter.message_id)
    actions = unit.session.exec(
        select(LetterAction)
        .where(col(LetterAction.letter_id) == letter.id)
        .order_by(col(LetterAction.at), col(LetterAction.id))
    )
    assignee = unit.session.get(User, letter.assignee_id) if letter.assignee_id else None
    return LetterDetail(
        row=_row(unit, letter),
        payload=message.payload if unit.actor.can("contacts.reveal") else None,
        attempts=attempts_of(unit, letter.message_id),
        actions=[ActionView(a.at, a.actor, a.verb, a.text, a.payload_before) for a in actions],
        assignee_name=assignee.name if assignee else None,
    )


def letter_groups(unit: Unit, wanted: LetterFilter) -> list[LetterGroup]:
    """Most letters first."""
    unit.require("dead_letters.view")
    matching = _narrow(unit, unit.scoped(DeadLetter), wanted).subquery()
    statement = (
        select_columns(
            matching.c.fingerprint,
            func.min(matching.c.error_code),
            func.min(matching.c.template_name),
            func.count(),
            func.min(matching.c.dead_at),
            func.max(matching.c.dead_at),
        )
        .group_by(matching.c.fingerprint)
        .order_by(func.count().desc(), matching.c.fingerprint)
        .limit(200)
    )
    hourly = _hourly(unit, wanted)
    groups = []
    for fingerprint, code, template, count, first, last in unit.session.execute(statement):
        why = explain(code)
        groups.append(
            LetterGroup(
                fingerprint=fingerprint,
                error_code=code,
                title=why.title,
                advice=why.advice,
                klass=why.klass,
                template_name=template,
                count=count,
                first_seen=first,
                last_seen=last,
                per_hour=hourly.get(fingerprint, [0] * HOURS),
            )
        )
    return groups


def _hourly(unit: Unit, wanted: LetterFilter) -> dict[str, list[int]]:
    """fingerprint → letters in each of the last 24 hours, oldest first."""
    since = unit.now - timedelta(hours=HOURS)
    recent = _narrow(unit, unit.scoped(DeadLetter), wanted).where(col(DeadLetter.dead_at) > since).subquery()
    found: dict[str, list[int]] = {}
    for fingerprint, dead_at in unit.session.exec(select(recent.c.fingerprint, recent.c.dead_at)):
        hour = min(HOURS - 1, int((dead_at - since).total_seconds() // 3600))
        found.setdefault(fingerprint, [0] * HOURS)[hour] += 1
    return found


def _narrow(
    unit: Unit, statement: SelectOfScalar[DeadLetter], wanted: LetterFilter
) -> SelectOfScalar[DeadLetter]:
    equal = {
        DeadLetter.state: wanted.state,
        DeadLetter.error_code: wanted.error_code,
        DeadLetter.fingerprint: wanted.fingerprint,
        DeadLetter.phone_number_id: wanted.phone_number_id,
        DeadLetter.template_name: wanted.template_name,
    }
    for column, value in equal.items():
        if value is not None:
            statement = statement.where(col(column) == value)
    if wanted.to is not None:
        require_reveal(unit)
        statement = statement.where(col(DeadLetter.recipient) == "+" + _digits(wanted.to))
    if wanted.since is not None:
        statement = statement.where(col(DeadLetter.dead_at) >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(col(DeadLetter.dead_at) < wanted.until)
    if wanted.q:
        statement = _search(unit, statement, wanted.q.strip())
    return statement


def _search(unit: Unit, statement: SelectOfScalar[DeadLetter], q: str) -> SelectOfScalar[DeadLetter]:
    """By id, message id, number or the beginning of one, code, template, or words of the error."""
    if q.startswith(("dl_", "msg_")):
        return statement.where((col(DeadLetter.id) == q) | (col(DeadLetter.message_id) == q))
    digits = _digits(q)
    if len(digits) >= 7 and not any(character.isalpha() for character in q):
        require_reveal(unit)
        start = f"+{digits}"
        return statement.where(col(DeadLetter.recipient) >= start, col(DeadLetter.recipient) < start + ":")
    code = q if q.startswith("meta_") else f"meta_{q}"
    return statement.where(
        (col(DeadLetter.error_code).in_([q, code]))
        | (col(DeadLetter.template_name) == q)
        | (col(DeadLetter.error_detail).icontains(q, autoescape=True))
    )


def _row(unit: Unit, letter: DeadLetter) -> LetterRow:
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
        can_redrive=can_redrive,
        can_edit=can_redrive and unit.actor.can("messages.send"),
        can_discard=is_open and unit.actor.can("dead_letters.discard"),
        can_restore=restorable and unit.actor.can("dead_letters.discard"),
    )


def _cursor(letter: DeadLetter) -> str:
    return f"{to_micros(letter.dead_at)}.{letter.id}"


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    micros, _, letter_id = cursor.partition(".")
    if not (micros.isascii() and micros.isdigit() and len(micros) <= 17 and letter_id):
        raise Malformed.field("cursor", "must be the nextCursor of an earlier answer")
    return from_micros(int(micros)), letter_id


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit() and character.isascii())
