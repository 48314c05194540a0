"""What changes what a workspace owes: its plan and its time zone; and where its invoices go."""

import re
from datetime import datetime

from sqlmodel import col, select

from core.billing.history import zones_of
from core.billing.periods import next_start
from core.conversations.commands import hold_account
from core.errors import Impossible
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.billing import PlanChange, ZoneChange
from data.enums import PlanName
from data.people import Workspace

CLERK = Identity(process="billing")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def workspace_ids(runtime: Runtime) -> list[str]:
    """All of them, oldest first."""
    with runtime.unit(CLERK) as unit:
        return list(unit.session.exec(select(Workspace.id).order_by(col(Workspace.id))))


def change_plan(unit: Unit, workspace: Workspace, plan: PlanName) -> None:
    """From this moment on the workspace is on ``plan``; what opened before keeps its price (B8)."""
    hold_account(unit, workspace.id)
    unit.session.add(
        PlanChange(
            id=unit.new_id("plc"),
            workspace_id=workspace.id,
            at=unit.now,
            old=workspace.plan,
            new=plan,
            changed_by=unit.actor.id,
        )
    )
    workspace.plan = plan
    unit.session.add(workspace)


def next_month(unit: Unit, workspace: Workspace) -> datetime:
    """When the month after this one begins, by the zone that counts now; a zone to come counts from then."""
    return next_start(zones_of(unit, workspace), unit.now)


def begin_zones(runtime: Runtime) -> None:
    """Zones whose month has begun are the workspaces' zones, and remembered with their month."""
    with runtime.unit(CLERK, write=True) as unit:
        statement = select(Workspace).where(
            col(Workspace.pending_timezone_from).is_not(None),
            col(Workspace.pending_timezone_from) <= unit.now,
        )
        for workspace in unit.session.exec(statement.with_for_update()):
            if workspace.pending_timezone is None or workspace.pending_timezone_from is None:
                continue
            unit.session.add(
                ZoneChange(
                    workspace_id=workspace.id,
                    at=workspace.pending_timezone_from,
                    old=workspace.timezone,
                    new=workspace.pending_timezone,
                )
            )
            unit.record(
                "workspace.zone_began",
                f"workspace:{workspace.slug}",
                before={"timezone": workspace.timezone},
                after={"timezone": workspace.pending_timezone},
                workspace_id=workspace.id,
            )
            workspace.timezone = workspace.pending_timezone
            workspace.pending_timezone = workspace.pending_timezone_from = None
            unit.session.add(workspace)


def change_billing_email(unit: Unit, email: str | None) -> None:
    """Invoices are mailed there; None: to the owners."""
    unit.require("billing.manage")
    if email is not None and not _EMAIL.fullmatch(email.strip()):
        raise Impossible(f"“{email[:80]}” is not an e-mail address.", code="email")
    account = hold_account(unit, unit.workspace_id)
    before, account.email = account.email, None if email is None else email.strip()
    unit.session.add(account)
    unit.record(
        "billing.email_changed",
        f"workspace:{unit.workspace_id}",
        before={"email": before},
        after={"email": account.email},
    )
