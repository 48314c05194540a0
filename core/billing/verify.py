"""Whether every invoice still says what its inputs make it say (B10)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import col, select

from core.billing import statements
from core.billing.invoices import entries_of
from core.billing.statements import Account
from core.unit import Unit
from data.billing import Invoice
from data.columns import to_micros
from data.enums import InvoiceState

# Conversations whose count of bills, or whose opening, is not what the invoices say.
_ASTRAY = text(
    """
SELECT conversation.id FROM conversation
LEFT JOIN (
    SELECT conversation_id, sum(delta) AS billed, min(invoice_entry.opened_at) AS opened_at
    FROM invoice_entry JOIN invoice ON invoice.id = invoice_entry.invoice_id
    WHERE invoice.state = 'finalised' AND invoice.workspace_id = :workspace_id
    GROUP BY conversation_id
) AS said ON said.conversation_id = conversation.id
WHERE conversation.workspace_id = :workspace_id
  AND (conversation.billed <> coalesce(said.billed, 0)
       OR conversation.opened_at <> coalesce(said.opened_at, conversation.opened_at))
ORDER BY conversation.id LIMIT 10
"""
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was when it was finalised."""

    subject: str
    sentence: str


def verify_invoice(unit: Unit, invoice_id: str) -> list[Finding]:
    """What is wrong with that invoice; nothing, if computing it again gives the same."""
    unit.require("billing.view")
    return list(_wrong_with(unit, unit.find(Invoice, invoice_id, called="invoice")))


def verify_workspace(unit: Unit, workspace_id: str) -> list[Finding]:
    """What is wrong with the workspace's invoices, their numbers and the conversations on them."""
    statement = select(Invoice).where(
        col(Invoice.workspace_id) == workspace_id, col(Invoice.state) != InvoiceState.DRAFT
    )
    invoices = unit.session.exec(statement.order_by(col(Invoice.number))).all()
    found = [finding for invoice in invoices for finding in _wrong_with(unit, invoice)]
    numbers = [invoice.number for invoice in invoices]
    if numbers != list(range(1, len(invoices) + 1)):
        found.append(Finding(workspace_id, f"its invoices are numbered {numbers}, with a gap"))
    astray = unit.session.connection().execute(_ASTRAY, {"workspace_id": workspace_id}).scalars().all()
    found += [Finding(one, "is not on its invoices as they say") for one in astray]
    return found


def _wrong_with(unit: Unit, invoice: Invoice) -> Iterator[Finding]:
    subject = f"invoice {invoice.number}"
    if invoice.state is InvoiceState.DRAFT:
        return
    accounts = [statements.from_json(one) for one in invoice.inputs]
    if statements.lines(accounts) != invoice.lines:
        yield Finding(subject, "its lines are not what its inputs come to")
    if statements.total(accounts) != invoice.amount_micros:
        yield Finding(subject, "its amount is not what its inputs come to")
    entries = list(entries_of(unit, invoice.id))
    if _counts(accounts, entries) != [_difference(one) for one in accounts]:
        yield Finding(subject, "its conversations are not those it counts")
    if statements.digest(invoice.workspace_id, invoice.period, accounts, entries) != invoice.hash:
        yield Finding(subject, "its hash is not that of its inputs")


def _counts(accounts: Sequence[Account], entries: Sequence[tuple[str, int, int]]) -> list[list[int]]:
    """Per account and term, the sum of its entries."""
    counts = [[0] * len(one.terms) for one in accounts]
    spans = [
        (to_micros(term.start), to_micros(term.end), number, place)
        for number, one in enumerate(accounts)
        for place, term in enumerate(one.terms)
    ]
    for _, delta, opened_at in entries:
        for start, end, number, place in spans:
            if start <= opened_at < end:
                counts[number][place] += delta
                break
    return counts


def _difference(one: Account) -> list[int]:
    return [after - before for before, after in zip(one.before, one.after, strict=True)]
