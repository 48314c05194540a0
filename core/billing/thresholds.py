"""What a workspace must be told about its month (B11): shares that are used up, a flood, a parked invoice."""

from datetime import timedelta

from sqlalchemy import text
from sqlmodel import col, select

from core.alerts.commands import raise_alert, resolve_alert
from core.billing import periods
from core.billing.history import zones_of
from core.billing.invoices import GRACE
from core.billing.money import exact
from core.billing.queries import MonthView, month_view
from core.billing.workspaces import workspace_ids
from core.conversations.spans import counted
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.billing import Invoice
from data.columns import to_micros
from data.enums import InvoiceState, Severity
from data.people import Workspace

WATCH = Identity(process="billing watch")
PERCENTS = {50: Severity.INFO, 80: Severity.WARNING, 100: Severity.WARNING, 120: Severity.CRITICAL}
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
FLOOD_AT_LEAST = 100
FLOOD_TIMES = 10
_REACHED = text(
    "INSERT INTO billing_threshold (workspace_id, period, subject, percent, reached_at) "
    "VALUES (:workspace_id, :period, :subject, :percent, :reached_at) ON CONFLICT DO NOTHING"
)


def watch_all(runtime: Runtime) -> None:
    """Every workspace's alerts about its month are as they should be."""
    for workspace_id in workspace_ids(runtime):
        with runtime.unit(WATCH, write=True) as unit:
            watch(unit, unit.session.get_one(Workspace, workspace_id))


def watch(unit: Unit, workspace: Workspace) -> None:
    """Each share of the included conversations and of the budget raises its alert once a month, on the way
    up; the alerts of the month before are resolved."""
    zones = zones_of(unit, workspace)
    period = periods.period_of(zones, unit.now)
    month = month_view(unit, workspace, period)
    before = periods.period_of(zones, period.start - timedelta(microseconds=1)).name
    for kind, used, whole, words in _shares(month):
        resolve_alert(unit, kind=kind, subject=before, workspace_id=workspace.id)
        for percent in reached(used, whole):
            if _is_new(unit, workspace.id, period.name, kind, percent):
                raise_alert(
                    unit,
                    kind=kind,
                    subject=period.name,
                    severity=PERCENTS[percent],
                    title=f"{percent} % of {words} of {period.name} is used",
                    detail=month.explanation,
                    workspace_id=workspace.id,
                    link="/billing",
                )
    _watch_flood(unit, workspace)
    _watch_parked(unit, workspace)


def reached(used: int, whole: int) -> list[int]:
    """The percentages that ``used`` has come to, lowest first. *400 of 500 → 50 and 80.* Of nothing, none."""
    return [percent for percent in PERCENTS if whole > 0 and used * 100 >= whole * percent]


def is_flood(last_hour: int, week: int) -> bool:
    """Whether customers open so many conversations that somebody may be running up the bill: at least 100 in
    an hour, and ten times the hourly mean of the week before. *150, after a week of 1,680 (10 an hour) → yes;
    150, after 16,800 (100 an hour) → no.*"""
    return last_hour >= FLOOD_AT_LEAST and last_hour * 168 > week * FLOOD_TIMES


def _shares(month: MonthView) -> list[tuple[str, int, int, str]]:
    """(kind of alert, used, of how much, in words)."""
    rating = month.rating
    shares = [("billing_included", rating.total, rating.included, "the included conversations")]
    if month.budget_micros is not None:
        words = f"the budget of {exact(month.budget_micros)} USD"
        shares.append(("billing_budget", rating.amount_micros, month.budget_micros, words))
    return shares


def _is_new(unit: Unit, workspace_id: str, period: str, subject: str, percent: int) -> bool:
    asked = {
        "workspace_id": workspace_id,
        "period": period,
        "subject": subject,
        "percent": percent,
        "reached_at": to_micros(unit.now),
    }
    return unit.session.connection().execute(_REACHED, asked).rowcount == 1


def _watch_flood(unit: Unit, workspace: Workspace) -> None:
    since = unit.now - HOUR
    [hour] = counted(unit.session, workspace.id, [(since, unit.now)])
    before = 0
    if hour.customer >= FLOOD_AT_LEAST:  # the week is asked only then: it may be long
        before = counted(unit.session, workspace.id, [(since - WEEK, since)])[0].customer
    if is_flood(hour.customer, before):
        raise_alert(
            unit,
            kind="billing_flood",
            subject=workspace.id,
            severity=Severity.CRITICAL,
            title=f"Customers opened {hour.customer:,} conversations within an hour",
            detail=f"In the week before it were {before / 168:.0f} an hour.",
            workspace_id=workspace.id,
            link="/billing/conversations",
        )
    else:
        resolve_alert(unit, kind="billing_flood", subject=workspace.id, workspace_id=workspace.id)


def _watch_parked(unit: Unit, workspace: Workspace) -> None:
    statement = select(Invoice).where(
        col(Invoice.workspace_id) == workspace.id,
        col(Invoice.state) == InvoiceState.DRAFT,
        col(Invoice.end_at) <= unit.now - GRACE,
        col(Invoice.parked_reason).is_not(None),
    )
    for invoice in unit.session.exec(statement):
        raise_alert(
            unit,
            kind="invoice_parked",
            subject=invoice.period,
            severity=Severity.WARNING,
            title=f"The invoice of {invoice.period} is parked",
            detail=invoice.parked_reason or "",
            workspace_id=workspace.id,
            link=f"/billing/invoices/{invoice.id}",
        )
