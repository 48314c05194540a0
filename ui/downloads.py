"""Invoices as files, for the browser of who is signed in."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Request
from starlette.responses import Response

from core.billing.invoice_queries import InvoiceView, invoice_taken_out
from core.billing.invoices import bring_up_to_date
from core.billing.pdf import invoice_pdf
from core.errors import DomainError
from core.runtime import Runtime
from core.unit import Identity
from data.enums import InvoiceState
from ui.api.invoices import attachment, file_name, invoice_csv
from ui.api.route import needs, runtime_of
from ui.bare import bare_page
from ui.session import identity_in

router = APIRouter(prefix="/billing/invoices", include_in_schema=False)


@router.get("/{invoice_id}/pdf")
@needs("billing.export")
async def pdf(request: Request, invoice_id: str) -> Response:
    return await _answer(request, invoice_id, "pdf", "application/pdf", invoice_pdf)


@router.get("/{invoice_id}/csv")
@needs("billing.export")
async def csv(request: Request, invoice_id: str) -> Response:
    return await _answer(
        request, invoice_id, "csv", "text/csv; charset=utf-8", lambda invoice: invoice_csv(invoice).encode()
    )


async def _answer(
    request: Request, invoice_id: str, form: str, kind: str, write: Callable[[InvoiceView], bytes]
) -> Response:
    runtime, identity = runtime_of(request), identity_in(request.state)

    def work() -> Response:
        invoice = _look(runtime, identity, invoice_id)
        return attachment(write(invoice), kind, f"{file_name(invoice)}.{form}")

    try:
        return await asyncio.to_thread(work)
    except DomainError as refusal:
        return bare_page("The invoice cannot be taken out", refusal.sentence, status=refusal.status)


def _look(runtime: Runtime, identity: Identity, invoice_id: str) -> InvoiceView:
    """A draft as of now; what is finalised is what it was."""
    with runtime.unit(identity) as unit:
        found, workspace_id = invoice_taken_out(unit, invoice_id), unit.workspace_id
    if found.state is not InvoiceState.DRAFT:
        return found
    bring_up_to_date(runtime, workspace_id)
    with runtime.unit(identity) as unit:
        return invoice_taken_out(unit, invoice_id)
