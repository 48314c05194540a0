"""What lanes allow at this moment, in one query: every send asks for it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, text

from core.billing.plans import plans_in_force
from core.lanes import rules
from core.lanes.rules import Throughput
from core.unit import Unit
from data.enums import PlanName
from data.sending import Phone

_LANES = """
SELECT lane.phone_number_id, lane.slots, workspace.plan,
       EXISTS (SELECT 1 FROM hold
               WHERE hold.released_at IS NULL
                 AND ((hold.scope = 'lane' AND hold.subject = lane.phone_number_id)
                   OR (hold.scope = 'workspace' AND hold.subject = lane.workspace_id)
                   OR hold.scope = 'everything')) AS is_held
FROM lane JOIN workspace ON workspace.id = lane.workspace_id
WHERE lane.phone_number_id IN :ids
"""
_READ = text(_LANES).bindparams(bindparam("ids", expanding=True))
_READ_TO_WRITE = text(_LANES + "FOR UPDATE OF lane").bindparams(bindparam("ids", expanding=True))
_WRITE = text("UPDATE lane SET slots = :slots WHERE phone_number_id = :phone_number_id")


@dataclass(frozen=True, slots=True)
class LaneNow:
    """``slots`` as in lanes.rules; ``limit`` messages a second, by that plan; held: itself, its workspace or
    everything."""

    phone_number_id: str
    slots: bytes
    limit: int
    plan: PlanName
    is_held: bool
    at: datetime

    @property
    def throughput(self) -> Throughput:
        return rules.measure(self.slots, limit=self.limit, now=self.at)


def lanes_now(unit: Unit, phones: list[Phone]) -> dict[str, LaneNow]:
    """phone number id → its lane as it is, and as nobody else changes it until this transaction ends."""
    on_sqlite = unit.session.get_bind().dialect.name == "sqlite"
    rows = unit.session.connection().execute(
        _READ if on_sqlite else _READ_TO_WRITE, {"ids": [phone.id for phone in phones]}
    )
    plans = unit.once("plans", ask=lambda: plans_in_force(unit.session, at=unit.now))
    levels = {phone.id: phone.throughput_level for phone in phones}
    return {
        row[0]: LaneNow(
            phone_number_id=row[0],
            slots=bytes(row[1]),
            limit=rules.limit_per_second(
                plan_limit=plans[PlanName(row[2])].messages_per_second, level=levels[row[0]]
            ),
            plan=PlanName(row[2]),
            is_held=bool(row[3]),
            at=unit.now,
        )
        for row in rows
    }


def write_slots(unit: Unit, lanes: list[LaneNow]) -> None:
    unit.session.connection().execute(
        _WRITE, [{"slots": lane.slots, "phone_number_id": lane.phone_number_id} for lane in lanes]
    )
