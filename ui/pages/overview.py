"""The overview: whether all is well, eight figures, and what happened last."""

from core.billing.queries import MonthView, current_month
from core.dead_letters.filters import LetterFilter
from core.dead_letters.lists import LetterPage, list_letters
from core.messaging.queries import MessageFilter, MessagePage, list_messages
from core.monitoring.overview import Day, Overview, overview
from core.unit import Unit
from data.enums import Direction, LetterState
from ui.format import number, plural, relative, share, usd
from ui.frame import health_sentence
from ui.page import PageContext
from ui.pages.first_steps import offer_first_steps
from ui.pages.monitoring_words import time_words, week_words
from ui.parts.badge import MESSAGE
from ui.parts.card import card, card_title, heading
from ui.parts.stat import Stat, stats
from ui.parts.table import Column, Rows, Table, TableRow, badge_cell, code_cell, text_cell, when_cell
from ui.parts.text import box, text

SHOWN = 8


async def build(page: PageContext) -> None:
    await _Overview(page).build()


class _Overview:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._sees_queue = page.can("queues.view") and page.can("dead_letters.view")

    async def build(self) -> None:
        page = self._page
        found = await page.read(self._look)
        with heading(page, "What is being sent, what waits, and what needs a person."):
            pass
        await offer_first_steps(page)
        with box("card wellness", role="status") as self._wellness:
            box("dot")
            self._sentence = text("", tag="b")
            self._detail = text("")
        with stats().classes("eight"):
            self._draw_stats()
        with box("columns"):
            if self._sees_queue:
                with card("tablecard", label="Latest dead letters"):
                    card_title("Latest dead letters")
                    self._letters = _letters(page)
                    await self._letters.show()
            with card("tablecard", label="Latest messages"):
                card_title("Latest messages")
                self._messages = _messages(page)
                await self._messages.show()
        self._show(*found)
        page.live(self._refresh)

    def _look(self, unit: Unit) -> tuple[Overview, MonthView | None]:
        return overview(unit), current_month(unit) if unit.actor.can("billing.view") else None

    def _draw_stats(self) -> None:
        sees, bills = self._sees_queue, self._page.can("billing.view")
        self._sent = Stat("Sent, last 24 hours", tone="brand", target="/monitoring")
        self._delivered = Stat("Delivered, last 24 hours", tone="green", target="/messages")
        self._read = Stat("Read, last 24 hours", tone="blue", target="/messages?status=read")
        self._recovered = Stat("Recovered by retries", tone="amber", target="/monitoring")
        self._waiting = Stat("Waiting", tone="blue", target="/queue" if sees else "")
        self._open = Stat("Dead letters open", tone="red", target="/dead-letters" if sees else "")
        lag = "/webhooks" if self._page.can("webhooks.view") else "/monitoring"
        self._lag = Stat("Webhook lag", tone="grey", target=lag)
        self._month = Stat("Conversations this month", tone="brand", target="/billing") if bills else None

    def _show(self, found: Overview, month: MonthView | None) -> None:
        day, trend = found.day, found.trend
        self._sent.show(number(trend.taken), week_words(trend.taken, trend.a_week_ago))
        self._delivered.show(share(day.delivered, day.settled), _of(day.delivered, day.settled, day))
        self._read.show(share(day.read, day.settled), _of(day.read, day.settled, day))
        self._recovered.show(share(day.recovered, day.retried), _of(day.recovered, day.retried, day))
        oldest = found.oldest_waiting_at
        self._waiting.show(
            number(found.waiting),
            f"oldest from {relative(oldest, self._page.now())}" if oldest else "nothing waits",
        )
        self._open.show(number(found.open_letters), "wait for a person" if found.open_letters else "none")
        about = "at most, for 95 % of those that came lately" if trend.lag_ms else "none came lately"
        self._lag.show(time_words(trend.lag_ms), about)
        if self._month is not None and month is not None:
            self._month.show(number(month.rating.total), f"{usd(month.rating.amount_micros)} so far")
        self._say(found)

    def _say(self, found: Overview) -> None:
        around = self._page.surroundings
        sentence, is_well = health_sentence(around)
        counts = {"alert": around.open_alerts, "dead letter": found.open_letters}
        needs = [plural(count, name) for name, count in counts.items() if count]
        if not is_well:
            self._sentence.set_text(f"{sentence}.")
            self._detail.set_text("Messages wait until it runs again; none is lost.")
        elif needs:
            self._sentence.set_text(f"{' and '.join(needs)} to look at.")
            self._detail.set_text("Everything else goes its way.")
        else:
            self._sentence.set_text("All is well.")
            self._detail.set_text("Nothing waits for a person.")
        tone = "red" if not is_well else "amber" if needs else "green"
        self._wellness.classes(replace=f"card wellness tone-{tone}")

    async def _refresh(self) -> None:
        self._show(*await self._page.read(self._look))
        if self._sees_queue:
            await self._letters.refresh()
        await self._messages.refresh()


def _of(part: int, whole: int, day: Day) -> str:
    if not whole:
        return "none in the last 24 hours"
    newest = " of the newest" if day.is_sample else ""
    return f"{number(part)} of {number(whole)}{newest}"


def _letters(page: PageContext) -> Table:
    def query(unit: Unit) -> LetterPage:
        return list_letters(unit, LetterFilter(state=LetterState.OPEN), limit=SHOWN)

    async def load(_: str | None) -> Rows:
        found = await page.read(query)
        return Rows(
            [
                TableRow(
                    row.id,
                    f"dead letter to {row.to_pretty}",
                    (
                        text_cell(row.to_pretty, row.template_name or "Text"),
                        code_cell(row.error_code.removeprefix("meta_"), row.title),
                        when_cell(page, row.dead_at, with_date=False),
                    ),
                )
                for row in found.items
            ]
        )

    return Table(
        page,
        (
            Column("to", "Recipient", card="title", width="34%"),
            Column("error", "Error"),
            Column("dead", "Died", card="aside", width="96px", right=True),
        ),
        load,
        label="Latest dead letters",
        one="dead letter",
        on_open=lambda row_id: page.leave(f"/dead-letters?open={row_id}"),
        nothing=("No dead letters", "Messages that failed every retry come here."),
        nothing_icon="circle-check",
        follows=True,
        compact=True,
    )


def _messages(page: PageContext) -> Table:
    def query(unit: Unit) -> MessagePage:
        return list_messages(unit, MessageFilter(direction=Direction.OUTBOUND), limit=SHOWN)

    async def load(_: str | None) -> Rows:
        found = await page.read(query)
        return Rows(
            [
                TableRow(
                    row.id,
                    f"message to {row.to_pretty}",
                    (
                        text_cell(row.to_pretty, row.contact_name or ""),
                        badge_cell(MESSAGE[row.status]),
                        when_cell(page, row.created_at, with_date=False),
                    ),
                )
                for row in found.items
            ]
        )

    return Table(
        page,
        (
            Column("to", "Recipient", card="title"),
            Column("status", "Status", width="132px", card="foot"),
            Column("at", "Created", card="aside", width="104px", right=True),
        ),
        load,
        label="Latest messages",
        one="message",
        on_open=lambda row_id: page.leave(f"/messages?open={row_id}"),
        nothing=("No messages yet", "What is sent from here or through the API appears at once."),
        follows=True,
        compact=True,
    )
