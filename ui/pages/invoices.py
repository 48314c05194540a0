"""Invoices, newest month first; drafts say what is owed now. And where they are mailed to."""

from functools import partial

from core.billing.invoice_queries import InvoicePage, InvoiceView, billing_email, list_invoices
from core.billing.invoices import bring_up_to_date
from core.billing.workspaces import change_billing_email
from core.unit import Unit
from data.enums import InvoiceState
from ui.act import ask
from ui.format import month_name, usd
from ui.page import PageContext
from ui.pages.invoice_words import STATES
from ui.parts.button import button, link
from ui.parts.card import card, card_title, heading
from ui.parts.confirm import Dialog
from ui.parts.field import text_field
from ui.parts.filters import Segment, filter_bar
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.table import Column, Rows, Table, TableRow, badge_cell, number_cell, text_cell, when_cell
from ui.parts.text import box, text

COLUMNS = (
    Column("invoice", "Invoice", card="title"),
    Column("state", "State", card="foot", width="132px"),
    Column("conversations", "Conversations", card="hidden", width="128px", right=True),
    Column("billable", "Billable", card="hidden", width="112px", right=True),
    Column("amount", "Amount", card="foot", width="140px", right=True),
    Column("at", "Last changed", card="aside", width="136px", right=True),
)
SHOWN = {"": "All"} | {state.value: STATES[state][0] for state in InvoiceState}
NOTHING_YET = ("No invoices yet", "Each month has one, from its first day on, as a draft.")
NO_MATCH = ("No invoice is in this state", "Choose another state to see the others.")


async def build(page: PageContext) -> None:
    await _Invoices(page).build()


class _Invoices:
    def __init__(self, page: PageContext) -> None:
        self._page = page

    async def build(self) -> None:
        page = self._page
        workspace_id = page.actor.workspace_id
        if workspace_id is not None:
            await ask(lambda: bring_up_to_date(page.runtime, workspace_id))
        address = await page.read(billing_email)
        page.live(self._refresh)
        with link("", "/billing", classes="link back"):
            icon("arrow-left")
            text("Billing")
        with heading(
            page, "One for each month. A draft is finalised 72 hours after its month, or by an owner."
        ):
            pass
        with card("tablecard invoices", label="Invoices"):
            with filter_bar():
                Segment("State", SHOWN, page.query.get("state", ""), self._narrow)
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Invoices",
                one="invoice",
                on_open=lambda invoice_id: page.leave(f"/billing/invoices/{invoice_id}"),
                nothing=NOTHING_YET,
                nothing_icon="receipt",
            )
        with card(label="Post"):
            card_title("Where invoices are mailed to")
            with box("cardbody"):
                self._address = Region(self._draw_address)
        self._address.show(address)
        await self._show()

    async def _narrow(self, state: str) -> None:
        self._page.go(state=state)
        await self._show()

    async def _show(self) -> None:
        is_narrowed = self._page.query.get("state") in set(InvoiceState)
        self._table.explain_nothing(*(NO_MATCH if is_narrowed else NOTHING_YET))
        await self._table.show()

    async def _refresh(self) -> None:
        await self._table.refresh()

    async def _load(self, cursor: str | None) -> Rows:
        asked = self._page.query.get("state")
        state = InvoiceState(asked) if asked in set(InvoiceState) else None

        def query(unit: Unit) -> InvoicePage:
            return list_invoices(unit, state=state, cursor=cursor)

        found = await self._page.read(query)
        return Rows([self._row(each) for each in found.items], found.next_cursor)

    def _row(self, each: InvoiceView) -> TableRow:
        return TableRow(
            each.id,
            each.title,
            (
                text_cell(each.title, month_name(each.first_day)),
                badge_cell(STATES[each.state], "Parked" if each.parked_reason else ""),
                number_cell(each.conversations),
                number_cell(each.billable),
                text_cell(usd(each.amount_micros)),
                when_cell(self._page, each.voided_at or each.finalised_at or each.drafted_at),
            ),
        )

    # ---- where they go ----

    def _draw_address(self, address: str | None) -> None:
        text(f"To {address}." if address else "To every owner of the workspace.", tag="p")
        if self._page.can("billing.manage"):
            with box("rowline"):
                button("Change", partial(self._change, address), icon="pencil", small=True)

    async def _change(self, address: str | None) -> None:
        with Dialog(
            "Where invoices are mailed to", "Each as PDF, once it is finalised. Empty: to every owner."
        ) as dialog:
            with box("dbody"):
                written = text_field("E-mail", address or "", placeholder="billing@your.company")
            with box("dfoot"):
                button("Cancel", lambda: dialog.close(None))
                button("Save", lambda: dialog.close((written.value or "").strip()), kind="pri")
        answer = await dialog.answer()
        if answer is None:
            return
        email = answer or None
        if await self._page.write(
            lambda unit: change_billing_email(unit, email), done="The address is saved"
        ):
            self._address.show(email)
