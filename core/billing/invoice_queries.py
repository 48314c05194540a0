"""Invoices as people see them."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import col, select

from core.billing import periods
from core.billing.money import exact
from core.billing.periods import Zones
from core.unit import Unit
from data.billing import BillingAccount, Invoice
from data.enums import InvoiceState, PlanName
from data.people import Workspace


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """``unit_micros`` None: the line has no single price."""

    kind: str
    period: str
    description: str
    quantity: int
    unit_micros: int | None
    amount_micros: int


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An invoice, with what may be done about it. ``number`` and ``hash`` come with finalising."""

    id: str
    number: int | None
    state: InvoiceState
    workspace_name: str
    period: str
    first_day: date
    last_day: date
    timezone: str
    plan: PlanName
    conversations: int
    included: int
    billable: int
    lines: list[InvoiceLine]
    amount_micros: int
    hash: str | None
    parked_reason: str | None
    drafted_at: datetime
    finalised_at: datetime | None
    finalised_by: str | None
    voided_at: datetime | None
    void_reason: str | None
    replaces_id: str | None
    replaced_by_id: str | None
    mailed_at: datetime | None
    can_finalise: bool
    can_void: bool

    @property
    def title(self) -> str:
        return f"Draft of {self.period}" if self.number is None else f"Invoice {self.number}"

    @property
    def amount_exact(self) -> str:
        return exact(self.amount_micros)


@dataclass(frozen=True, slots=True)
class InvoicePage:
    items: list[InvoiceView]
    next_cursor: str | None


def list_invoices(
    unit: Unit, *, state: InvoiceState | None = None, cursor: str | None = None, limit: int = 50
) -> InvoicePage:
    """Newest month first, a replacement before what it replaces."""
    unit.require("billing.view")
    statement = unit.scoped(Invoice)
    if state is not None:
        statement = statement.where(col(Invoice.state) == state)
    if cursor is not None:
        period, _, invoice_id = cursor.partition(".")
        statement = statement.where(
            (col(Invoice.period) < period)
            | ((col(Invoice.period) == period) & (col(Invoice.id) < invoice_id))
        )
    ordered = statement.order_by(col(Invoice.period).desc(), col(Invoice.id).desc())
    found = list(unit.session.exec(ordered.limit(limit + 1)))
    shown = found[:limit]
    views = _views(unit, shown)
    more = len(found) > limit
    return InvoicePage(views, f"{shown[-1].period}.{shown[-1].id}" if more else None)


def invoice_view(unit: Unit, invoice_id: str) -> InvoiceView:
    """NotFound for another workspace's, as for one that is not there."""
    unit.require("billing.view")
    return _views(unit, [unit.find(Invoice, invoice_id, called="invoice")])[0]


def invoice_taken_out(unit: Unit, invoice_id: str) -> InvoiceView:
    """The same, for those who may take it out as a file."""
    unit.require("billing.export")
    return invoice_view(unit, invoice_id)


def billing_email(unit: Unit) -> str | None:
    """Where invoices are mailed to; None: to the owners."""
    unit.require("billing.view")
    account = unit.session.get(BillingAccount, unit.workspace_id)
    return None if account is None else account.email


def _views(unit: Unit, invoices: list[Invoice]) -> list[InvoiceView]:
    replaced = select(Invoice.replaces_id, Invoice.id).where(
        col(Invoice.replaces_id).in_([invoice.id for invoice in invoices])
    )
    replacements = {row[0]: row[1] for row in unit.session.exec(replaced)}
    workspace = unit.workspace()
    return [_view(unit, workspace, invoice, replacements.get(invoice.id)) for invoice in invoices]


def _view(unit: Unit, workspace: Workspace, invoice: Invoice, replacement: str | None) -> InvoiceView:
    manages = unit.actor.can("billing.manage")
    days = periods.named(Zones(invoice.timezone), invoice.period)
    return InvoiceView(
        id=invoice.id,
        number=invoice.number,
        state=invoice.state,
        workspace_name=workspace.name,
        period=invoice.period,
        first_day=days.first_day,
        last_day=days.last_day,
        timezone=invoice.timezone,
        plan=invoice.plan,
        conversations=invoice.conversations,
        included=invoice.included,
        billable=invoice.billable,
        lines=[InvoiceLine(**line) for line in invoice.lines],
        amount_micros=invoice.amount_micros,
        hash=invoice.hash,
        parked_reason=invoice.parked_reason if invoice.state is InvoiceState.DRAFT else None,
        drafted_at=invoice.drafted_at,
        finalised_at=invoice.finalised_at,
        finalised_by=invoice.finalised_by,
        voided_at=invoice.voided_at,
        void_reason=invoice.void_reason,
        replaces_id=invoice.replaces_id,
        replaced_by_id=replacement,
        mailed_at=invoice.mailed_at,
        can_finalise=manages and invoice.state is InvoiceState.DRAFT and invoice.end_at <= unit.now,
        can_void=manages and invoice.state is InvoiceState.FINALISED,
    )
