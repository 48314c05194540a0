"""Drafts of invoices: computed anew as often as one likes, until they are finalised (B10)."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import text
from sqlmodel import col, select

from core.billing import periods, statements
from core.billing.history import months_of, terms_of, zones_of
from core.billing.periods import Period, Zones
from core.billing.statements import Account, account
from core.conversations.commands import catch_up, hold_account
from core.conversations.spans import Span, ask, owed
from core.unit import Unit
from data.billing import Invoice
from data.columns import to_micros
from data.enums import InvoiceState
from data.people import Workspace

_BILLED = """
SELECT coalesce(sum(billed), 0) FROM span LEFT JOIN conversation
  ON conversation.workspace_id = :workspace_id
 AND conversation.opened_at >= span.start_at AND conversation.opened_at < span.end_at
GROUP BY span.number ORDER BY span.number
"""
# What is owed and not billed, and what is billed and not owed: each by an index that holds little else.
_CHANGED = """
SELECT (SELECT count(*) FROM conversation
        WHERE workspace_id = :workspace_id AND opened_at >= span.start_at AND opened_at < span.end_at
          AND billed <= 0 AND messages_in + messages_out > 0)
     + (SELECT count(*) FROM conversation
        WHERE workspace_id = :workspace_id AND opened_at >= span.start_at AND opened_at < span.end_at
          AND messages_in = 0 AND messages_out = 0 AND billed <> 0)
FROM span ORDER BY span.number
"""
_MESSAGES = text(
    "SELECT coalesce(sum(messages_in + messages_out), 0) FROM conversation "
    "WHERE workspace_id = :workspace_id AND opened_at >= :start AND opened_at < :end"
)


def refresh(unit: Unit, workspace: Workspace) -> list[Invoice]:
    """Every month of the workspace up to the running one has an invoice, and each draft says what is owed
    now. Oldest first."""
    hold_account(unit, workspace.id)
    catch_up(unit, workspace.id)
    zones = zones_of(unit, workspace)
    standing = _standing(unit, workspace.id)
    for period in months_of(unit, workspace, zones):
        if period.name not in standing:
            standing[period.name] = _new(unit, workspace, period)
    found = [standing[name] for name in sorted(standing)]
    for invoice in found:
        if invoice.state is InvoiceState.DRAFT:
            compute(unit, workspace, invoice, zones)
    unit.session.flush()
    return found


def compute(unit: Unit, workspace: Workspace, invoice: Invoice, zones: Zones) -> list[Account]:
    """The draft says what is owed now; its own month first, then earlier ones that changed since they were
    invoiced."""
    period = periods.named(zones, invoice.period)
    charged = _charged(unit, workspace.id)
    accounts = [
        _own(unit, workspace, invoice, period, charged=charged),
        *_changed(unit, workspace, invoice, zones, charged=charged),
    ]
    rating = accounts[0].rating
    invoice.start_at, invoice.end_at, invoice.timezone = period.start, period.end, period.zone
    invoice.plan = accounts[0].terms[-1].plan
    invoice.conversations, invoice.included, invoice.billable = (
        rating.total,
        rating.included,
        rating.billable,
    )
    invoice.amount_micros = statements.total(accounts)
    invoice.lines = statements.lines(accounts)
    invoice.inputs = [statements.to_json(one) for one in accounts]
    invoice.drafted_at = unit.now
    invoice.parked_reason = statements.absurdity(
        accounts[0],
        invoice.amount_micros,
        messages=_messages(unit, workspace.id, period),
        earlier=_earlier(unit, invoice),
    )
    unit.session.add(invoice)
    return accounts


def new_draft(unit: Unit, workspace: Workspace, period: Period, *, replaces: str | None = None) -> Invoice:
    invoice = _new(unit, workspace, period)
    invoice.replaces_id = replaces
    unit.session.add(invoice)
    unit.session.flush()
    compute(unit, workspace, invoice, zones_of(unit, workspace))
    return invoice


def _own(
    unit: Unit, workspace: Workspace, invoice: Invoice, period: Period, *, charged: Mapping[str, int]
) -> Account:
    terms = terms_of(unit, workspace, period.start, period.end)
    spans = [(term.start, term.end) for term in terms]
    after = owed(unit.session, workspace.id, spans)
    # Only where an invoice was replaced can some of the month already stand on others.
    before = [0] * len(terms) if invoice.replaces_id is None else _billed(unit, workspace.id, spans)
    return account(period, terms, before=before, after=after, charged_micros=charged.get(period.name, 0))


def _changed(
    unit: Unit, workspace: Workspace, invoice: Invoice, zones: Zones, *, charged: Mapping[str, int]
) -> Iterator[Account]:
    """The accounts of invoiced months before this one whose conversations changed since."""
    statement = select(Invoice.period).where(
        col(Invoice.workspace_id) == workspace.id,
        col(Invoice.state) == InvoiceState.FINALISED,
        col(Invoice.period) < invoice.period,
    )
    names = unit.session.exec(statement.order_by(col(Invoice.period))).all()
    found = [periods.named(zones, name) for name in names]
    changes = ask(unit.session, _CHANGED, workspace.id, [(one.start, one.end) for one in found])
    for period, (count,) in zip(found, changes, strict=True):
        if count:
            terms = terms_of(unit, workspace, period.start, period.end)
            spans = [(term.start, term.end) for term in terms]
            yield account(
                period,
                terms,
                before=_billed(unit, workspace.id, spans),
                after=owed(unit.session, workspace.id, spans),
                charged_micros=charged.get(period.name, 0),
            )


def _charged(unit: Unit, workspace_id: str) -> dict[str, int]:
    """month → what the invoices that stand charge for it, in micro-dollars."""
    statement = select(Invoice.inputs).where(
        col(Invoice.workspace_id) == workspace_id, col(Invoice.state) == InvoiceState.FINALISED
    )
    charged: dict[str, int] = {}
    for inputs in unit.session.exec(statement):
        for one in map(statements.from_json, inputs):
            charged[one.period] = charged.get(one.period, 0) + one.amount_micros
    return charged


def _billed(unit: Unit, workspace_id: str, spans: Sequence[Span]) -> list[int]:
    return [int(row[0]) for row in ask(unit.session, _BILLED, workspace_id, spans)]


def _standing(unit: Unit, workspace_id: str) -> dict[str, Invoice]:
    """month → its invoice that is not void."""
    statement = select(Invoice).where(
        col(Invoice.workspace_id) == workspace_id, col(Invoice.state) != InvoiceState.VOID
    )
    return {invoice.period: invoice for invoice in unit.session.exec(statement)}


def _new(unit: Unit, workspace: Workspace, period: Period) -> Invoice:
    return Invoice(
        id=unit.new_id("inv"),
        workspace_id=workspace.id,
        state=InvoiceState.DRAFT,
        period=period.name,
        start_at=period.start,
        end_at=period.end,
        timezone=period.zone,
        plan=workspace.plan,
        conversations=0,
        included=0,
        billable=0,
        amount_micros=0,
        lines=[],
        inputs=[],
        drafted_at=unit.now,
    )


def _messages(unit: Unit, workspace_id: str, period: Period) -> int:
    bounds = {"start": to_micros(period.start), "end": to_micros(period.end)}
    found = unit.session.connection().execute(_MESSAGES, {"workspace_id": workspace_id, **bounds})
    return int(found.scalar_one())


def _earlier(unit: Unit, invoice: Invoice) -> list[int]:
    statement = select(Invoice.conversations).where(
        col(Invoice.workspace_id) == invoice.workspace_id,
        col(Invoice.state) == InvoiceState.FINALISED,
        col(Invoice.period) < invoice.period,
    )
    return list(unit.session.exec(statement))
