"""Adding up what was counted: into minutes, hours and days, each of all and of every phone and template."""

import json
from collections import Counter
from itertools import product

from sqlalchemy import text
from sqlmodel import col, select

from core.traffic.measures import MINUTE_US, Counts
from core.unit import Unit
from data.columns import to_micros
from data.traffic import TrafficChange

MINUTE, HOUR, DAY = 1, 60, 1440
# Minutes are kept for the last day and the one before, hours for a month and the one before, days for a year
# and what is needed to compare it with.
KEPT_MINUTES = {MINUTE: 49 * HOUR, HOUR: 63 * DAY, DAY: 800 * DAY}
AT_ONCE = 2_000

_TAKE = """
DELETE FROM traffic_change
WHERE number IN (SELECT number FROM traffic_change ORDER BY number LIMIT :most {lock})
RETURNING workspace_id, minute, phone_number_id, template_name, counts
"""
_TAKES = {
    "sqlite": text(_TAKE.format(lock="")),
    "postgresql": text(_TAKE.format(lock="FOR UPDATE SKIP LOCKED")),
}
_KEY = "workspace_id, step, phone_number_id, template_name, slot"
_FIND = text(
    "SELECT counts FROM traffic WHERE workspace_id = :workspace_id AND step = :step "
    "AND phone_number_id = :phone_number_id AND template_name = :template_name AND slot = :slot"
)
_KEEP = text(
    f"INSERT INTO traffic ({_KEY}, counts) VALUES "  # noqa: S608 - names of ours
    "(:workspace_id, :step, :phone_number_id, :template_name, :slot, :counts) "
    f"ON CONFLICT ({_KEY}) DO UPDATE SET counts = excluded.counts"
)
# A leader that was thought dead may still be at it: what each read, the other must have written before.
_ALONE = text("LOCK TABLE traffic IN EXCLUSIVE MODE")
_FORGET = text("DELETE FROM traffic WHERE step = :step AND slot < :before")

_Key = tuple[str, int, str, str, int]


def has_changes(unit: Unit) -> bool:
    return unit.session.scalars(select(col(TrafficChange.number)).limit(1)).first() is not None


def add_up(unit: Unit) -> int:
    """The oldest changes are in the sums; returns how many. Call until it is below ``AT_ONCE``."""
    connection = unit.session.connection()
    if connection.dialect.name != "sqlite":  # where one writes at a time
        connection.execute(_ALONE)
    taken = connection.execute(_TAKES[connection.dialect.name], {"most": AT_ONCE}).all()
    told: dict[tuple[str, int, str, str], Counts] = {}
    for workspace_id, minute, phone, template, counts in taken:
        told.setdefault((workspace_id, minute, phone, template), Counter()).update(_read(counts))
    sums: dict[_Key, Counts] = {}
    for (workspace_id, minute, phone, template), counts in told.items():
        for step, each_phone, each_template in product(KEPT_MINUTES, {phone, ""}, {template, ""}):
            key = (workspace_id, step, each_phone, each_template, minute - minute % step)
            sums.setdefault(key, Counter()).update(counts)
    rows = []
    for key, counts in sorted(sums.items()):
        named = dict(zip(_KEY.split(", "), key, strict=True))
        before = connection.execute(_FIND, named).scalar()
        together = counts + Counter(_read(before)) if before is not None else counts
        rows.append({**named, "counts": json.dumps(together)})
    if rows:
        connection.execute(_KEEP, rows)
    return len(taken)


def forget_old(unit: Unit) -> None:
    """Slots that are older than they are kept are gone."""
    minute = to_micros(unit.now) // MINUTE_US
    for step, minutes in KEPT_MINUTES.items():
        unit.session.connection().execute(_FORGET, {"step": step, "before": minute - minutes})


def _read(counts: str | dict[str, int]) -> dict[str, int]:
    """SQLite has JSON as text, PostgreSQL's driver reads it."""
    return json.loads(counts) if isinstance(counts, str) else counts
