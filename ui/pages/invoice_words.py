"""Invoices in words."""

from core.billing.invoice_queries import InvoiceView
from data.enums import InvoiceState
from ui.parts.badge import Word

STATES: dict[InvoiceState, Word] = {
    InvoiceState.DRAFT: ("Draft", "blue"),
    InvoiceState.FINALISED: ("Finalised", "green"),
    InvoiceState.VOID: ("Void", "grey"),
}


def standing(invoice: InvoiceView) -> str:
    """What the state means for who reads the invoice."""
    if invoice.state is InvoiceState.FINALISED:
        return "It is final. What comes late is on a later invoice."
    if invoice.state is InvoiceState.VOID:
        return "It does not count. Its number stays used."
    return "Not due, and it may still change."
