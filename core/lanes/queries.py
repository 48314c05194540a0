"""The state of lanes: who is held, and how fast each may go."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, or_, select

from core.billing.plans import plans_in_force
from core.lanes.rules import Throughput, limit_per_second, measure
from core.unit import Unit
from data.enums import HoldCause, HoldScope, PlanName
from data.people import ApiKey, User, Workspace
from data.sending import Hold, Lane, Phone


@dataclass(frozen=True, slots=True)
class HoldView:
    """Why something waits, since when, and on whose word. ``held_by_name`` is None where it was no person's
    and no key's word of this workspace."""

    scope: HoldScope
    subject: str
    cause: HoldCause
    reason: str
    held_at: datetime
    held_by: str | None
    error_code: str | None
    held_by_name: str | None = None


def holds(unit: Unit) -> list[HoldView]:
    """The active holds of the workspace, newest first, and those of everything."""
    statement = (
        select(Hold, User.name, ApiKey.name)
        .outerjoin(User, col(User.id) == col(Hold.held_by))
        .outerjoin(ApiKey, col(ApiKey.id) == col(Hold.held_by))
        .where(
            col(Hold.released_at).is_(None),
            or_(col(Hold.workspace_id) == unit.workspace_id, col(Hold.scope) == HoldScope.EVERYTHING),
        )
        .order_by(col(Hold.held_at).desc())
        .limit(200)
    )
    return [
        HoldView(
            scope=row.scope,
            subject=row.subject,
            cause=row.cause,
            reason=row.reason,
            held_at=row.held_at,
            held_by=row.held_by,
            error_code=row.error_code,
            held_by_name=None if row.scope is HoldScope.EVERYTHING else person or key,
        )
        for row, person, key in unit.session.exec(statement)
    ]


def is_held(unit: Unit, *, phone_number_id: str, workspace_id: str) -> bool:
    """Whether the lane, its workspace or everything is held."""
    statement = select(Hold.id).where(
        col(Hold.released_at).is_(None),
        or_(
            (col(Hold.scope) == HoldScope.LANE) & (col(Hold.subject) == phone_number_id),
            (col(Hold.scope) == HoldScope.WORKSPACE) & (col(Hold.subject) == workspace_id),
            col(Hold.scope) == HoldScope.EVERYTHING,
        ),
    )
    return unit.session.exec(statement.limit(1)).first() is not None


def lane_limit(unit: Unit, phone: Phone) -> tuple[int, PlanName]:
    """Messages a second for the phone, and the plan that says so."""
    workspace = unit.session.get(Workspace, phone.workspace_id)
    if workspace is None:
        raise LookupError(phone.workspace_id)
    plan = plans_in_force(unit.session, at=unit.now)[workspace.plan]
    return limit_per_second(plan_limit=plan.messages_per_second, level=phone.throughput_level), workspace.plan


def throughput(unit: Unit, phone: Phone) -> Throughput:
    """The pace of the phone now."""
    lane = unit.session.get_one(Lane, phone.id)
    limit, _ = lane_limit(unit, phone)
    return measure(lane.slots, limit=limit, now=unit.now)
