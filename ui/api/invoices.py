"""``/billing/invoices``: what is owed, month by month, as JSON, CSV or PDF."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from core.billing import invoice_queries, invoices, verify
from core.billing.invoice_queries import InvoiceView
from core.billing.money import exact, rounded
from core.billing.pdf import invoice_pdf
from core.runtime import Runtime
from core.unit import Identity
from data.enums import InvoiceState
from ui.api.billing import amounts
from ui.api.messages import Limit
from ui.api.route import ApiRoute, identity_of, needs, runtime_of
from ui.api.shapes import Body, ReasonBody, moment
from ui.csv_text import csv_line

router = APIRouter(prefix="/billing/invoices", tags=["Billing"], route_class=ApiRoute)

_COLUMNS = ("invoice", "state", "period", "kind", "description", "quantity", "unitPriceUSD", "amountUSD")
Cursor = Annotated[str | None, Query(pattern=r"^\d{4}-\d\d\.inv_[0-9a-z]{26}$")]


class FinaliseBody(Body):
    confirm: bool = False


@router.get("")
@needs("billing.view")
def list_invoices(
    request: Request, state: InvoiceState | None = None, limit: Limit = 50, cursor: Cursor = None
) -> dict[str, Any]:
    """Invoices, newest month first; the drafts as of now."""
    runtime, identity = _drafted(request)
    with runtime.unit(identity) as unit:
        page = invoice_queries.list_invoices(unit, state=state, limit=limit, cursor=cursor)
    return {"items": [invoice_json(one) for one in page.items], "nextCursor": page.next_cursor}


@router.get("/{invoice_id}", responses={200: {"content": {"text/csv": {}, "application/pdf": {}}}})
@needs("billing.view")
def get_invoice(request: Request, invoice_id: str) -> Any:
    """One invoice, in the form that ``Accept`` asks for."""
    runtime, identity = _drafted(request)
    with runtime.unit(identity) as unit:
        invoice = invoice_queries.invoice_view(unit, invoice_id)
    accepted = request.headers.get("accept", "")
    if "application/pdf" in accepted:
        return attachment(invoice_pdf(invoice), "application/pdf", f"{file_name(invoice)}.pdf")
    if "text/csv" in accepted:
        return attachment(
            invoice_csv(invoice).encode(), "text/csv; charset=utf-8", f"{file_name(invoice)}.csv"
        )
    return invoice_json(invoice)


@router.post("/{invoice_id}/finalise")
@needs("billing.manage")
def finalise(request: Request, invoice_id: str, body: FinaliseBody | None = None) -> dict[str, Any]:
    """Gives it its number and freezes it. ``confirm`` for one that is parked as absurd."""
    runtime, identity = runtime_of(request), identity_of(request)
    with runtime.unit(identity, write=True) as unit:
        invoices.finalise(unit, invoice_id, confirm=body is not None and body.confirm)
    return _shown(runtime, identity, invoice_id)


@router.post("/{invoice_id}/void")
@needs("billing.manage")
def void(request: Request, invoice_id: str, body: ReasonBody) -> dict[str, Any]:
    """Takes it back, with a reason. ``replacedBy`` is the draft that takes its place."""
    runtime, identity = runtime_of(request), identity_of(request)
    with runtime.unit(identity, write=True) as unit:
        invoices.void(unit, invoice_id, reason=body.reason)
    return _shown(runtime, identity, invoice_id)


@router.get("/{invoice_id}/verify")
@needs("billing.view")
def verify_invoice(request: Request, invoice_id: str) -> dict[str, Any]:
    """Computes it again from its inputs and compares."""
    with runtime_of(request).unit(identity_of(request)) as unit:
        found = verify.verify_invoice(unit, invoice_id)
    return {"whole": not found, "findings": [f"{one.subject}: {one.sentence}" for one in found]}


def invoice_json(invoice: InvoiceView) -> dict[str, Any]:
    return {
        "id": invoice.id,
        "number": invoice.number,
        "state": invoice.state,
        "startDate": invoice.first_day.isoformat(),
        "endDate": invoice.last_day.isoformat(),
        "timezone": invoice.timezone,
        "plan": invoice.plan,
        "totalConversations": invoice.conversations,
        "includedConversations": invoice.included,
        "billableConversations": invoice.billable,
        "lines": [
            {
                "kind": line.kind,
                "period": line.period,
                "description": line.description,
                "quantity": line.quantity,
                "unitPriceUSD": None if line.unit_micros is None else exact(line.unit_micros),
                **amounts(line.amount_micros),
            }
            for line in invoice.lines
        ],
        **amounts(invoice.amount_micros),
        "hash": invoice.hash,
        "finalisedAt": moment(invoice.finalised_at),
        "parkedReason": invoice.parked_reason,
        "voidedAt": moment(invoice.voided_at),
        "voidReason": invoice.void_reason,
        "replaces": invoice.replaces_id,
        "replacedBy": invoice.replaced_by_id,
        "asOf": moment(invoice.finalised_at or invoice.drafted_at),
    }


def invoice_csv(invoice: InvoiceView) -> str:
    """One line of the file for each of the invoice, and its total, rounded, last."""
    rows: list[tuple[str | int, ...]] = [
        (
            invoice.title,
            invoice.state.value,
            line.period,
            line.kind,
            line.description,
            line.quantity,
            "" if line.unit_micros is None else exact(line.unit_micros),
            exact(line.amount_micros),
        )
        for line in invoice.lines
    ]
    total = (
        invoice.title,
        invoice.state.value,
        invoice.period,
        "total",
        "Total",
        "",
        "",
        f"{rounded(invoice.amount_micros):.2f}",
    )
    return "".join(csv_line(row) for row in (_COLUMNS, *rows, total))


def file_name(invoice: InvoiceView) -> str:
    return f"invoice-{invoice.number or 'draft'}-{invoice.period}"


def attachment(content: bytes, kind: str, name: str) -> Response:
    return Response(
        content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _drafted(request: Request) -> tuple[Runtime, Identity]:
    """The runtime, once the workspace's drafts say what is owed now, for a caller who may see them."""
    runtime, identity = runtime_of(request), identity_of(request)
    with runtime.unit(identity) as unit:
        unit.require("billing.view")
        workspace_id = unit.workspace_id
    invoices.bring_up_to_date(runtime, workspace_id)
    return runtime, identity


def _shown(runtime: Runtime, identity: Identity, invoice_id: str) -> dict[str, Any]:
    with runtime.unit(identity) as unit:
        return invoice_json(invoice_queries.invoice_view(unit, invoice_id))
