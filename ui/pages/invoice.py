"""One invoice: as it will be printed, and what may be done about it."""

from core.billing.invoice_queries import InvoiceLine, InvoiceView, invoice_view
from core.billing.invoices import bring_up_to_date
from core.billing.money import exact
from core.unit import Unit
from data.enums import InvoiceState
from ui.act import ask
from ui.format import day_name, month_name, number, usd
from ui.page import PageContext
from ui.pages.billing_words import PLANS, conversations
from ui.pages.invoice_acts import InvoiceActs
from ui.pages.invoice_words import STATES, standing
from ui.parts.badge import badge
from ui.parts.button import link
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.facts import lines
from ui.parts.figures import Figure, figures
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.text import box, text


async def build(page: PageContext) -> None:
    await _Invoice(page).build()


class _Invoice:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._id = page.params["invoice_id"]

    async def build(self) -> None:
        page = self._page
        found = await page.read(self._look)
        if found.state is InvoiceState.DRAFT and page.actor.workspace_id is not None:
            workspace_id = page.actor.workspace_id
            await ask(lambda: bring_up_to_date(page.runtime, workspace_id))
            found = await page.read(self._look)
        page.live(self._refresh)
        with link("", "/billing/invoices", classes="link back"):
            icon("arrow-left")
            text("All invoices")
        with heading(page, title=f"Invoice of {month_name(found.first_day)}"):
            self._acts = InvoiceActs(page, self._id, after=self._refresh)
        self._notes = Region(self._draw_notes, "stack warnings")
        with card("paper", label="Invoice"):
            self._paper = Region(self._draw_paper)
        self._show(found)

    def _look(self, unit: Unit) -> InvoiceView:
        return invoice_view(unit, self._id)

    async def _refresh(self) -> None:
        self._show(await self._page.read(self._look))

    def _show(self, invoice: InvoiceView) -> None:
        self._acts.show(invoice)
        self._notes.show(invoice)
        self._paper.show(invoice)

    def _draw_notes(self, invoice: InvoiceView) -> None:
        if invoice.parked_reason:
            callout(
                "This draft is parked",
                invoice.parked_reason,
                advice="It is not finalised by itself. Look into it, then finalise it by hand.",
                tone="amber",
            )
        if invoice.void_reason:
            with callout("This invoice is void", f"“{invoice.void_reason}”", tone="grey"):
                if invoice.replaced_by_id:
                    link("The one in its place", f"/billing/invoices/{invoice.replaced_by_id}")
        if invoice.replaces_id:
            with callout("It stands in place of a void one", tone="blue"):
                link("The void one", f"/billing/invoices/{invoice.replaces_id}")

    def _draw_paper(self, invoice: InvoiceView) -> None:
        times = self._page.times
        with box("paperhead"):
            with box():
                text(invoice.title, tag="h2")
                text(standing(invoice), tag="p")
            badge(STATES[invoice.state])
        period = f"{day_name(invoice.first_day)} to {day_name(invoice.last_day)} {invoice.last_day.year}"
        said = [
            ("For", invoice.workspace_name),
            ("Period", f"{period}, {invoice.timezone}"),
            ("Plan", PLANS[invoice.plan]),
        ]
        if invoice.finalised_at is not None:
            said.append(("Finalised", times.exact(invoice.finalised_at)))
        else:
            said.append(("As of", times.exact(invoice.drafted_at)))
        if invoice.mailed_at is not None:
            said.append(("Mailed", times.exact(invoice.mailed_at)))
        lines(said)
        figures(
            "Lines",
            ("Description", "Quantity", "Price, USD", "Amount, USD"),
            [self._line(each) for each in invoice.lines],
            total=("Total", "", "", usd(invoice.amount_micros)),
        )
        with box("paperfoot"):
            text(
                f"{number(invoice.conversations)} conversations, {number(invoice.included)} included, "
                f"{number(invoice.billable)} billable. Unrounded {invoice.amount_exact} USD; rounded "
                "once, on the total.",
                tag="p",
            )
            if invoice.hash:
                text("SHA-256 of what it was computed from", "hashname", tag="p")
                text(invoice.hash, "mono", tag="p")

    def _line(self, each: InvoiceLine) -> tuple[Figure | str, ...]:
        price = "" if each.unit_micros is None else exact(each.unit_micros)
        target = conversations(month=each.period)
        quantity = Figure(number(each.quantity), target=target if each.quantity else "")
        return each.description, quantity, price, exact(each.amount_micros)
