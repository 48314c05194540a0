"""The plans of B7: one table of price and throughput."""

from datetime import datetime

from sqlmodel import Session, col, select

from data.enums import PlanName
from data.sending import Plan


def plans_in_force(session: Session, *, at: datetime) -> dict[PlanName, Plan]:
    """plan name → its newest version that is valid at ``at``; every name is present."""
    versions = session.exec(select(Plan).where(col(Plan.valid_from) <= at).order_by(col(Plan.version)))
    return {plan.name: plan for plan in versions}
