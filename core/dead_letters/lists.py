"""Dead letters as lists: a page of them in any order, and how many there are."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, literal, tuple_, union_all
from sqlalchemy import select as select_columns
from sqlmodel import col, func, select

from core.dead_letters.filters import LetterFilter, branches, conditions
from core.dead_letters.rows import LetterRow, row_of
from core.dead_letters.search import by_words, number_of
from core.errors import Malformed
from core.messaging.letter_counts import Counted, count_kept, sums
from core.ports.meta_errors import explain
from core.unit import Unit
from data.columns import Instant, from_micros, to_micros
from data.enums import LetterState
from data.letters import LetterText
from data.messages import DeadLetter


class LetterSort(StrEnum):
    """The order of a list: by the moment of death, or by attempts and then by that moment."""

    NEWEST = "newest"
    OLDEST = "oldest"
    MOST_ATTEMPTS = "mostAttempts"
    FEWEST_ATTEMPTS = "fewestAttempts"

    @property
    def is_downward(self) -> bool:
        return self in (LetterSort.NEWEST, LetterSort.MOST_ATTEMPTS)

    @property
    def is_by_attempts(self) -> bool:
        return self in (LetterSort.MOST_ATTEMPTS, LetterSort.FEWEST_ATTEMPTS)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a letter stands in any order."""

    attempts: int
    dead_at: datetime
    letter_id: str


@dataclass(frozen=True, slots=True)
class LetterPage:
    """``next_cursor`` goes on after the last; None at the end."""

    items: list[LetterRow]
    next_cursor: str | None


def list_letters(
    unit: Unit,
    wanted: LetterFilter,
    *,
    cursor: str | None = None,
    limit: int = 50,
    sort: LetterSort = LetterSort.NEWEST,
) -> LetterPage:
    """In that order. ``cursor`` is what ``next_cursor`` of the page before said; letters that die meanwhile
    move nothing that comes after it."""
    unit.require("dead_letters.view")
    _check_sort(wanted, sort)
    after = None if cursor is None else read_cursor(cursor)
    letters = find_letters(unit, wanted, sort=sort, after=after, limit=limit + 1)
    shown = letters[:limit]
    rows = [row_of(unit, letter) for letter in shown]
    return LetterPage(rows, cursor_of(shown[-1]) if len(letters) > limit else None)


def count_letters(unit: Unit, wanted: LetterFilter) -> int:
    """How many match: the same conditions as the list. Of state, code, class, cause, phone and template it is
    known; of anything else it is counted."""
    unit.require("dead_letters.view")
    if wanted.is_kept:
        if wanted.klass is None:
            return count_kept(unit, wanted.counted)
        known = sums(unit, wanted.counted, by=("error_code",))
        return sum(letters for (code,), letters in known if explain(code).klass is wanted.klass)
    matching = matching_ids(unit, wanted).subquery()
    return int(unit.session.execute(select_columns(func.count()).select_from(matching)).scalar_one())


def counts_by_state(unit: Unit) -> dict[LetterState, int]:
    """state → number of letters; every state is present."""
    unit.require("dead_letters.view")
    found = dict.fromkeys(LetterState, 0)
    for (state,), letters in sums(unit, Counted(), by=("state",)):
        found[state] += letters
    return found


def find_letters(
    unit: Unit,
    wanted: LetterFilter,
    *,
    sort: LetterSort,
    after: Place | None = None,
    up_to: Place | None = None,
    limit: int,
) -> list[DeadLetter]:
    """The letters themselves, ``limit`` at most, those after ``after`` and, of the oldest first, not after
    ``up_to``."""
    order = _order(sort)
    if wanted.is_by_words:
        # As long as nothing was resolved and died again, numbers grow as moments do.
        number = number_of(unit)
        ids = _found_by_words(unit, wanted).order_by(number.desc() if sort.is_downward else number.asc())
        if after is not None:
            ids = ids.where(_is_after_words(unit, after, sort))
        if up_to is not None:
            ids = ids.where(_is_after(up_to, LetterSort.NEWEST) | (col(DeadLetter.id) == up_to.letter_id))
        found = list(unit.session.scalars(ids.limit(limit)))
        # By their ids alone: SQLite would rather walk all of the workspace than look up fifty.
        by_id = select(DeadLetter).where(col(DeadLetter.id).in_(found))
        letters = {letter.id: letter for letter in unit.session.exec(by_id)}
        return [letters[letter_id] for letter_id in found]
    narrowed = conditions(unit, wanted)
    if after is not None:
        narrowed.append(_is_after(after, sort))
    if up_to is not None:
        narrowed.append(_is_after(up_to, LetterSort.NEWEST) | (col(DeadLetter.id) == up_to.letter_id))
    if wanted.is_by_number:  # those that begin so are found first, in this workspace and state
        of_class = [_is_any(branches(unit, replace(wanted, state=None)))] if wanted.klass is not None else []
        few = select(DeadLetter).where(*narrowed, *of_class).order_by(*order).limit(limit)
        return list(unit.session.exec(few))
    parts = [
        unit.scoped(DeadLetter).where(branch, *narrowed).order_by(*order).limit(limit)
        for branch in branches(unit, wanted)
    ]
    if len(parts) == 1:
        return list(unit.session.exec(parts[0]))
    # The first of each part come from an index, so that a million letters are never sorted.
    firsts = [part.with_only_columns(col(DeadLetter.id)).subquery() for part in parts]
    ids_of_all = union_all(*(select_columns(first.c.id) for first in firsts))
    whole = select(DeadLetter).where(col(DeadLetter.id).in_(ids_of_all)).order_by(*order).limit(limit)
    return list(unit.session.exec(whole))


def matching_ids(unit: Unit, wanted: LetterFilter) -> Select[Any]:
    """The ids of all that match, in no order."""
    if wanted.is_by_words:
        return _found_by_words(unit, wanted)
    narrowed = conditions(unit, wanted)
    parts = [
        unit.scoped(DeadLetter).with_only_columns(col(DeadLetter.id)).where(branch, *narrowed)
        for branch in branches(unit, wanted)
    ]
    if len(parts) == 1:
        return parts[0]
    return select_columns(union_all(*parts).subquery().c.id)


def place_of(letter: DeadLetter) -> Place:
    return Place(letter.attempts, letter.dead_at, letter.id)


def cursor_of(letter: DeadLetter) -> str:
    return f"{to_micros(letter.dead_at)}.{letter.attempts}.{letter.id}"


def read_cursor(cursor: str) -> Place:
    """Malformed for anything but what ``cursor_of`` wrote."""
    micros, _, rest = cursor.partition(".")
    attempts, _, letter_id = rest.partition(".")
    digits = micros.isascii() and micros.isdigit() and attempts.isascii() and attempts.isdigit()
    if not (digits and len(micros) <= 17 and len(attempts) <= 9 and letter_id):
        raise Malformed.field("cursor", "must be the nextCursor of an earlier answer")
    return Place(int(attempts), from_micros(int(micros)), letter_id)


def _check_sort(wanted: LetterFilter, sort: LetterSort) -> None:
    if wanted.is_by_words and sort.is_by_attempts:
        raise Malformed.field("sort", "must be newest or oldest where words are searched for")


def _order(sort: LetterSort) -> tuple[ColumnElement[Any], ...]:
    columns = [col(DeadLetter.dead_at), col(DeadLetter.id)]
    if sort.is_by_attempts:
        columns.insert(0, col(DeadLetter.attempts))
    return tuple(column.desc() if sort.is_downward else column.asc() for column in columns)


def _is_after(place: Place, sort: LetterSort) -> ColumnElement[bool]:
    columns: list[Any] = [col(DeadLetter.dead_at), col(DeadLetter.id)]
    values: list[Any] = [literal(place.dead_at, Instant()), literal(place.letter_id)]
    if sort.is_by_attempts:
        columns.insert(0, col(DeadLetter.attempts))
        values.insert(0, literal(place.attempts, Integer()))
    mine, its = tuple_(*columns), tuple_(*values)
    return mine < its if sort.is_downward else mine > its


def _found_by_words(unit: Unit, wanted: LetterFilter) -> Select[Any]:
    found = by_words(unit, wanted.q or "").where(*conditions(unit, wanted))
    if wanted.state is not None:
        found = found.where(col(DeadLetter.state) == wanted.state)
    if wanted.klass is not None:
        found = found.where(_is_any(branches(unit, wanted)))
    return found


def _is_any(parts: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole | part
    return whole


def _is_after_words(unit: Unit, place: Place, sort: LetterSort) -> ColumnElement[bool]:
    """In the order of ``LetterText.number``. A letter whose words are gone is at the end of neither."""
    number = unit.session.scalars(
        select_columns(col(LetterText.number)).where(col(LetterText.letter_id) == place.letter_id)
    ).first()
    if number is None:
        return _is_after(place, sort)
    mine: ColumnElement[Any] = number_of(unit)
    return mine < number if sort.is_downward else mine > number
