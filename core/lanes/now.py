"""What one lane allows at this moment, in one query: every send asks for it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from core.billing.plans import plans_in_force
from core.lanes import rules
from core.lanes.rules import Throughput
from core.unit import Unit
from data.enums import PlanName
from data.sending import Phone

_LANE = """
SELECT lane.slots, workspace.plan,
       EXISTS (SELECT 1 FROM hold
               WHERE hold.released_at IS NULL
                 AND ((hold.scope = 'lane' AND hold.subject = lane.phone_number_id)
                   OR (hold.scope = 'workspace' AND hold.subject = lane.workspace_id)
                   OR hold.scope = 'everything')) AS is_held
FROM lane JOIN workspace ON workspace.id = lane.workspace_id
WHERE lane.phone_number_id = :phone_number_id
"""
_READ = text(_LANE)
_READ_TO_WRITE = text(_LANE + "FOR UPDATE OF lane")
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


def lane_now(unit: Unit, phone: Phone) -> LaneNow:
    """The lane of the phone as it is, and as it stays until this transaction ends."""
    on_sqlite = unit.session.get_bind().dialect.name == "sqlite"
    row = (
        unit.session.connection()
        .execute(_READ if on_sqlite else _READ_TO_WRITE, {"phone_number_id": phone.id})
        .one()
    )
    plans = unit.once("plans", ask=lambda: plans_in_force(unit.session, at=unit.now))
    plan = PlanName(row.plan)
    return LaneNow(
        phone_number_id=phone.id,
        slots=bytes(row.slots),
        limit=rules.limit_per_second(
            plan_limit=plans[plan].messages_per_second, level=phone.throughput_level
        ),
        plan=plan,
        is_held=bool(row.is_held),
        at=unit.now,
    )


def write_slots(unit: Unit, lane: LaneNow) -> None:
    unit.session.connection().execute(_WRITE, {"slots": lane.slots, "phone_number_id": lane.phone_number_id})
