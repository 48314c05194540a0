"""What the limit of a phone is at this moment, and what its window is told afterwards."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, text

from core.billing.plans import plans_in_force
from core.ids import first_id
from core.lanes import rules
from core.lanes.redrive_windows import load_windows, write_windows
from core.unit import Unit
from data.enums import PlanName

_LANES = """
SELECT lane.phone_number_id, lane.slots, phone.throughput_level, phone.own_limit, workspace.plan
FROM lane
JOIN phone ON phone.id = lane.phone_number_id
JOIN workspace ON workspace.id = lane.workspace_id
WHERE lane.phone_number_id IN :phones
ORDER BY lane.phone_number_id
"""
_WANTED: BindParameter[Any] = bindparam("phones", expanding=True)
_READ = text(_LANES).bindparams(_WANTED)
_READ_TO_WRITE = text(_LANES + "FOR UPDATE OF lane").bindparams(_WANTED)
_WRITE = text("UPDATE lane SET slots = :slots WHERE phone_number_id = :phone_number_id")
# Ids are as old as their messages, so the newest of a phone are a short range of its index.
_INBOUND = text(
    "SELECT phone_number_id, COUNT(*) FROM message "
    "WHERE workspace_id IN (SELECT workspace_id FROM lane WHERE phone_number_id IN :phones) "
    "AND phone_number_id IN :phones AND id >= :since AND direction = 'inbound' GROUP BY phone_number_id"
).bindparams(_WANTED)


@dataclass(frozen=True, slots=True)
class PhonePace:
    """What a phone's limit follows from."""

    phone_number_id: str
    plan: PlanName
    throughput_level: str
    own_limit: int | None


@dataclass(frozen=True, slots=True)
class Missed:
    """A slot whose moment passed before its request was written. It may go from ``to`` until ``until``; of a
    bulk redrive, when that has room too."""

    phone_number_id: str
    given: datetime
    to: datetime
    until: datetime
    redrive_id: str | None = None


@dataclass(frozen=True, slots=True)
class Late:
    """A slot whose request was written after its moment, before anybody could be asked."""

    phone_number_id: str
    given: datetime
    written: datetime
    redrive_id: str | None = None


def limits_now(unit: Unit, phones: Iterable[PhonePace]) -> dict[str, int]:
    """phone → messages it may send a second. Meta counts inbound ones with them, so where its own level
    binds, those of the last second take from it (Q13)."""
    plans = unit.once("plans", ask=lambda: plans_in_force(unit.session, at=unit.now))
    limits: dict[str, int] = {}
    bound_by_meta: dict[str, int] = {}
    for phone in phones:
        plan_limit = plans[phone.plan].messages_per_second
        level = rules.level_limit(phone.throughput_level, phone.own_limit)
        limits[phone.phone_number_id] = min(plan_limit, level)
        if level <= plan_limit:
            bound_by_meta[phone.phone_number_id] = level
    for phone_number_id, inbound in inbound_now(unit, bound_by_meta).items():
        limits[phone_number_id] = max(0, bound_by_meta[phone_number_id] - inbound)
    return limits


def inbound_now(unit: Unit, phone_number_ids: Collection[str]) -> dict[str, int]:
    """phone → how many messages came in to it during the last second; those without any are absent."""
    if not phone_number_ids:
        return {}
    wanted = {"phones": list(phone_number_ids), "since": first_id("msg", unit.now - rules.WINDOW)}
    return {row[0]: row[1] for row in unit.session.connection().execute(_INBOUND, wanted)}


def move_slots(unit: Unit, moved: Sequence[Missed | Late]) -> list[datetime | None]:
    """The windows know of other moments than those that were given. Returns for each, in order, the moment
    at which it may be, or was, written; None where it may not be any more."""
    connection = unit.session.connection()
    wanted = {"phones": sorted({one.phone_number_id for one in moved})}
    rows = connection.execute(_READ if _on_sqlite(unit) else _READ_TO_WRITE, wanted).all()
    slots = {row[0]: bytes(row[1]) for row in rows}
    limits = limits_now(unit, [PhonePace(row[0], PlanName(row[4]), row[2], row[3]) for row in rows])
    paced_by = {one.redrive_id for one in moved if one.redrive_id is not None}
    redrives = load_windows(unit, paced_by) if paced_by else {}
    moments: list[datetime | None] = []
    for one in moved:
        phone = one.phone_number_id
        paced = redrives.get(one.redrive_id or "")
        if isinstance(one, Late):
            slots[phone] = rules.correct(slots[phone], given=one.given, written=one.written)
            if paced is not None:
                paced.slots = rules.correct(paced.slots, given=one.given, written=one.written)
            moments.append(one.written)
        elif paced is not None:
            slots[phone], paced.slots, moment = rules.postpone_both(
                slots[phone],
                paced.slots,
                limits=(limits[phone], paced.rate_per_second),
                given=(one.given, one.given),
                to=one.to,
                until=one.until,
            )
            moments.append(moment)
        else:
            slots[phone], moment = rules.postpone(
                slots[phone], limit=limits[phone], given=one.given, to=one.to, until=one.until
            )
            moments.append(moment)
    connection.execute(
        _WRITE, [{"slots": packed, "phone_number_id": phone} for phone, packed in slots.items()]
    )
    write_windows(unit, redrives.values(), now=unit.now)
    return moments


def _on_sqlite(unit: Unit) -> bool:
    return unit.session.get_bind().dialect.name == "sqlite"
