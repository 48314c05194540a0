"""Finalising and voiding invoices (B10): from then on what they say is frozen, and triggers keep it so."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import text
from sqlmodel import col, select

from core.alerts.commands import resolve_alert
from core.billing import drafts, periods, statements
from core.billing.history import zones_of
from core.billing.statements import Account
from core.billing.workspaces import workspace_ids
from core.conversations.commands import catch_up, hold_account
from core.errors import Conflict, Malformed
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.billing import BillingAccount, Invoice
from data.columns import to_micros
from data.enums import InvoiceState
from data.people import Workspace

BILLING = Identity(process="billing")
GRACE = timedelta(hours=72)
REASON_MAX = 500

_OWED = "CASE WHEN messages_in + messages_out > 0 THEN 1 ELSE 0 END"
_ENTER = text(
    "INSERT INTO invoice_entry (invoice_id, conversation_id, delta, opened_at) "  # noqa: S608 - constants
    f"SELECT :invoice_id, id, {_OWED} - billed, opened_at FROM conversation "
    "WHERE workspace_id = :workspace_id AND opened_at >= :start AND opened_at < :end "
    f"AND billed <> {_OWED}"
)
_FREEZE = text(
    f"UPDATE conversation SET billed = {_OWED}, invoice_id = coalesce(invoice_id, :invoice_id) "  # noqa: S608
    "WHERE id IN (SELECT conversation_id FROM invoice_entry WHERE invoice_id = :invoice_id)"
)
_THAW = text(
    "UPDATE conversation SET billed = billed - ("
    "  SELECT delta FROM invoice_entry "
    "  WHERE invoice_id = :invoice_id AND conversation_id = conversation.id), "
    "invoice_id = ("
    "  SELECT min(invoice.id) FROM invoice_entry JOIN invoice ON invoice.id = invoice_entry.invoice_id "
    "  WHERE invoice_entry.conversation_id = conversation.id AND invoice.state = 'finalised') "
    "WHERE id IN (SELECT conversation_id FROM invoice_entry WHERE invoice_id = :invoice_id)"
)
_MARK_THAWED = text(
    "INSERT INTO conversation_due (phone_number_id, contact_id, workspace_id, marked_at, version) "
    "SELECT DISTINCT phone_number_id, contact_id, workspace_id, :now, 1 FROM conversation "
    "WHERE invoice_id IS NULL "
    "AND id IN (SELECT conversation_id FROM invoice_entry WHERE invoice_id = :invoice_id) "
    "ON CONFLICT (phone_number_id, contact_id) DO UPDATE SET version = conversation_due.version + 1"
)
_ENTRIES = text(
    "SELECT conversation_id, delta, opened_at FROM invoice_entry WHERE invoice_id = :invoice_id "
    "ORDER BY conversation_id"
).execution_options(yield_per=10_000)


def finalise(unit: Unit, invoice_id: str, *, confirm: bool = False) -> Invoice:
    """The invoice has its number and is never changed again, nor are the bounds of its conversations.

    Conflicts: ``not_draft``; ``period_open`` while its month runs; ``earlier_open`` while an earlier month is
    not finalised; ``invoice_parked`` for one that is absurd, until ``confirm``.
    """
    unit.require("billing.manage")
    unit.require_fresh()
    workspace, account = _hold(unit)
    invoice = unit.find(Invoice, invoice_id, called="invoice", lock=True)
    if invoice.state is not InvoiceState.DRAFT:
        raise Conflict(f"This invoice is {invoice.state} already.", code="not_draft", state=invoice.state)
    catch_up(unit, workspace.id)
    accounts = drafts.compute(unit, workspace, invoice, zones_of(unit, workspace))
    _refuse_early(unit, invoice)
    if invoice.parked_reason is not None and not confirm:
        raise Conflict(
            f"This invoice is parked. {invoice.parked_reason} Look into it, then finalise it with "
            "confirm: true.",
            code="invoice_parked",
            reason=invoice.parked_reason,
        )
    unit.session.flush()
    _freeze(unit, invoice, accounts)
    account.last_number += 1
    invoice.number = account.last_number
    invoice.hash = statements.digest(workspace.id, invoice.period, accounts, entries_of(unit, invoice.id))
    invoice.state = InvoiceState.FINALISED
    invoice.finalised_at, invoice.finalised_by = unit.now, unit.actor.id
    unit.session.add(account)
    unit.session.add(invoice)
    resolve_alert(unit, kind="invoice_parked", subject=invoice.period, workspace_id=workspace.id)
    unit.record(
        "invoice.finalised",
        f"invoice:{invoice.id}",
        after={"number": invoice.number, "period": invoice.period, "amountMicros": invoice.amount_micros},
    )
    return invoice


def void(unit: Unit, invoice_id: str, *, reason: str) -> Invoice:
    """The invoice counts no more; a draft for the same month takes its place. Its number stays used. Returns
    the draft. Conflict ``not_finalised`` for a draft, or one that is void already."""
    unit.require("billing.manage")
    unit.require_fresh()
    if not reason.strip() or len(reason) > REASON_MAX:
        raise Malformed.field("reason", f"must have 1 to {REASON_MAX} characters")
    workspace, _ = _hold(unit)
    invoice = unit.find(Invoice, invoice_id, called="invoice", lock=True)
    if invoice.state is not InvoiceState.FINALISED:
        raise Conflict(
            f"Only a finalised invoice can be voided; the state of this one is {invoice.state}.",
            code="not_finalised",
            state=invoice.state,
        )
    invoice.state = InvoiceState.VOID
    invoice.voided_at, invoice.voided_by, invoice.void_reason = unit.now, unit.actor.id, reason.strip()
    unit.session.add(invoice)
    unit.session.flush()
    connection = unit.session.connection()
    connection.execute(_THAW, {"invoice_id": invoice.id})
    connection.execute(_MARK_THAWED, {"invoice_id": invoice.id, "now": to_micros(unit.now)})
    catch_up(unit, workspace.id)
    period = periods.named(zones_of(unit, workspace), invoice.period)
    draft = drafts.new_draft(unit, workspace, period, replaces=invoice.id)
    unit.record(
        "invoice.voided",
        f"invoice:{invoice.id}",
        after={"number": invoice.number, "reason": reason.strip(), "replacement": draft.id},
    )
    return draft


def bring_up_to_date(runtime: Runtime, workspace_id: str) -> None:
    """Every month of the workspace has an invoice, and its drafts say what is owed now."""
    with runtime.unit(_clerk(workspace_id), write=True) as unit:
        drafts.refresh(unit, unit.workspace())


def draft_all(runtime: Runtime) -> None:
    """The same for every workspace."""
    for workspace_id in workspace_ids(runtime):
        bring_up_to_date(runtime, workspace_id)


def finalise_due(runtime: Runtime) -> None:
    """Months that ended 72 hours ago are finalised, oldest first; one that is parked waits for a person, and
    those after it with it."""
    for workspace_id in workspace_ids(runtime):
        clerk = _clerk(workspace_id)
        with runtime.unit(clerk, write=True) as unit:
            found = drafts.refresh(unit, unit.workspace())
            due = [
                invoice.id
                for invoice in found
                if invoice.state is InvoiceState.DRAFT and invoice.end_at + GRACE <= unit.now
            ]
        for invoice_id in due:
            try:
                with runtime.unit(clerk, write=True) as unit:
                    finalise(unit, invoice_id)
            except Conflict:
                break


def entries_of(unit: Unit, invoice_id: str) -> Iterator[tuple[str, int, int]]:
    """(conversation id, delta, opened at in microseconds), by conversation id."""
    for row in unit.session.connection().execute(_ENTRIES, {"invoice_id": invoice_id}):
        yield row[0], row[1], row[2]


def _hold(unit: Unit) -> tuple[Workspace, BillingAccount]:
    account = hold_account(unit, unit.workspace_id)
    return unit.workspace(), account


def _refuse_early(unit: Unit, invoice: Invoice) -> None:
    if invoice.end_at > unit.now:
        raise Conflict(
            f"{invoice.period} has not ended; its invoice can be finalised once it has.", code="period_open"
        )
    statement = select(Invoice.period).where(
        col(Invoice.workspace_id) == invoice.workspace_id,
        col(Invoice.state) == InvoiceState.DRAFT,
        col(Invoice.period) < invoice.period,
    )
    earlier = unit.session.exec(statement.order_by(col(Invoice.period)).limit(1)).first()
    if earlier is not None:
        raise Conflict(
            f"The invoice of {earlier} is not finalised yet. Finalise that one first.",
            code="earlier_open",
            period=earlier,
        )


def _freeze(unit: Unit, invoice: Invoice, accounts: list[Account]) -> None:
    connection = unit.session.connection()
    for one in accounts:
        asked = {"invoice_id": invoice.id, "workspace_id": invoice.workspace_id}
        bounds = {"start": to_micros(one.start), "end": to_micros(one.end)}
        connection.execute(_ENTER, {**asked, **bounds})
    connection.execute(_FREEZE, {"invoice_id": invoice.id})


def _clerk(workspace_id: str) -> Identity:
    return Identity(process="billing", workspace_id=workspace_id)
