"""Invoices as PDF. What draws them costs a third of a second and 20 MB to load: the first one loads it."""

from core.billing.invoice_queries import InvoiceView


def invoice_pdf(invoice: InvoiceView) -> bytes:
    """The invoice as one or more A4 pages; the same invoice gives the same bytes."""
    from core.billing.paper import Paper

    paper = Paper(invoice)
    paper.head()
    paper.lines()
    paper.total()
    paper.foot()
    return bytes(paper.output())
