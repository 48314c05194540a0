"""An invoice on paper, with names in any script that the fonts beside this file know."""

import re
from datetime import UTC
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from core.billing.invoice_queries import InvoiceLine, InvoiceView
from core.billing.money import exact, rounded
from data.enums import InvoiceState

FONTS = Path(__file__).parent / "fonts"
_FAMILY = "NotoSans"
# Asked in this order for what the first font lacks; each is loaded only where something of its script is
# written, for the largest takes longer than all the rest of an invoice.
_OTHERS = {
    "Arabic": re.compile("[\u0600-\u08ff\ufb50-\ufdff\ufe70-\ufeff]"),
    "Hebrew": re.compile("[\u0590-\u05ff\ufb1d-\ufb4f]"),
    "Devanagari": re.compile("[\u0900-\u097f]"),
    "Thai": re.compile("[\u0e00-\u0e7f]"),
    "Han": re.compile("[\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"),
    "Hangul": re.compile("[\uac00-\ud7a3]"),
}
_WIDTHS = (102.0, 22.0, 24.0, 26.0)
_HEADS = ("Description", "Quantity", "Price, USD", "Amount, USD")
_GREY, _BLACK, _RULE = (90, 96, 105), (20, 22, 26), (214, 218, 224)


class Paper(FPDF):
    def __init__(self, invoice: InvoiceView) -> None:
        super().__init__(format="A4")
        self._invoice = invoice
        self.set_creation_date((invoice.finalised_at or invoice.drafted_at).astimezone(UTC))
        self.set_title(invoice.title)
        self.set_margin(18)
        self.set_auto_page_break(True, margin=20)
        self.add_font(_FAMILY, "", FONTS / "NotoSans-Regular.ttf")
        self.add_font(_FAMILY, "B", FONTS / "NotoSans-Bold.ttf")
        self._written = f"{invoice.workspace_name} {invoice.void_reason or ''}"
        scripts = [script for script, letters in _OTHERS.items() if letters.search(self._written)]
        for script in scripts:
            self.add_font(f"{_FAMILY}{script}", "", FONTS / f"NotoSans{script}-Regular.ttf")
        self.set_fallback_fonts([f"{_FAMILY}{script}" for script in scripts], exact_match=False)
        self.set_text_shaping(True)
        self.add_page()

    def head(self) -> None:
        invoice = self._invoice
        self._say(invoice.title, size=20, bold=True, height=11)
        if invoice.state is not InvoiceState.FINALISED:
            stands = "Draft: not due, and it may still change" if invoice.number is None else "Void"
            reason = f": {invoice.void_reason}" if invoice.void_reason else ""
            self._say(f"{stands}{reason}", size=10, bold=True)
        self.ln(4)
        self._fact("For", invoice.workspace_name)
        self._fact("Period", f"{invoice.first_day} to {invoice.last_day}, time zone {invoice.timezone}")
        self._fact("Plan", invoice.plan.value)
        if invoice.finalised_at is not None:
            self._fact("Date", f"{invoice.finalised_at:%Y-%m-%d}")
        self._fact(
            "Conversations",
            f"{invoice.conversations:,} in all, {invoice.included:,} included, {invoice.billable:,} billable",
        )
        self.ln(6)

    def lines(self) -> None:
        self._cells(_HEADS, bold=True)
        for line in self._invoice.lines:
            self._cells(_shown(line))

    def total(self) -> None:
        amount = self._invoice.amount_micros
        self.ln(2)
        self._cells(("Total, USD", "", "", f"{rounded(amount):,.2f}"), bold=True)
        if rounded(amount) * 1_000_000 != amount:
            self._cells((f"Before rounding: {exact(amount)}", "", "", ""))

    def foot(self) -> None:
        self.ln(8)
        if self._has_more_than_the_fonts():
            self._say("Some characters cannot be drawn here; the page, CSV and JSON have them all.", size=8)
        if self._invoice.hash is not None:
            self._say(f"SHA-256 of what it was computed from: {self._invoice.hash}", size=7)

    def _has_more_than_the_fonts(self) -> bool:
        """Emoji, rare ideographs, scripts that are in none of the fonts: boxes stand for them."""
        known: set[int] = set().union(*(font.cmap for font in self.fonts.values()))  # type: ignore[union-attr]
        return any(ord(letter) not in known for letter in self._written if letter.isprintable())

    def _say(self, words: str, *, size: float = 9.5, bold: bool = False, height: float = 6) -> None:
        self.set_font(_FAMILY, "B" if bold else "", size)
        self.set_text_color(*_BLACK)
        self.multi_cell(0, height, words, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _fact(self, name: str, value: str) -> None:
        self.set_font(_FAMILY, "", 9.5)
        self.set_text_color(*_GREY)
        self.cell(34, 6, name)
        self.set_text_color(*_BLACK)
        self.multi_cell(0, 6, value, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")

    def _cells(self, words: tuple[str, ...], *, bold: bool = False) -> None:
        self.set_font(_FAMILY, "B" if bold else "", 9)
        self.set_text_color(*_BLACK)
        self.set_draw_color(*_RULE)
        for number, (width, word) in enumerate(zip(_WIDTHS, words, strict=True)):
            self.cell(width, 7, word, border="B", align="L" if number == 0 else "R")
        self.ln()


def _shown(line: InvoiceLine) -> tuple[str, ...]:
    price = "" if line.unit_micros is None else exact(line.unit_micros)
    return line.description, f"{line.quantity:,}", price, exact(line.amount_micros)
