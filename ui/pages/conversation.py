"""One conversation: why it opened, why it costs what it does, and what was exchanged while it ran."""

from dataclasses import dataclass

from core.billing.queries import Cost, conversation_cost
from core.conversations.commands import bring_up_to_date
from core.conversations.queries import (
    ConversationDetail,
    ConversationMessage,
    ConversationStatus,
    conversation_detail,
)
from core.conversations.rules import TimeFlag
from core.messaging.threads import KINDS
from core.phones.queries import PhoneChoice, choices
from core.unit import Unit
from data.enums import Direction, OpenedBy
from ui.act import ask
from ui.format import month_name
from ui.page import PageContext
from ui.pages.conversation_words import OPENERS, STATUS, who
from ui.parts.badge import MESSAGE, badge
from ui.parts.button import button, link
from ui.parts.card import card, card_title, heading
from ui.parts.facts import Value, facts
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.table import Column, Rows, Table, TableRow, badge_cell, text_cell, when_cell
from ui.parts.text import box, text

COLUMNS = (
    Column("what", "Message", card="title"),
    Column("from", "From", card="foot", width="24%"),
    Column("state", "Status", card="foot", width="132px"),
    Column("at", "When", card="aside", width="136px", right=True),
)

FLAGS = {
    TimeFlag.AHEAD: "Time by arrival: Meta’s was in the future",
    TimeFlag.STALE: "Not counted: it reached us over 35 days late",
}


@dataclass(frozen=True, slots=True)
class _Seen:
    """``cost`` None: not for those who may not see billing."""

    detail: ConversationDetail
    cost: Cost | None
    phones: dict[str, PhoneChoice]


async def build(page: PageContext) -> None:
    await _Conversation(page).build()


class _Conversation:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._id = page.params["conversation_id"]

    async def build(self) -> None:
        page = self._page
        workspace_id = page.actor.workspace_id
        if workspace_id is not None:
            await ask(lambda: bring_up_to_date(page.runtime, workspace_id))
        self._seen = seen = await page.read(self._look)
        row = seen.detail.row
        page.live(self._refresh)
        with link("", "/conversations", classes="link back"):
            icon("arrow-left")
            text("All conversations")
        name, number = who(row)
        with heading(page, number, title=name):
            if page.can("contacts.view"):
                button("Contact", lambda: page.leave(f"/contacts/{row.contact_id}"), icon="user")
        with box("phonepage"):
            with card("tablecard conversations", label="Messages"):
                card_title("Messages", aside="While it ran, oldest first")
                self._table = Table(
                    page,
                    COLUMNS,
                    self._load,
                    label="Messages",
                    one="message",
                    on_open=lambda message_id: page.leave(f"/messages/{message_id}"),
                    nothing=("No messages", "What opened it failed after it was invoiced; it is not owed."),
                    nothing_icon="message-square",
                )
            with box("stack"):
                with card(label="Why it opened"):
                    card_title("Why it opened")
                    with box("cardbody"):
                        self._why = Region(self._draw_why, "stack")
                with card(label="What it costs"):
                    card_title("What it costs")
                    with box("cardbody"):
                        self._cost = Region(self._draw_cost, "stack")
        self._show(seen)
        await self._table.show()

    def _look(self, unit: Unit) -> _Seen:
        cost = conversation_cost(unit, self._id) if self._page.can("billing.view") else None
        phones = {phone.phone_number_id: phone for phone in choices(unit)}
        return _Seen(conversation_detail(unit, self._id), cost, phones)

    async def _refresh(self) -> None:
        self._seen = await self._page.read(self._look)
        self._show(self._seen)
        await self._table.refresh()

    def _show(self, seen: _Seen) -> None:
        self._why.show(seen.detail.row, seen.detail.previous)
        self._cost.show(seen.cost, seen.detail.invoice_number, seen.detail.row.invoice_id)

    def _draw_why(self, *_: object) -> None:
        seen = self._seen
        row, previous = seen.detail.row, seen.detail.previous
        with box("badges"):
            badge(STATUS[row.status])
        text(
            f"{OPENERS[row.opened_by]} wrote, and no conversation of this person with this number was open.",
            tag="p",
        )
        phone = seen.phones.get(row.phone_number_id)
        lines: list[tuple[str, Value]] = [
            ("Opened", row.opened_at),
            ("Closes" if row.status is ConversationStatus.ACTIVE else "Closed", row.closes_at),
            (
                "Our number",
                f"{phone.verified_name}, {phone.display_number}" if phone else row.phone_number_id,
            ),
            ("Messages", f"{row.messages_in} in, {row.messages_out} out"),
            ("Id", row.id),
        ]
        facts(self._page, lines, mono=("Id",))
        if previous is not None:
            link("The one before it", f"/conversations/{previous.id}")

    def _draw_cost(self, cost: Cost | None, number: int | None, invoice_id: str | None) -> None:
        row = self._seen.detail.row
        if cost is None:
            text("What it costs is for those who see billing.", tag="p")
            return
        text(cost.sentence, tag="p")
        link(f"Billing of {month_name(cost.period.first_day)}", f"/billing?month={cost.period.name}")
        if number is not None and invoice_id is not None:
            link(f"Invoice {number}", f"/billing/invoices/{invoice_id}")
        if row.opened_by is OpenedBy.CUSTOMER:
            text("It counts whoever opened it.", "faint", tag="p")

    async def _load(self, _: str | None) -> Rows:
        return Rows([self._row(each) for each in self._seen.detail.messages])

    def _row(self, each: ConversationMessage) -> TableRow:
        is_sent = each.direction is Direction.OUTBOUND
        what = each.template_name or KINDS.get(each.meta_type or "text", "Text")
        return TableRow(
            each.id,
            f"message {what}",
            (
                text_cell(what, _about(each)),
                text_cell("You" if is_sent else "The customer"),
                badge_cell(MESSAGE.get(each.state, MESSAGE["sending"])),
                when_cell(self._page, each.at),
            ),
        )


def _about(each: ConversationMessage) -> str:
    """*It opened the conversation · Time by arrival*"""
    said = ["It opened the conversation"] if each.opens else []
    said += [FLAGS[each.flag]] if each.flag else []
    return " · ".join(said)
