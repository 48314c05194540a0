"""Reconciliation: what we charge beside what Meta does, by day and category. Two ledgers, never mixed."""

from core.billing.comparison import months
from core.billing.periods import Period
from core.billing.queries import current_month, one_month
from core.billing.reconciliation import Line, Report, report
from core.conversations.commands import bring_up_to_date
from core.unit import Unit
from ui.act import ask
from ui.format import NOTHING, day_name, month_name, number, percent, plural, relative, usd
from ui.page import PageContext
from ui.pages.billing_words import conversations
from ui.pages.reconciliation_rates import RatesCard
from ui.parts.button import link
from ui.parts.callout import callout
from ui.parts.card import card, card_title, heading
from ui.parts.filters import select_field
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.stat import Stat, stats
from ui.parts.table import Column, Rows, Table, TableRow, text_cell
from ui.parts.text import text

COLUMNS = (
    Column("day", "Day", card="title", width="14%"),
    Column("category", "Category", card="line"),
    Column("ours", "We charge", card="foot", width="16%", right=True),
    Column("metas", "Meta charges", card="foot", width="19%", right=True),
    Column("reported", "Meta reports", card="hidden", width="15%", right=True),
    Column("difference", "Difference", card="aside", width="12%", right=True),
    Column("margin", "Margin", card="hidden", width="8%", right=True),
)
NOTHING_YET = (
    "Nothing to set side by side",
    "Days with a conversation, or a message that Meta priced, stand here.",
)


async def build(page: PageContext) -> None:
    await _Reconciliation(page).build()


class _Reconciliation:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._wanted = page.query.get("month", "")

    async def build(self) -> None:
        page = self._page
        workspace_id = page.actor.workspace_id
        if workspace_id is not None:
            await ask(lambda: bring_up_to_date(page.runtime, workspace_id))
        self._period = await page.read(self._look)
        known = await page.read(months)
        with link("", "/billing", classes="link back"):
            icon("arrow-left")
            text("Billing")
        name = month_name(self._period.first_day)
        with heading(page, f"What we charge in {name} beside what Meta charges for its messages."):
            self._draw_month(known)
        self._notes = Region(_draw_notes, "stack warnings")
        with stats():
            self._ours = Stat("We charge", tone="brand", target=conversations(month=self._period.name))
            self._metas = Stat("Meta charges", tone="blue")
            self._reported = Stat("Meta reports", tone="grey")
            self._difference = Stat("Difference", tone="amber")
            self._margin = Stat("Margin", tone="grey")
        self._as_of = text("", "asof", tag="p")
        with card("tablecard reconciled", label="By day and category"):
            card_title("By day and category", aside=f"Time zone {self._period.zone}")
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="By day and category",
                one="line",
                on_open=lambda line: page.leave(conversations(day=line.partition(" ")[0])),
                nothing=NOTHING_YET,
                nothing_icon="list",
            )
        self._rates = RatesCard(page, changed=self._show)
        await self._show()

    def _draw_month(self, known: list[Period]) -> None:
        page, running = self._page, known[0].name if known else ""
        select_field(
            "Month",
            {each.name: month_name(each.first_day) for each in known},
            self._period.name,
            lambda chosen: page.leave(page.address(month=None if chosen == running else chosen)),
        )

    def _look(self, unit: Unit) -> Period:
        return (one_month(unit, self._wanted) if self._wanted else current_month(unit)).period

    async def _show(self) -> None:
        period = self._period
        found = await self._page.read(lambda unit: report(unit, period.first_day, period.last_day))
        self._lines = found.lines
        total = found.total
        self._notes.show(found)
        self._ours.show(usd(total.owed_micros), plural(total.conversations, "conversation"))
        self._metas.show(usd(total.cost_micros), _metas(total))
        self._reported.show(_reported(total), self._read_words(found))
        self._difference.show(_difference(total), "ours less Meta's")
        self._margin.show(_margin(total), "of what we charge")
        self._as_of.set_text(f"As of {self._page.times.exact(self._page.now())}.")
        await self._table.show()
        await self._rates.show()

    def _read_words(self, found: Report) -> str:
        at = found.reports.read_at
        return "not read yet" if at is None else f"read {relative(at, self._page.now())}"

    async def _load(self, _: str | None) -> Rows:
        return Rows([_row(each) for each in self._lines])


def _draw_notes(found: Report) -> None:
    if found.total.unpriced:
        callout(
            f"{plural(found.total.unpriced, 'message')} without a rate",
            "Where one is missing there is no difference and no margin: nothing is made up.",
            advice="Enter Meta's rates below, or import them.",
            tone="amber",
        )
    for kind, count in found.unknown.items():
        callout(
            "Meta named a kind of price that we do not know",
            f"“{kind or 'none'}”, on {plural(count, 'message')}. They are kept as they are.",
            tone="blue",
        )
    for account, reason in found.reports.refused.items():
        callout(
            f"Meta's own figures for {account} cannot be read",
            reason,
            advice="They are asked for again in some hours. Prices that its statuses name stand here anyhow.",
            tone="blue",
        )
    if found.reports.others:
        callout(
            f"Meta bills in {', '.join(found.reports.others)} too",
            "Only what it reports in US dollars stands beside ours; amounts are not converted.",
            tone="blue",
        )


def _row(each: Line) -> TableRow:
    day = day_name(each.day)
    return TableRow(
        f"{each.day.isoformat()} {each.category}",
        f"{day}, {each.category}",
        (
            text_cell(day),
            text_cell(each.category.replace("_", " ").capitalize()),
            text_cell(usd(each.owed_micros), plural(each.conversations, "conversation")),
            text_cell(usd(each.cost_micros), _metas(each)),
            text_cell(_reported(each), _reported_for(each)),
            text_cell(_difference(each)),
            text_cell(_margin(each)),
        ),
    )


def _metas(each: Line) -> str:
    """*3 messages, 1 free, 2 without a rate*"""
    said = plural(each.messages, "message")
    if each.free:
        said += f", {number(each.free)} free"
    return f"{said}, {number(each.unpriced)} without a rate" if each.unpriced else said


def _reported(each: Line) -> str:
    return NOTHING if each.reported_micros is None else usd(each.reported_micros)


def _reported_for(each: Line) -> str:
    return "" if each.reported_messages is None else plural(each.reported_messages, "message")


def _difference(each: Line) -> str:
    return NOTHING if each.difference_micros is None else usd(each.difference_micros)


def _margin(each: Line) -> str:
    return NOTHING if each.margin is None else percent(each.margin)
