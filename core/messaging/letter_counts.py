"""How many dead letters there are: kept, not counted.

Triggers of ``dead_letter`` write each change in the transaction that makes it. Now and then the changes are
added up; whoever asks adds those that are not.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, text, union_all
from sqlalchemy import select as select_columns
from sqlmodel import col, func

from core.unit import Unit
from data.columns import to_micros
from data.enums import LetterState
from data.letters import LetterHour, LetterTally, LetterTallyChange

HOUR_US = 3_600_000_000
# The hours are for the last day and the one before.
HOURS_KEPT = 50
AT_ONCE = 20_000

_KEY = ("workspace_id", "state", "fingerprint", "phone_number_id", "error_code", "template_name")
_ADD_UP = text(
    "INSERT INTO letter_tally (workspace_id, state, fingerprint, phone_number_id, error_code, template_name, "
    "letters) VALUES (:workspace_id, :state, :fingerprint, :phone_number_id, :error_code, :template_name, "
    ":letters) ON CONFLICT (workspace_id, state, fingerprint, phone_number_id, error_code, template_name) "
    "DO UPDATE SET letters = letter_tally.letters + excluded.letters"
)
_ADD_UP_HOUR = text(
    "INSERT INTO letter_hour (workspace_id, state, fingerprint, phone_number_id, error_code, template_name, "
    "hour, letters) VALUES (:workspace_id, :state, :fingerprint, :phone_number_id, :error_code, "
    ":template_name, :hour, :letters) ON CONFLICT (workspace_id, hour, state, fingerprint, phone_number_id, "
    "error_code, template_name) DO UPDATE SET letters = letter_hour.letters + excluded.letters"
)
_FORGET_EMPTY = text("DELETE FROM letter_tally WHERE letters = 0")
_FORGET_HOURS = text("DELETE FROM letter_hour WHERE hour < :first")
_TAKE = """
DELETE FROM letter_tally_change
WHERE number IN (SELECT number FROM letter_tally_change ORDER BY number LIMIT :most {lock})
RETURNING workspace_id, state, fingerprint, phone_number_id, error_code, template_name, hour, letters
"""
_TAKES = {
    "sqlite": text(_TAKE.format(lock="")),
    "postgresql": text(_TAKE.format(lock="FOR UPDATE SKIP LOCKED")),
}


@dataclass(frozen=True, slots=True)
class Counted:
    """Which letters are counted; None does not narrow."""

    state: LetterState | None = None
    error_code: str | None = None
    fingerprint: str | None = None
    phone_number_id: str | None = None
    template_name: str | None = None

    def conditions(self, table: Any) -> list[ColumnElement[bool]]:
        return [
            getattr(table, name) == value
            for name in ("state", "error_code", "fingerprint", "phone_number_id", "template_name")
            if (value := getattr(self, name)) is not None
        ]


@dataclass(frozen=True, slots=True)
class Tally:
    """Letters of one cause, phone and state. ``template_name`` is empty for texts."""

    state: LetterState
    fingerprint: str
    phone_number_id: str
    error_code: str
    template_name: str
    letters: int


def tallies(unit: Unit, wanted: Counted) -> list[Tally]:
    """Each combination of the workspace's letters that occurs."""
    return [
        Tally(LetterState(state), fingerprint, phone, code, template, letters)
        for (state, fingerprint, phone, code, template), letters in sums(unit, wanted, by=_KEY[1:])
    ]


def sums(unit: Unit, wanted: Counted, *, by: tuple[str, ...]) -> list[tuple[tuple[Any, ...], int]]:
    """Letters by those columns of ``LetterTally``; where there are none is absent."""
    return _sums(unit, LetterTally, wanted, by)


def sums_by_hour(
    unit: Unit, wanted: Counted, *, by: tuple[str, ...], hours: int
) -> list[tuple[tuple[Any, ...], int, int]]:
    """The same for the last hours by the clock, each with the hour and the letters: 0 is the oldest hour,
    ``hours - 1`` the present one."""
    first = to_micros(unit.now) // HOUR_US - hours + 1
    found = _sums(unit, LetterHour, wanted, (*by, "hour"), first_hour=first)
    return [(key[:-1], min(key[-1] - first, hours - 1), letters) for key, letters in found]


def count_kept(unit: Unit, wanted: Counted) -> int:
    return sum(letters for _, letters in sums(unit, wanted, by=("state",)))


def error_codes_of(unit: Unit, workspace_id: str) -> list[str]:
    """The codes that letters of the workspace have."""
    codes: set[str] = set()
    for table in (LetterTally, LetterTallyChange):
        found = select_columns(col(table.error_code)).where(col(table.workspace_id) == workspace_id)
        codes.update(unit.session.scalars(found.distinct()))
    return sorted(codes)


def add_up(unit: Unit) -> int:
    """The oldest changes are in the sums; returns how many. Call until it is 0."""
    connection = unit.session.connection()
    taken = connection.execute(_TAKES[connection.dialect.name], {"most": AT_ONCE}).all()
    sums: Counter[tuple[Any, ...]] = Counter()
    by_hour: Counter[tuple[Any, ...]] = Counter()
    first = to_micros(unit.now) // HOUR_US - HOURS_KEPT
    for *key, hour, letters in taken:
        sums[tuple(key)] += letters
        if hour >= first:
            by_hour[(*key, hour)] += letters
    # In one order, whoever adds up: two that do so at once wait for each other in turn.
    tallied = [{**_named(key), "letters": n} for key, n in sorted(sums.items()) if n]
    hourly = [{**_named(key[:-1]), "hour": key[-1], "letters": n} for key, n in sorted(by_hour.items()) if n]
    if tallied:
        connection.execute(_ADD_UP, tallied)
        connection.execute(_FORGET_EMPTY)
    if hourly:
        connection.execute(_ADD_UP_HOUR, hourly)
    return len(taken)


def forget_old_hours(unit: Unit) -> None:
    """What nobody asks for any more is gone."""
    first = to_micros(unit.now) // HOUR_US - HOURS_KEPT
    unit.session.connection().execute(_FORGET_HOURS, {"first": first})


def has_changes(unit: Unit) -> bool:
    return unit.session.scalars(select_columns(col(LetterTallyChange.number)).limit(1)).first() is not None


def _named(key: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(_KEY, key, strict=True))


def _sums(
    unit: Unit,
    kept: type[LetterTally | LetterHour],
    wanted: Counted,
    by: tuple[str, ...],
    *,
    first_hour: int | None = None,
) -> list[tuple[tuple[Any, ...], int]]:
    parts = []
    for table in (kept, LetterTallyChange):
        columns = [col(getattr(table, name)) for name in by]
        part = select_columns(*columns, func.sum(col(table.letters)).label("letters")).where(
            col(table.workspace_id) == unit.workspace_id, *wanted.conditions(table)
        )
        if first_hour is not None:
            part = part.where(col(table.hour) >= first_hour)  # type: ignore[union-attr]
        parts.append(part.group_by(*columns))
    both = union_all(*parts).subquery()
    letters = func.sum(both.c.letters)
    key = [both.c[name] for name in by]
    statement = select_columns(*key, letters).group_by(*key).having(letters != 0)
    return [(tuple(row[:-1]), int(row[-1])) for row in unit.session.execute(statement)]
