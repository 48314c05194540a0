"""Finalised invoices go to the billing address as PDF, once each, by whoever finalised them."""

from sqlmodel import col, select

from core.billing.invoice_queries import invoice_view
from core.billing.money import exact
from core.billing.pdf import invoice_pdf
from core.errors import Conflict
from core.mail.commands import send_mail
from core.ports.mail import Attachment
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.billing import BillingAccount, Invoice
from data.enums import InvoiceState, MemberStatus, Role
from data.people import Member, User

BATCH = 50


def post_due(runtime: Runtime) -> None:
    """Invoices that were finalised and not mailed yet are in the mail. The PDF is made outside the
    transaction that writes: making one takes longer than others should wait."""
    with runtime.unit(Identity(process="billing")) as unit:
        statement = select(Invoice.id, Invoice.workspace_id).where(
            col(Invoice.state) == InvoiceState.FINALISED, col(Invoice.mailed_at).is_(None)
        )
        due = unit.session.exec(statement.order_by(col(Invoice.id)).limit(BATCH)).all()
    for invoice_id, workspace_id in due:
        clerk = Identity(process="billing", workspace_id=workspace_id)
        with runtime.unit(clerk) as unit:
            view = invoice_view(unit, invoice_id)
        paper = Attachment(f"invoice-{view.number}-{view.period}.pdf", "application/pdf", invoice_pdf(view))
        with runtime.unit(clerk, write=True) as unit:
            _post(unit, invoice_id, paper)


def post_again(unit: Unit, invoice_id: str) -> None:
    """The invoice is mailed once more, with the next round of post. Conflict ``not_finalised`` for one that
    is a draft or void."""
    unit.require("billing.manage")
    invoice = unit.find(Invoice, invoice_id, called="invoice", lock=True)
    if invoice.state is not InvoiceState.FINALISED:
        raise Conflict(
            f"Only a finalised invoice is mailed; the state of this one is {invoice.state}.",
            code="not_finalised",
            state=invoice.state,
        )
    invoice.mailed_at = None
    unit.session.add(invoice)
    unit.record("invoice.mailed_again", f"invoice:{invoice.id}", after={"number": invoice.number})


def _post(unit: Unit, invoice_id: str, paper: Attachment) -> None:
    invoice = unit.find(Invoice, invoice_id, called="invoice", lock=True)
    if invoice.mailed_at is not None or invoice.state is not InvoiceState.FINALISED:
        return
    workspace = unit.workspace()
    for address in _addresses(unit):
        send_mail(
            unit,
            to=address,
            subject=f"Invoice {invoice.number} of {workspace.name} for {invoice.period}",
            text=(
                f"Attached is invoice {invoice.number} of {workspace.name} for {invoice.period}.\n"
                f"It comes to {exact(invoice.amount_micros)} USD.\n"
            ),
            kind="invoice",
            workspace_id=workspace.id,
            attachment=paper,
        )
    invoice.mailed_at = unit.now
    unit.session.add(invoice)


def _addresses(unit: Unit) -> list[str]:
    """The billing address, or those of the owners where there is none."""
    account = unit.session.get(BillingAccount, unit.workspace_id)
    if account is not None and account.email is not None:
        return [account.email]
    owners = (
        select(User.email)
        .join(Member, col(Member.user_id) == col(User.id))
        .where(
            col(Member.workspace_id) == unit.workspace_id,
            col(Member.role) == Role.OWNER,
            col(Member.status) == MemberStatus.ACTIVE,
        )
    )
    return list(unit.session.exec(owners.order_by(col(User.email))))
