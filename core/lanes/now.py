"""What lanes allow at this moment, in one query: every send asks for it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, text

from core.billing.limits import IS_LIMITED
from core.lanes import rules
from core.lanes.pace import inbound_now
from core.lanes.rules import Throughput
from core.unit import Unit
from data.columns import to_micros
from data.enums import PlanName

_LANES = f"""
SELECT lane.phone_number_id, lane.workspace_id, lane.slots, phone.waba_id, phone.throughput_level,
       phone.own_limit, workspace.plan, access_token.sealed,
       (SELECT plan.messages_per_second FROM plan
        WHERE plan.name = workspace.plan AND plan.valid_from <= :now
        ORDER BY plan.version DESC LIMIT 1) AS plan_limit,
       EXISTS (SELECT 1 FROM hold
               WHERE hold.released_at IS NULL
                 AND ((hold.scope = 'lane' AND hold.subject = lane.phone_number_id)
                   OR (hold.scope = 'workspace' AND hold.subject = lane.workspace_id)
                   OR hold.scope = 'everything')) AS is_held,
       EXISTS (SELECT 1 FROM hold
               WHERE hold.released_at IS NULL AND hold.scope = 'template') AS has_held_templates,
       EXISTS (SELECT 1 FROM pair_limit
               WHERE pair_limit.phone_number_id = lane.phone_number_id
                 AND pair_limit.until > :now) AS has_slowed_pairs,
       {IS_LIMITED} AS is_limited
FROM lane
JOIN phone ON phone.id = lane.phone_number_id
JOIN workspace ON workspace.id = lane.workspace_id
LEFT JOIN access_token ON access_token.waba_id = phone.waba_id
WHERE lane.phone_number_id IN :phone_number_ids
"""  # noqa: S608 - a constant of ours
_WANTED: BindParameter[Any] = bindparam("phone_number_ids", expanding=True)
_READ = text(_LANES).bindparams(_WANTED)
_READ_TO_WRITE = text(_LANES + "ORDER BY lane.phone_number_id FOR UPDATE OF lane").bindparams(_WANTED)
_WRITE = text("UPDATE lane SET slots = :slots WHERE phone_number_id = :phone_number_id")


@dataclass(frozen=True, slots=True)
class LaneNow:
    """``slots`` as in lanes.rules; ``limit`` messages a second, by that plan, of which what came in leaves
    ``room``; held: itself, its workspace or everything; limited: the workspace may run out of conversations
    to open. ``has_held_templates``: any of any account are; ``has_slowed_pairs``: some of its
    pairs have to wait. ``sealed_token``: what the vault opens, None for an account without one."""

    phone_number_id: str
    workspace_id: str
    waba_id: str
    slots: bytes
    limit: int
    room: int
    plan: PlanName
    is_held: bool
    is_limited: bool
    has_held_templates: bool
    has_slowed_pairs: bool
    sealed_token: bytes | None
    at: datetime

    @property
    def throughput(self) -> Throughput:
        return rules.measure(self.slots, limit=self.limit, now=self.at)


def lanes_now(unit: Unit, phone_number_ids: Collection[str]) -> dict[str, LaneNow]:
    """phone number id → its lane as it is, and as it stays until this transaction ends; of any workspace.
    Numbers that nobody connected are absent."""
    if not phone_number_ids:
        return {}
    on_sqlite = unit.session.get_bind().dialect.name == "sqlite"
    rows = (
        unit.session.connection()
        .execute(
            _READ if on_sqlite else _READ_TO_WRITE,
            {"phone_number_ids": list(phone_number_ids), "now": to_micros(unit.now)},
        )
        .all()
    )
    levels = {row.phone_number_id: rules.level_limit(row.throughput_level, row.own_limit) for row in rows}
    bound_by_meta = [row.phone_number_id for row in rows if levels[row.phone_number_id] <= row.plan_limit]
    inbound = inbound_now(unit, bound_by_meta)
    found = {}
    for row in rows:
        limit = min(row.plan_limit, levels[row.phone_number_id])
        found[row.phone_number_id] = LaneNow(
            phone_number_id=row.phone_number_id,
            workspace_id=row.workspace_id,
            waba_id=row.waba_id,
            slots=bytes(row.slots),
            limit=limit,
            room=max(0, limit - inbound.get(row.phone_number_id, 0)),
            plan=PlanName(row.plan),
            is_held=bool(row.is_held),
            is_limited=bool(row.is_limited),
            has_held_templates=bool(row.has_held_templates),
            has_slowed_pairs=bool(row.has_slowed_pairs),
            sealed_token=row.sealed,
            at=unit.now,
        )
    return found


def write_slots(unit: Unit, lanes: Collection[LaneNow]) -> None:
    """What was taken of those lanes is on record."""
    if lanes:
        unit.session.connection().execute(
            _WRITE, [{"slots": lane.slots, "phone_number_id": lane.phone_number_id} for lane in lanes]
        )
