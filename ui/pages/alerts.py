"""Alerts: what is not as it should be, since when, what to do, and who takes care of it."""

from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlencode

from core.alerts import commands
from core.alerts.queries import AlertFilter, AlertRow, get_alert, list_alerts
from core.lanes.commands import resume
from core.lanes.releases import Offer, OfferKind, offers
from core.unit import Unit
from data.enums import AlertState, Severity
from ui.format import plural
from ui.page import PageContext
from ui.parts.badge import SEVERITY, SEVERITY_ICONS, Word, badge
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.drawer import Drawer, section
from ui.parts.facts import Value, facts
from ui.parts.filters import Segment, filter_bar, select_field
from ui.parts.table import Cell, Column, Rows, Table, TableRow, badge_cell, text_cell, when_cell
from ui.parts.text import box

COLUMNS = (
    Column("alert", "Alert", card="title", width="36%"),
    Column("severity", "Severity", card="foot", width="156px"),
    Column("todo", "What to do"),
    Column("opened", "Since", card="aside", width="116px", right=True),
)
STATES = {"open": "Open", "resolved": "Resolved", "all": "All"}
SEVERITIES = {"": "All severities"} | {each.value: SEVERITY[each][0] for each in Severity}
NOTHING = {
    "open": ("No open alerts", "When a number, a token or a webhook needs someone, it appears here."),
    "resolved": ("No resolved alerts", "An alert whose cause has ended moves here, and stays."),
    "all": ("No alerts yet", "When a number, a token or a webhook needs someone, it appears here."),
}
NO_MATCH = ("No alert matches", "Choose all severities, or another state.")


async def build(page: PageContext) -> None:
    await _Alerts(page).build()


class _Alerts:
    """The open ones first of all: they are what someone comes for."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._shown: tuple[AlertRow, tuple[Offer, ...]] | None = None

    async def build(self) -> None:
        page = self._page
        page.live(self._refresh)
        with heading(page, "What needs someone, newest first. An alert ends when its cause does."):
            button("Channels", lambda: page.leave("/alerts/channels"), icon="send")
            page.command("Alert channels", lambda: page.leave("/alerts/channels"), icon="send")
        with card("tablecard alerts", label="Alerts"):
            with filter_bar():
                Segment("State", STATES, self._state, self._on("state"))
                select_field("Severity", SEVERITIES, page.query.get("severity", ""), self._on("severity"))
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Alerts",
                one="alert",
                on_open=lambda alert_id: self._drawer.open(alert_id),
                nothing_icon="bell",
            )
        self._drawer = Drawer(
            page,
            self._fill,
            label="Alert",
            step=lambda direction: self._table.step(self._drawer.open_id, direction),
            on_change=self._table.mark_open,
        )
        await self._show()
        await self._drawer.restore()

    @property
    def _state(self) -> str:
        asked = self._page.query.get("state", "")
        return asked if asked in STATES else "open"

    @property
    def _severity(self) -> Severity | None:
        asked = self._page.query.get("severity", "")
        return Severity(asked) if asked in set(Severity) else None

    def _on(self, name: str) -> Callable[[str], Awaitable[None]]:
        async def narrow(value: str) -> None:
            self._page.go(**{name: value})
            await self._show()

        return narrow

    async def _show(self) -> None:
        self._table.explain_nothing(*(NO_MATCH if self._severity else NOTHING[self._state]))
        await self._table.show()

    async def _load(self, cursor: str | None) -> Rows:
        state = AlertState(self._state) if self._state in set(AlertState) else None
        wanted = AlertFilter(state, self._severity)
        found = await self._page.read(lambda unit: list_alerts(unit, wanted, cursor=cursor))
        return Rows([_table_row(self._page, row) for row in found.items], found.next_cursor)

    async def _refresh(self) -> None:
        await self._table.refresh()
        alert_id = self._drawer.open_id
        if alert_id and self._shown != await self._page.read(lambda unit: _look_up(unit, alert_id)):
            await self._drawer.redraw()

    async def _fill(self, alert_id: str) -> None:
        row, offered = self._shown = await self._page.read(lambda unit: _look_up(unit, alert_id))
        with self._drawer.head(row.title, row.subject):
            pass
        with self._drawer.body():
            with box("badges"):
                badge(SEVERITY[row.severity])
                badge(_standing(row))
            tone = SEVERITY[row.severity][1] if row.resolved_at is None else "grey"
            callout(
                row.detail or row.meaning, row.meaning if row.detail else "", advice=row.advice, tone=tone
            )
            if row.outcome:
                callout("What became of its messages", row.outcome, tone="green")
            for offer in offered:
                self._draw_offer(offer)
            with section("What happened"):
                facts(self._page, _facts(row), mono=["Subject"])
        with self._drawer.foot():
            if row.can_acknowledge:
                button("Acknowledge", partial(self._acknowledge, row.id), icon="check", kind="pri")
            if row.link:
                button("Go there", partial(self._page.leave, row.link), icon="arrow-right")

    def _draw_offer(self, offer: Offer) -> None:
        """Where a person has still to do something."""
        waits = plural(offer.count, "message")
        if offer.kind is OfferKind.RESUME:
            what = "this number" if offer.phone_number_id else "the workspace"
            with callout(f"{waits} can go", f"A pause by hand still stops {what}.", tone="amber"):
                button(f"Resume {what}", partial(self._resume, offer), icon="play", small=True)
            return
        with callout(f"{waits} ran out of time meanwhile", "Nobody sends them any more.", tone="amber"):
            query = {"code": "expired", "phone": offer.phone_number_id or ""}
            there = f"/dead-letters?{urlencode(query)}"
            button("Look at them", partial(self._page.leave, there), icon="arrow-right", small=True)

    async def _resume(self, offer: Offer) -> None:
        reason = "Offered by the alert whose cause is gone"
        await self._page.write(
            lambda unit: resume(unit, phone_number_id=offer.phone_number_id, reason=reason),
            done=f"Resumed: {plural(offer.count, 'message')} can go",
        )
        await self._drawer.redraw()

    async def _acknowledge(self, alert_id: str) -> None:
        done = "Acknowledged. It stays open until its cause has ended."
        if await self._page.write(lambda unit: commands.acknowledge(unit, alert_id), done=done):
            await self._drawer.redraw()
            await self._table.refresh()


def _look_up(unit: Unit, alert_id: str) -> tuple[AlertRow, tuple[Offer, ...]]:
    row = get_alert(unit, alert_id)
    return row, offers(unit, row)


def _standing(row: AlertRow) -> Word:
    if row.resolved_at is not None:
        return ("Resolved", "green")
    return ("Acknowledged", "grey") if row.acknowledged_at else ("Open", "red")


def _table_row(page: PageContext, row: AlertRow) -> TableRow:
    return TableRow(
        row.id,
        f"alert {row.title}, {row.subject}",
        (
            text_cell(row.title, row.outcome or row.detail or row.subject, icon=SEVERITY_ICONS[row.severity]),
            _severity_cell(row),
            text_cell(row.advice),
            when_cell(page, row.opened_at),
        ),
    )


def _severity_cell(row: AlertRow) -> Cell:
    """With how it stands, where that is not plainly open."""
    if row.resolved_at is not None:
        return badge_cell(SEVERITY[row.severity], "resolved", at=row.resolved_at)
    return badge_cell(SEVERITY[row.severity], f"with {row.acknowledged_by}" if row.acknowledged_by else "")


def _facts(row: AlertRow) -> list[tuple[str, Value]]:
    lines: list[tuple[str, Value]] = [
        ("Subject", row.subject),
        ("Since", row.opened_at),
        ("Last seen", row.last_seen_at if row.times > 1 else None),
        ("Seen", plural(row.times, "time") if row.times > 1 else None),
        ("Taken by", row.acknowledged_by),
        ("Taken", row.acknowledged_at),
        ("Resolved", row.resolved_at),
        ("Ends with", row.ends if row.resolved_at is None else None),
        ("Concerns", "The whole installation" if row.is_of_platform else None),
    ]
    return [(name, value) for name, value in lines if value is not None]
