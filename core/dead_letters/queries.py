"""Dead letters as people see them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, type_coerce
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
from data.enums import LetterState, MessageKind
from data.messages import DeadLetter, LetterAction, Message
from data.people import User

HOURS = 24
DAY = timedelta(hours=HOURS)
_HOUR_MICROS = 3_600_000_000
PASSING = frozenset({ErrorClass.RETRY, ErrorClass.WAIT})
FIXABLE = frozenset({ErrorClass.FIX, ErrorClass.HOLD})
# What a redrive comes to when nothing has changed, by what the failure was.
_FAILS_AGAIN = {
    ErrorClass.FIX: "It fails again unless the cause was mended. To change the message, edit it first.",
    ErrorClass.PERMANENT: "Meta refuses the same message again. Edit it first, or discard it.",
    ErrorClass.RECIPIENT: "It fails again: this contact takes no messages of this kind. Discard it.",
    ErrorClass.HOLD: "It waits in the queue until what stopped its number is mended.",
}


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """What a list of letters is narrowed to; None does not narrow. ``last_hours`` counts back from now."""

    state: LetterState | None = None
    error_code: str | None = None
    fingerprint: str | None = None
    phone_number_id: str | None = None
    template_name: str | None = None
    to: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None
    last_hours: int | None = None


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
    fails_again: str
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
    """``text`` is the reason, the note, or the name of who was put in charge. ``payload_before`` is None for
    those who may not see it."""

    at: datetime
    actor: str
    verb: str
    text: str | None
    payload_before: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class LetterDetail:
    """``payload`` is None for those who may not see it; of a template message its name and language are no
    secret."""

    row: LetterRow
    kind: MessageKind
    template_language: str | None
    created_at: datetime
    payload: dict[str, Any] | None
    attempts: list[AttemptView]
    actions: list[ActionView]
    assignee_name: str | None


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Letters with one cause. ``detail``: the words of one of them. ``per_hour``: the last 24 hours, oldest
    first."""

    fingerprint: str
    error_code: str
    title: str
    detail: str
    advice: str
    klass: ErrorClass
    template_name: str | None
    count: int
    first_seen: datetime
    last_seen: datetime
    per_hour: list[int]


@dataclass(frozen=True, slots=True)
class CodeCount:
    """Letters with one error code."""

    error_code: str
    title: str
    klass: ErrorClass
    count: int


@dataclass(frozen=True, slots=True)
class LetterFigures:
    """The dead letters at a glance.

    ``new``: died in the last 24 hours, whatever became of them since; ``new_before``: in the 24 hours before.
    ``can_pass``: open, and may go as they are; ``needs_fix``: open, and may go once a person has mended the
    cause. ``…_per_hour``: of those, the ones that died in each of the last 24 hours, oldest first. ``codes``:
    the open ones by code, most first.
    """

    open: int
    oldest_open_at: datetime | None
    new: int
    new_before: int
    new_per_hour: list[int]
    can_pass: int
    can_pass_per_hour: list[int]
    needs_fix: int
    needs_fix_per_hour: list[int]
    codes: list[CodeCount]


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
    assignee = unit.session.get(User, letter.assignee_id) if letter.assignee_id else None
    reveals = unit.actor.can("contacts.reveal")
    return LetterDetail(
        row=_row(unit, letter),
        kind=message.kind,
        template_language=message.template_language,
        created_at=message.created_at,
        payload=message.payload if reveals else None,
        attempts=attempts_of(unit, letter.message_id),
        actions=_actions(unit, letter.id, reveals=reveals),
        assignee_name=assignee.name if assignee else None,
    )


def letter_figures(unit: Unit) -> LetterFigures:
    """From indexes alone: with 240,000 open letters 0.2 s."""
    unit.require("dead_letters.view")
    by_code = unit.session.execute(
        select_columns(col(DeadLetter.error_code), func.count(), func.min(col(DeadLetter.dead_at)))
        .where(col(DeadLetter.workspace_id) == unit.workspace_id, col(DeadLetter.state) == LetterState.OPEN)
        .group_by(col(DeadLetter.error_code))
    ).all()
    codes = sorted(
        (CodeCount(code, explain(code).title, explain(code).klass, count) for code, count, _ in by_code),
        key=lambda each: (-each.count, each.error_code),
    )
    passing = [each for each in codes if each.klass in PASSING]
    fixable = [each for each in codes if each.klass in FIXABLE]
    is_open = col(DeadLetter.state) == LetterState.OPEN
    two_days = _per_hour(unit, col(DeadLetter.state).in_(list(LetterState)), hours=2 * HOURS)
    return LetterFigures(
        open=sum(each.count for each in codes),
        oldest_open_at=min((oldest for _, _, oldest in by_code), default=None),
        new=sum(two_days[HOURS:]),
        new_before=sum(two_days[:HOURS]),
        new_per_hour=two_days[HOURS:],
        can_pass=sum(each.count for each in passing),
        can_pass_per_hour=_per_hour(unit, is_open, _is_one_of(passing)),
        needs_fix=sum(each.count for each in fixable),
        needs_fix_per_hour=_per_hour(unit, is_open, _is_one_of(fixable)),
        codes=codes,
    )


def letter_groups(unit: Unit, wanted: LetterFilter, *, with_hours: bool = True) -> list[LetterGroup]:
    """Most letters first. Without the hours it takes half the time."""
    unit.require("dead_letters.view")
    matching = _narrow(unit, unit.scoped(DeadLetter), wanted).subquery()
    groups_of = (
        select_columns(
            matching.c.fingerprint,
            func.count().label("count"),
            func.min(matching.c.dead_at).label("first"),
            func.max(matching.c.dead_at).label("last"),
            func.max(matching.c.id).label("example_id"),
        )
        .group_by(matching.c.fingerprint)
        .order_by(func.count().desc(), matching.c.fingerprint)
        .limit(200)
        .subquery()
    )
    # One letter of each group names its code and template: a third of the time of asking all of them.
    statement = (
        select_columns(
            groups_of.c.fingerprint,
            col(DeadLetter.error_code),
            col(DeadLetter.template_name),
            col(DeadLetter.error_detail),
            groups_of.c.count,
            groups_of.c.first,
            groups_of.c.last,
        )
        .join(DeadLetter, col(DeadLetter.id) == groups_of.c.example_id)
        .order_by(groups_of.c.count.desc(), groups_of.c.fingerprint)
    )
    hourly = _hourly(unit, wanted) if with_hours else {}
    groups = []
    for fingerprint, code, template, detail, count, first, last in unit.session.execute(statement):
        why = explain(code)
        groups.append(
            LetterGroup(
                fingerprint=fingerprint,
                error_code=code,
                title=why.title,
                detail=detail,
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


def _is_one_of(codes: list[CodeCount]) -> ColumnElement[bool]:
    return col(DeadLetter.error_code).in_([each.error_code for each in codes])


def _per_hour(unit: Unit, *conditions: ColumnElement[bool], hours: int = HOURS) -> list[int]:
    """Letters that died in each of the last hours, oldest first."""
    since = unit.now - timedelta(hours=hours)
    hour = _hour_after(col(DeadLetter.dead_at), since)
    statement = (
        select_columns(hour, func.count())
        .where(
            col(DeadLetter.workspace_id) == unit.workspace_id,
            col(DeadLetter.dead_at) > since,
            *conditions,
        )
        .group_by(hour)
    )
    found = [0] * hours
    for index, count in unit.session.execute(statement):
        found[min(hours - 1, index)] += count
    return found


def _hour_after(moment: Any, since: datetime) -> ColumnElement[int]:
    return type_coerce((type_coerce(moment, BigInteger) - to_micros(since)) // _HOUR_MICROS, Integer)


def _hourly(unit: Unit, wanted: LetterFilter) -> dict[str, list[int]]:
    """fingerprint → letters in each of the last 24 hours, oldest first."""
    since = unit.now - DAY
    recent = _narrow(unit, unit.scoped(DeadLetter), wanted).where(col(DeadLetter.dead_at) > since).subquery()
    hour = _hour_after(recent.c.dead_at, since).label("hour")
    statement = select_columns(recent.c.fingerprint, hour, func.count()).group_by(recent.c.fingerprint, hour)
    found: dict[str, list[int]] = {}
    for fingerprint, index, count in unit.session.execute(statement):
        found.setdefault(fingerprint, [0] * HOURS)[min(HOURS - 1, index)] += count
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
    if wanted.last_hours is not None:
        statement = statement.where(col(DeadLetter.dead_at) > unit.now - timedelta(hours=wanted.last_hours))
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
        fails_again=_FAILS_AGAIN.get(why.klass, ""),
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
