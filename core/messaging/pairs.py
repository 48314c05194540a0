"""Meta's limit for one phone and one person (Q5): what it complained of, and what it lets through unasked."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import text

from core.unit import Unit
from data.columns import from_micros, to_micros
from data.engine import Keyed

Pair = tuple[str, str]

EVERY = timedelta(seconds=6)
BURST = 45
# So long after a complaint has passed, the next one is the first again.
FORGIVEN_AFTER = timedelta(minutes=5)

_REFUSALS = text(
    "SELECT refusals, until FROM pair_limit WHERE phone_number_id = :phone AND contact_id = :contact"
)
_REFUSED = text(
    "INSERT INTO pair_limit (phone_number_id, contact_id, refusals, until) "
    "VALUES (:phone, :contact, :refusals, :until) "
    "ON CONFLICT (phone_number_id, contact_id) DO UPDATE SET refusals = :refusals, until = :until"
)
_LIMITS = Keyed(
    "SELECT phone_number_id, contact_id, until, owed_until FROM pair_limit "
    "WHERE (phone_number_id, contact_id) IN (SELECT value->>0, value->>1 FROM {pairs})"
)
_OWES = text(
    "INSERT INTO pair_limit (phone_number_id, contact_id, refusals, owed_until) "
    "VALUES (:phone, :contact, 0, :owed) "
    "ON CONFLICT (phone_number_id, contact_id) DO UPDATE SET owed_until = :owed"
)


def refusals(unit: Unit, pair: Pair) -> int:
    """How many complaints about the pair there were in a row: a wait is 4 to the power of that many seconds.
    What was on its way when the last one came says nothing new."""
    row = unit.session.connection().execute(_REFUSALS, _named(pair)).first()
    if row is None or row.until is None:
        return 0
    now = to_micros(unit.now)
    if now >= row.until + FORGIVEN_AFTER // timedelta(microseconds=1):
        return 0
    return int(row.refusals) - 1 if now < row.until else int(row.refusals)


def put_off(unit: Unit, pair: Pair, *, refusals: int, until: datetime) -> None:
    """Nothing of the pair goes before that moment."""
    values = {"refusals": refusals, "until": to_micros(until)}
    unit.session.connection().execute(_REFUSED, _named(pair) | values)


def limits_of(unit: Unit, pairs: Collection[Pair]) -> dict[Pair, tuple[datetime | None, datetime | None]]:
    """pair → nothing of it goes before, and what was sent so far is paid for at; others are absent."""
    rows = _LIMITS.rows(unit.session.connection(), sorted(pairs))
    return {(row[0], row[1]): (_moment(row[2]), _moment(row[3])) for row in rows}


def may_go_at(owed_until: datetime | None, *, now: datetime) -> datetime:
    """When the pair may have its next message, by Meta's rule of one every 6 s with 45 in advance.

    *45 sent at once → the next in 6 s; after a minute of silence ten more at once.*
    """
    owed = max(owed_until or now, now)
    return max(now, owed - (BURST - 1) * EVERY)


def owed_after(owed_until: datetime | None, *, now: datetime) -> datetime:
    return max(owed_until or now, now) + EVERY


def write_owed(unit: Unit, owed: Iterable[tuple[Pair, datetime]]) -> None:
    rows = [_named(pair) | {"owed": to_micros(until)} for pair, until in sorted(owed)]
    if rows:
        unit.session.connection().execute(_OWES, rows)


def _named(pair: Pair) -> dict[str, object]:
    return {"phone": pair[0], "contact": pair[1]}


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
