"""Webhooks: how fast Meta's deliveries come and are applied, each in full, and a way to apply them again."""

from collections.abc import Awaitable, Callable

from core.inbox import commands
from core.inbox.queries import COUNT_TO, DeliveryFilter, DeliveryRow, count_deliveries, deliveries
from core.inbox.trial import setup
from core.messaging.lists import PERIODS, since
from core.phones.queries import choices
from core.unit import Unit
from data.enums import DeliveryState
from ui.format import number, plural
from ui.page import PageContext
from ui.pages.webhook_drawer import DeliveryDrawer
from ui.pages.webhook_figures import Figures
from ui.pages.webhook_setup import SetupCard
from ui.pages.webhook_words import DELIVERY, size_words
from ui.parts.button import button
from ui.parts.card import card, heading
from ui.parts.confirm import confirm
from ui.parts.filters import Segment, filter_bar, select_field
from ui.parts.table import Column, Rows, Table, TableRow, badge_cell, text_cell, when_cell
from ui.parts.toast import toast

COLUMNS = (
    Column("what", "Webhook", card="title", width="26%"),
    Column("state", "State", card="foot", width="128px"),
    Column("result", "Result"),
    Column("size", "Size", card="hidden", width="96px", right=True),
    Column("received", "Received", card="aside", width="116px", right=True),
)
STATES = {"": "All"} | {state.value: DELIVERY[state][0] for state in DeliveryState}
TIMES = {
    "": "All time",
    "1h": "Last hour",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
}
NOTHING_YET = (
    "No webhooks yet",
    "What Meta delivers appears here. Set up the callback URL at Meta, then send a message.",
)
NO_MATCH = ("No webhook matches", "Take a filter away, or look further back in time.")


async def build(page: PageContext) -> None:
    await _Webhooks(page).build()


class _Webhooks:
    """Figures, what to set up at Meta, and the list."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._phones: dict[str, str] = {}

    async def build(self) -> None:
        page = self._page
        found, phones = await page.read(lambda unit: (setup(unit), choices(unit)))
        self._phones = {phone.phone_number_id: phone.verified_name for phone in phones}
        page.live(self._refresh)
        with heading(page, "What Meta delivers: kept raw before it is answered, then applied in order."):
            if page.can("webhooks.replay"):
                button("Replay all that match", self._replay_matching, icon="rotate-cw")
        self._figures = Figures(page)
        SetupCard(page, found)
        with card("tablecard", label="Webhooks"):
            self._draw_filters()
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Webhooks",
                one="webhook",
                on_open=lambda delivery_id: self._drawer.open(delivery_id),
                nothing=NOTHING_YET,
                nothing_icon="webhook",
            )
        self._drawer = DeliveryDrawer(page, self._table, self._phones, changed=self._table.refresh)
        await self._figures.show()
        await self._show()
        await self._drawer.restore()

    # ---- what narrows the list ----

    def _draw_filters(self) -> None:
        asked = self._page.query.get
        with filter_bar():
            Segment("State", STATES, asked("state", ""), self._on("state"))
            if len(self._phones) > 1 or "phone" in self._page.query:
                names = {"": "All phones"} | self._phones
                select_field("Phone", names, asked("phone", ""), self._on("phone"))
            select_field("Time", TIMES, asked("time", ""), self._on("time"))

    def _on(self, name: str) -> Callable[[str], Awaitable[None]]:
        async def narrow(value: str) -> None:
            self._page.go(**{name: value})
            await self._show()

        return narrow

    def _wanted(self, unit: Unit) -> DeliveryFilter:
        asked = self._page.query.get
        state, time = asked("state"), asked("time")
        return DeliveryFilter(
            state=DeliveryState(state) if state in set(DeliveryState) else None,
            phone_number_id=asked("phone") or None,
            since=since(unit, time if time in PERIODS else None),
        )

    # ---- the list ----

    async def _show(self) -> None:
        is_narrowed = any(self._page.query.get(name) for name in ("state", "phone", "time"))
        self._table.explain_nothing(*(NO_MATCH if is_narrowed else NOTHING_YET))
        await self._table.show()

    async def _load(self, cursor: str | None) -> Rows:
        found = await self._page.read(lambda unit: deliveries(unit, self._wanted(unit), cursor=cursor))
        return Rows([self._row(row) for row in found.rows], found.next_cursor)

    def _row(self, row: DeliveryRow) -> TableRow:
        of = self._phones.get(row.phone_number_id or "", row.phone_number_id or "Account or several phones")
        return TableRow(
            row.id,
            f"webhook {row.id}",
            (
                text_cell(of, row.id),
                badge_cell(DELIVERY[row.state]),
                text_cell(_result(row), row.error or ""),
                text_cell(size_words(row.size)),
                when_cell(self._page, row.received_at),
            ),
        )

    async def _refresh(self) -> None:
        await self._figures.show()
        await self._table.refresh()
        await self._drawer.refresh()

    # ---- replay ----

    async def _replay_matching(self) -> None:
        count = await self._page.read(lambda unit: count_deliveries(unit, self._wanted(unit)))
        if not count:
            toast("No webhook matches, so there is nothing to replay.")
            return
        shown = f"more than {number(COUNT_TO)} webhooks" if count > COUNT_TO else plural(count, "webhook")
        sure = await confirm(
            f"Replay {shown}?",
            "Each is applied again from its raw body, oldest first. What was applied before stays as it is; "
            "what failed gets another try.",
            yes="Replay",
            facts=self._scope(),
        )
        if sure:
            done = await self._page.write(lambda unit: commands.replay_matching(unit, self._wanted(unit)))
            if done is not None:
                toast(f"{plural(done, 'webhook')} will be applied again.")
                await self._table.refresh()

    def _scope(self) -> list[tuple[str, str]]:
        asked = self._page.query.get
        names = (("State", STATES, "state"), ("Phone", self._phones, "phone"), ("Time", TIMES, "time"))
        return [(title, words[asked(name, "")]) for title, words, name in names if asked(name) in words]


def _result(row: DeliveryRow) -> str:
    """``3 updates``, ``2 of 3 updates applied``."""
    if row.applied_at is None:
        return "Waits to be applied"
    if row.failures:
        return f"{number(row.updates)} of {plural(row.updates + row.failures, 'update')} applied"
    return plural(row.updates, "update") if row.updates else "Nothing that concerns this workspace"
