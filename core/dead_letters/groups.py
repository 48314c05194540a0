"""Dead letters by cause: what is broken, since when, for whom, and whether it is safe to send again (Q11)."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Integer, Select, cast, type_coerce
from sqlalchemy import select as select_columns
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import col, func, select

from core.dead_letters.filters import LetterFilter, states_of
from core.dead_letters.lists import matching_ids
from core.messaging.letter_counts import HOUR_US, Tally, sums_by_hour, tallies
from core.ports.meta_errors import ErrorClass, explain
from core.unit import Unit
from data.columns import to_micros
from data.messages import DeadLetter

HOURS = 24
GROUPS_MAX = 200


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Letters with one cause. ``detail``: the words of one of them. ``per_hour``: the last 24 hours by the
    clock, oldest first, the present one last. ``phones``: phone → how many of them, most first;
    ``templates`` likewise, None for texts."""

    fingerprint: str
    error_code: str
    title: str
    meaning: str
    detail: str
    advice: str
    klass: ErrorClass
    template_name: str | None
    count: int
    first_seen: datetime
    last_seen: datetime
    per_hour: list[int]
    phones: dict[str, int]
    templates: dict[str | None, int]


def letter_groups(unit: Unit, wanted: LetterFilter, *, with_hours: bool = True) -> list[LetterGroup]:
    """Most letters first, ``GROUPS_MAX`` of them. Of state, code, class, cause, phone and template the counts
    are known; of anything else they are counted."""
    unit.require("dead_letters.view")
    known = _of_class(wanted, tallies(unit, wanted.counted) if wanted.is_kept else _count(unit, wanted))
    counts: Counter[str] = Counter()
    for one in known:
        counts[one.fingerprint] += one.letters
    largest = sorted(counts, key=lambda fingerprint: (-counts[fingerprint], fingerprint))[:GROUPS_MAX]
    by_fingerprint: dict[str, list[Tally]] = {}
    for one in known:
        by_fingerprint.setdefault(one.fingerprint, []).append(one)
    hourly = _hourly(unit, wanted) if with_hours else {}
    seen = _seen(unit, wanted, largest)
    return [
        _group(by_fingerprint[one], *seen[one], hourly.get(one, [0] * HOURS))
        for one in largest
        if one in seen
    ]


def _group(parts: list[Tally], first: DeadLetter, last: DeadLetter, per_hour: list[int]) -> LetterGroup:
    why = explain(last.error_code)
    phones: Counter[str] = Counter()
    templates: Counter[str | None] = Counter()
    for part in parts:
        phones[part.phone_number_id] += part.letters
        templates[part.template_name or None] += part.letters
    return LetterGroup(
        fingerprint=last.fingerprint,
        error_code=last.error_code,
        title=why.title,
        meaning=why.meaning,
        detail=last.error_detail,
        advice=why.advice,
        klass=why.klass,
        template_name=last.template_name,
        count=sum(part.letters for part in parts),
        first_seen=first.dead_at,
        last_seen=last.dead_at,
        per_hour=per_hour,
        phones=dict(phones.most_common()),
        templates=dict(templates.most_common()),
    )


def _seen(
    unit: Unit, wanted: LetterFilter, fingerprints: list[str]
) -> dict[str, tuple[DeadLetter, DeadLetter]]:
    """The first and the last letter of each cause: two steps into an index for each state. Those that have
    just gone are absent."""
    causes = _listed(unit, fingerprints)
    columns = []
    for state in states_of(wanted):
        mine = (
            select_columns(col(DeadLetter.id))
            .where(
                col(DeadLetter.workspace_id) == unit.workspace_id,
                col(DeadLetter.state) == state,
                col(DeadLetter.fingerprint) == causes.c.value,
            )
            .limit(1)
            .correlate(causes)
        )
        if not wanted.is_kept:
            mine = mine.where(col(DeadLetter.id).in_(matching_ids(unit, wanted)))
        if wanted.phone_number_id is not None:
            mine = mine.where(col(DeadLetter.phone_number_id) == wanted.phone_number_id)
        for order in (
            (col(DeadLetter.dead_at).asc(), col(DeadLetter.id).asc()),
            (col(DeadLetter.dead_at).desc(), col(DeadLetter.id).desc()),
        ):
            columns.append(mine.order_by(*order).scalar_subquery())
    ids = {
        letter_id
        for row in unit.session.execute(select_columns(*columns).select_from(causes))
        for letter_id in row
        if letter_id is not None
    }
    found: dict[str, tuple[DeadLetter, DeadLetter]] = {}
    ends = select(DeadLetter).where(col(DeadLetter.id).in_(ids))
    for letter in unit.session.exec(ends.order_by(col(DeadLetter.dead_at), col(DeadLetter.id))):
        first, _ = found.get(letter.fingerprint, (letter, letter))
        found[letter.fingerprint] = (first, letter)
    return found


def _listed(unit: Unit, values: list[str]) -> Any:
    """They as a table with one column, ``value``."""
    if unit.session.get_bind().dialect.name == "sqlite":
        return func.json_each(json.dumps(values)).table_valued("value", name="causes")
    return func.jsonb_array_elements_text(cast(values, JSONB)).table_valued("value", name="causes")


def _of_class(wanted: LetterFilter, known: list[Tally]) -> list[Tally]:
    if wanted.klass is None:
        return known
    return [one for one in known if explain(one.error_code).klass is wanted.klass]


def _count(unit: Unit, wanted: LetterFilter) -> list[Tally]:
    key = _key()
    statement = _matching(unit, wanted, *key, func.count()).group_by(*key)
    return [
        Tally(row[0], row[1], row[2], row[3], row[4] or "", row[5]) for row in unit.session.execute(statement)
    ]


def _hourly(unit: Unit, wanted: LetterFilter) -> dict[str, list[int]]:
    """fingerprint → letters in each of the last 24 hours, oldest first."""
    found: dict[str, list[int]] = {}
    if wanted.is_kept:
        for (fingerprint,), index, count in sums_by_hour(
            unit, wanted.counted, by=("fingerprint",), hours=HOURS
        ):
            found.setdefault(fingerprint, [0] * HOURS)[index] += count
        return found
    first = to_micros(unit.now) // HOUR_US - HOURS + 1
    hour = type_coerce(type_coerce(col(DeadLetter.dead_at), BigInteger) // HOUR_US, Integer)
    since = unit.now - timedelta(hours=HOURS)
    statement = (
        _matching(unit, wanted, col(DeadLetter.fingerprint), hour, func.count())
        .where(col(DeadLetter.dead_at) > since)
        .group_by(col(DeadLetter.fingerprint), hour)
    )
    for fingerprint, number, count in unit.session.execute(statement):
        if number >= first:
            found.setdefault(fingerprint, [0] * HOURS)[min(number - first, HOURS - 1)] += count
    return found


def _key() -> list[Any]:
    return [
        col(DeadLetter.state),
        col(DeadLetter.fingerprint),
        col(DeadLetter.phone_number_id),
        col(DeadLetter.error_code),
        col(DeadLetter.template_name),
    ]


def _matching(unit: Unit, wanted: LetterFilter, *columns: Any) -> Select[Any]:
    return select_columns(*columns).where(
        col(DeadLetter.workspace_id) == unit.workspace_id,
        col(DeadLetter.id).in_(matching_ids(unit, wanted)),
    )
