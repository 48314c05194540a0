"""What may be done about an invoice: finalise, void, verify, take it out, print it, mail it again."""

from collections.abc import Awaitable, Callable

from core.billing.invoice_queries import InvoiceView
from core.billing.invoices import finalise, void
from core.billing.posting import post_again
from core.billing.verify import Finding, verify_invoice
from core.unit import Unit
from data.enums import InvoiceState
from ui.format import number, usd
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.confirm import Dialog, ask_reason, confirm
from ui.parts.region import Region
from ui.parts.text import box, text


class InvoiceActs:
    """``after`` is awaited once something was done."""

    def __init__(self, page: PageContext, invoice_id: str, *, after: Callable[[], Awaitable[None]]) -> None:
        self._page = page
        self._id = invoice_id
        self._after = after
        self._buttons = Region(self._draw, "acts")

    def show(self, invoice: InvoiceView) -> None:
        self._invoice = invoice
        self._buttons.show(invoice.state, invoice.can_finalise, invoice.can_void)

    def _draw(self, state: InvoiceState, can_finalise: bool, can_void: bool) -> None:
        page = self._page
        button("Print", lambda: page.client.run_javascript("window.print()"), icon="file-text")
        if page.can("billing.export"):
            button("PDF", lambda: self._take("pdf"), icon="download")
            button("CSV", lambda: self._take("csv"), icon="download")
        if state is not InvoiceState.DRAFT:
            button("Verify", self._verify, icon="shield-check")
        if can_void:
            button("Mail again", self._mail, icon="mail")
            button("Void", self._void, icon="ban", kind="danger")
        if can_finalise:
            button("Finalise", self._finalise, icon="check", kind="pri")

    def _take(self, form: str) -> None:
        self._page.leave(f"/billing/invoices/{self._id}/{form}")

    async def _finalise(self) -> None:
        invoice = self._invoice
        warning = f"It is parked: {invoice.parked_reason} " if invoice.parked_reason else ""
        sure = await confirm(
            "Finalise this invoice?",
            f"{warning}It gets its number and is mailed, and neither it nor its conversations change any "
            "more. What comes late is on the next invoice.",
            facts=(
                ("Conversations", number(invoice.conversations)),
                ("Billable", number(invoice.billable)),
                ("Amount", usd(invoice.amount_micros)),
            ),
            yes="Finalise",
        )
        if not sure:
            return
        is_parked = invoice.parked_reason is not None

        def command(unit: Unit) -> None:
            finalise(unit, self._id, confirm=is_parked)

        if await self._page.write(command, done="The invoice is final"):
            await self._after()

    async def _void(self) -> None:
        reason = await ask_reason(
            "Void this invoice?",
            "It counts no more, and a draft for the same month takes its place. Its number stays used.",
            yes="Void",
            is_danger=True,
        )
        if reason is None:
            return
        draft = await self._page.write(
            lambda unit: void(unit, self._id, reason=reason).id, done="The invoice is void"
        )
        if draft is not None:
            await self._after()

    async def _mail(self) -> None:
        if await self._page.write(
            lambda unit: post_again(unit, self._id),
            done="The invoice goes out with the next post, in a minute",
        ):
            await self._after()

    async def _verify(self) -> None:
        found = await self._page.read(lambda unit: verify_invoice(unit, self._id))
        with Dialog("Verified" if not found else "This invoice is not what it was", "") as dialog:
            with box("dbody"):
                _draw_verdict(found)
            with box("dfoot"):
                button("Close", lambda: dialog.close(None))
        await dialog.answer()


def _draw_verdict(found: list[Finding]) -> None:
    if not found:
        callout(
            "The invoice is whole",
            "Computed again from what it was made of, it comes to the same lines, amount, conversations and "
            "hash.",
            tone="green",
        )
    for each in found:
        with callout(f"{each.subject[:1].upper()}{each.subject[1:]}"):
            text(each.sentence, tag="p")
