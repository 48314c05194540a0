"""What a list of dead letters is narrowed to, as conditions that indexes answer."""

from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, false
from sqlmodel import col, select

from core.dead_letters.search import Find, is_by_words, read_search
from core.errors import Malformed
from core.messaging.letter_counts import Counted, error_codes_of
from core.messaging.queries import require_reveal
from core.moments import rfc3339
from core.ports.meta_errors import ErrorClass, explain
from core.unit import Unit
from data.enums import LetterState
from data.messages import Attempt, DeadLetter, Message

# Whose letters nobody looks after.
NOBODY = "none"
# Of the numbers that begin with some digits so many letters are looked at; more digits find the others.
NUMBERS_MAX = 5_000
_KEPT = frozenset({"state", "error_code", "fingerprint", "phone_number_id", "template_name", "klass"})


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """What a list of letters is narrowed to; None does not narrow.

    ``q`` is an id, a wamid, a number or the beginning of one, or words of the error and the message.
    ``last_hours`` counts back from now. ``assignee_id`` may be ``NOBODY``. ``bulk_id``: closed by that bulk
    work, or its message sent by it.
    """

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
    klass: ErrorClass | None = None
    attempts: int | None = None
    assignee_id: str | None = None
    bulk_id: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it narrows nothing but the state."""
        return replace(self, state=None) == LetterFilter()

    @property
    def is_by_words(self) -> bool:
        return self.q is not None and is_by_words(self.q)

    @property
    def is_by_number(self) -> bool:
        return self.q is not None and read_search(self.q)[0] is Find.NUMBER

    @property
    def is_kept(self) -> bool:
        """Whether the kept counts know how many match."""
        return all(getattr(self, one.name) is None for one in fields(self) if one.name not in _KEPT)

    @property
    def counted(self) -> Counted:
        """The part of it that the kept counts know."""
        return Counted(
            state=self.state,
            error_code=self.error_code,
            fingerprint=self.fingerprint,
            phone_number_id=self.phone_number_id,
            template_name=self.template_name,
        )


def frozen(wanted: LetterFilter, *, now: datetime) -> LetterFilter:
    """The same filter tomorrow: hours that count back from now are a moment."""
    if wanted.last_hours is None:
        return wanted
    since = now - timedelta(hours=wanted.last_hours)
    return replace(wanted, last_hours=None, since=max(since, wanted.since or since))


def filter_json(wanted: LetterFilter) -> dict[str, Any]:
    """As a row keeps it: what narrows, moments in RFC 3339."""
    return {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in asdict(wanted).items()
        if value is not None
    }


def read_filter(kept: dict[str, Any]) -> LetterFilter:
    """What ``filter_json`` wrote."""
    values = dict(kept)
    for name, kind in (("state", LetterState), ("klass", ErrorClass)):
        if name in values:
            values[name] = kind(values[name])
    for name in ("since", "until"):
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    return LetterFilter(**values)


def states_of(wanted: LetterFilter) -> list[LetterState]:
    return [wanted.state] if wanted.state is not None else list(LetterState)


def branches(unit: Unit, wanted: LetterFilter) -> list[ColumnElement[bool]]:
    """Conditions of which each letter that matches fulfils one. Every index begins with the state, so one
    without a state is asked once for each; a class is asked once for each of its codes that occur."""
    states = [col(DeadLetter.state) == state for state in states_of(wanted)]
    if wanted.klass is None:
        return list(states)
    codes = [
        code
        for code in error_codes_of(unit, unit.workspace_id)
        if explain(code).klass is wanted.klass and wanted.error_code in (None, code)
    ]
    pairs = product(states, [col(DeadLetter.error_code) == code for code in codes])
    return [state & code for state, code in pairs] or [false()]


def conditions(unit: Unit, wanted: LetterFilter) -> list[ColumnElement[bool]]:
    """All others: without state, class and words. Forbidden when a number is asked for by someone who may not
    see numbers."""
    found: list[ColumnElement[bool]] = []
    equal = {
        DeadLetter.error_code: wanted.error_code,
        DeadLetter.fingerprint: wanted.fingerprint,
        DeadLetter.phone_number_id: wanted.phone_number_id,
        DeadLetter.template_name: wanted.template_name,
        DeadLetter.attempts: wanted.attempts,
    }
    for column, value in equal.items():
        if value is not None:
            found.append(col(column) == value)
    if wanted.assignee_id is not None:
        named = None if wanted.assignee_id == NOBODY else wanted.assignee_id
        found.append(col(DeadLetter.assignee_id).is_(None) if named is None else _is_charged(named))
    if wanted.bulk_id is not None:
        sent_by_it = select(Message.id).where(col(Message.redrive_id) == wanted.bulk_id)
        found.append((col(DeadLetter.bulk_id) == wanted.bulk_id) | col(DeadLetter.message_id).in_(sent_by_it))
    if wanted.to is not None:
        require_reveal(unit)
        found.append(col(DeadLetter.recipient) == "+" + _digits(wanted.to))
    if wanted.last_hours is not None:
        found.append(col(DeadLetter.dead_at) > unit.now - timedelta(hours=wanted.last_hours))
    if wanted.since is not None:
        found.append(col(DeadLetter.dead_at) >= wanted.since)
    if wanted.until is not None:
        found.append(col(DeadLetter.dead_at) < wanted.until)
    if wanted.q and not wanted.is_by_words:
        found.append(_found_by(unit, wanted))
    return found


def _is_charged(user_id: str) -> ColumnElement[bool]:
    return col(DeadLetter.assignee_id) == user_id


def _found_by(unit: Unit, wanted: LetterFilter) -> ColumnElement[bool]:
    how, text = read_search(wanted.q or "")
    if how is Find.ID:
        return (col(DeadLetter.id) == text) | (col(DeadLetter.message_id) == text)
    if how is Find.WAMID:
        attempts = select(Attempt.message_id).where(col(Attempt.wamid) == text)
        return col(DeadLetter.message_id).in_(attempts)
    require_reveal(unit)
    begins = (
        unit.scoped(DeadLetter)
        .with_only_columns(col(DeadLetter.id))
        .where(
            col(DeadLetter.state).in_(states_of(wanted)),
            col(DeadLetter.recipient) >= text,
            col(DeadLetter.recipient) < text + ":",
        )
        .limit(NUMBERS_MAX)
    )
    return col(DeadLetter.id).in_(begins)


def check_filter(wanted: LetterFilter) -> None:
    """Malformed for one that says twice when."""
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise Malformed.field("until", "must be later than from")


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit() and character.isascii())
