"""Meta's rates as the owner knows them: listed, entered one by one, or imported from a CSV file."""

from collections.abc import Awaitable, Callable, Mapping

from nicegui import ui

from core.billing.money import exact
from core.billing.rates import COLUMNS as NAMES
from core.billing.rates import Rate, import_rates, list_rates, read_rates
from core.errors import Malformed
from ui.csv_text import csv_line
from ui.format import plural
from ui.page import PageContext
from ui.parts.button import button
from ui.parts.card import card
from ui.parts.confirm import Dialog
from ui.parts.field import problem, text_field
from ui.parts.table import Column, Rows, Table, TableRow, text_cell
from ui.parts.text import box, text
from ui.parts.toast import toast

COLUMNS = (
    Column("category", "Category", card="title"),
    Column("market", "Market", card="foot", width="22%"),
    Column("since", "From", card="foot", width="22%"),
    Column("amount", "USD a message", card="aside", width="22%", right=True),
)
PAGE = 50
NOTHING_YET = (
    "No rates yet",
    "Meta publishes what each market and category costs; none are made up here. An owner enters or imports "
    "them.",
)


class RatesCard:
    """``changed`` is awaited once there are other rates."""

    def __init__(self, page: PageContext, *, changed: Callable[[], Awaitable[None]]) -> None:
        self._page = page
        self._changed = changed
        with card("tablecard", label="Meta's rates"):
            with box("cardhead"):
                text("Meta's rates", tag="h2")
                if page.can("billing.manage"):
                    with box("rowline"):
                        button("Enter a rate", self._enter, icon="plus", small=True)
                        button("Import", self._import, icon="upload", small=True)
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Meta's rates",
                one="rate",
                nothing=NOTHING_YET,
                nothing_icon="wallet",
            )

    async def show(self) -> None:
        await self._table.show()

    async def _load(self, cursor: str | None) -> Rows:
        """By place: they are read whole to be priced with anyway, and there are at most a few thousand."""
        found = await self._page.read(list_rates)
        start = int(cursor or 0)
        shown = found[start : start + PAGE]
        more = str(start + PAGE) if len(found) > start + PAGE else None
        return Rows([_row(each) for each in shown], more, len(found))

    async def _enter(self) -> None:
        with Dialog("Enter a rate", "It holds from its day on, until the next one for the same.") as dialog:
            with box("dbody"):
                category = text_field("Category", placeholder="marketing")
                market = text_field("Market", hint="A country by its two letters, or * for all others.")
                since = text_field("From", kind="date")
                amount = text_field("USD a message", placeholder="0.1131")

            def lines() -> str:
                cells = [field.value or "" for field in (category, market, since, amount)]
                return csv_line(NAMES) + csv_line(cells)

            _foot(dialog, lines, {"The category": category, "The market": market, "": amount})
        await self._take(await dialog.answer())

    async def _import(self) -> None:
        with Dialog(
            "Import rates", "Paste the lines of the CSV file. All of them are taken, or none.", wide=True
        ) as dialog:
            with box("dbody"):
                written = text_field(
                    "Lines",
                    lines=8,
                    placeholder="category,market,validFrom,amountUSD\nmarketing,DE,2026-10-01,0.1131",
                )
            _foot(dialog, lambda: written.value or "", {"": written})
        await self._take(await dialog.answer())

    async def _take(self, lines: object) -> None:
        if not isinstance(lines, str):
            return
        count = await self._page.write(lambda unit: import_rates(unit, lines))
        if count is not None:
            toast(f"{plural(count, 'rate')} kept", "good")
            await self._changed()


def _foot(dialog: Dialog, lines: Callable[[], str], fields: Mapping[str, ui.element]) -> None:
    """What is wrong is said in the dialog, where it can still be mended. ``fields``: how what is said of each
    begins → the field; the last one takes the rest."""

    def save() -> None:
        written = lines()
        for field in fields.values():
            problem(field, "")
        try:
            read_rates(written)
        except Malformed as refusal:
            said = _wrong(refusal, is_one=len(fields) > 1)
            problem(next(field for begins, field in fields.items() if said.startswith(begins)), said)
            return
        dialog.close(written)

    with box("dfoot"):
        button("Cancel", lambda: dialog.close(None))
        button("Save", save, kind="pri")


def _wrong(refusal: Malformed, *, is_one: bool) -> str:
    """*csv: line 2: the market must be … → Line 2: the market must be …*; of one rate without its line."""
    said = refusal.sentence.removeprefix("csv: ")
    said = said.removeprefix("line 2: ") if is_one else said
    return f"{said[:1].upper()}{said[1:]}."


def _row(each: Rate) -> TableRow:
    market = "All others" if each.market == "*" else each.market
    since = each.valid_from.isoformat()
    return TableRow(
        f"{each.category} {each.market} {since}",
        f"rate for {each.category}, {market}",
        (
            text_cell(each.category.replace("_", " ").capitalize()),
            text_cell(market),
            text_cell(since),
            text_cell(exact(each.amount_micros)),
        ),
    )
