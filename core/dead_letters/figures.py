"""The dead letters at a glance, and whether what is kept of them is right."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select as select_columns
from sqlmodel import col, func

from core.dead_letters.groups import HOURS
from core.messaging.letter_counts import Counted, sums, sums_by_hour, tallies
from core.ports.meta_errors import ErrorClass, explain
from core.unit import Unit
from data.enums import LetterState
from data.messages import DeadLetter

PASSING = frozenset({ErrorClass.RETRY, ErrorClass.WAIT})
FIXABLE = frozenset({ErrorClass.FIX, ErrorClass.HOLD})


@dataclass(frozen=True, slots=True)
class CodeCount:
    """Letters with one error code."""

    error_code: str
    title: str
    klass: ErrorClass
    count: int


@dataclass(frozen=True, slots=True)
class LetterFigures:
    """The dead letters at a glance. Hours are those of the clock; the present one counts as one.

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


def letter_figures(unit: Unit) -> LetterFigures:
    """From the kept counts: the same few rows with ten letters and with a million."""
    unit.require("dead_letters.view")
    by_code: Counter[str] = Counter()
    for (code,), letters in sums(unit, Counted(state=LetterState.OPEN), by=("error_code",)):
        by_code[code] += letters
    codes = sorted(
        (CodeCount(code, explain(code).title, explain(code).klass, n) for code, n in by_code.items()),
        key=lambda each: (-each.count, each.error_code),
    )
    hours = sums_by_hour(unit, Counted(), by=("state", "error_code"), hours=2 * HOURS)
    died = [(code, hour, letters) for (_, code), hour, letters in hours]
    still_open = [
        (code, hour, letters) for (state, code), hour, letters in hours if state is LetterState.OPEN
    ]
    two_days = _per_hour(died)
    return LetterFigures(
        open=sum(each.count for each in codes),
        oldest_open_at=_oldest_open_at(unit),
        new=sum(two_days[HOURS:]),
        new_before=sum(two_days[:HOURS]),
        new_per_hour=two_days[HOURS:],
        can_pass=sum(each.count for each in codes if each.klass in PASSING),
        can_pass_per_hour=_per_hour(still_open, classes=PASSING)[HOURS:],
        needs_fix=sum(each.count for each in codes if each.klass in FIXABLE),
        needs_fix_per_hour=_per_hour(still_open, classes=FIXABLE)[HOURS:],
        codes=codes,
    )


def verify_counts(unit: Unit) -> list[str]:
    """Counts all letters of the workspace anew; a sentence for each count that is kept wrongly."""
    key = [
        col(DeadLetter.state),
        col(DeadLetter.fingerprint),
        col(DeadLetter.phone_number_id),
        col(DeadLetter.error_code),
        func.coalesce(col(DeadLetter.template_name), ""),
    ]
    counted = select_columns(*key, func.count()).where(col(DeadLetter.workspace_id) == unit.workspace_id)
    true = {tuple(row[:5]): row[5] for row in unit.session.execute(counted.group_by(*key))}
    kept = {
        (one.state, one.fingerprint, one.phone_number_id, one.error_code, one.template_name): one.letters
        for one in tallies(unit, Counted())
    }
    return [
        f"{' '.join(map(str, one))}: kept {kept.get(one, 0)}, counted {true.get(one, 0)}"
        for one in sorted(true.keys() | kept.keys())
        if kept.get(one, 0) != true.get(one, 0)
    ]


def _oldest_open_at(unit: Unit) -> datetime | None:
    oldest = select_columns(func.min(col(DeadLetter.dead_at))).where(
        col(DeadLetter.workspace_id) == unit.workspace_id, col(DeadLetter.state) == LetterState.OPEN
    )
    return unit.session.scalars(oldest).first()


def _per_hour(
    hours: list[tuple[str, int, int]], *, classes: Collection[ErrorClass] | None = None
) -> list[int]:
    found = [0] * (2 * HOURS)
    for code, hour, letters in hours:
        if classes is None or explain(code).klass in classes:
            found[hour] += letters
    return found
