"""A message as a line of a list, and its name wherever it is shown."""

from core.messaging.queries import MessageRow
from data.enums import Direction, MessageKind, WaitingFor
from ui.format import number, plural
from ui.page import PageContext
from ui.parts.badge import MESSAGE, Tone
from ui.parts.table import Cell, Column, TableRow, badge_cell, code_cell, dots_cell, text_cell, when_cell

COLUMNS = (
    Column("person", "Person", card="title", width="20%"),
    Column("message", "Message"),
    Column("status", "Status", card="foot", width="200px"),
    Column("error", "Error", width="21%"),
    Column("attempts", "Attempts", card="hidden", width="88px"),
    Column("created", "Created", card="aside", width="116px", right=True),
)
MARKS_MAX = 8
LAST_ATTEMPT: dict[str, Tone] = {
    "sending": "blue",
    "sent": "green",
    "delivered": "green",
    "read": "green",
    "unknown": "amber",
}
WAITS_FOR = {
    WaitingFor.LANE: "until its queue is released",
    WaitingFor.TEMPLATE: "until its template is released",
    WaitingFor.PERSON: "for a person’s word",
}


def title_of(row: MessageRow) -> str:
    """The person's name, else the number."""
    return row.contact_name or row.to_pretty


def about_of(row: MessageRow) -> str:
    """What the message is: direction, number, and what was sent."""
    way = "To" if row.direction is Direction.OUTBOUND else "From"
    return f"{way} {row.to_pretty} · {what_of(row)}"


def what_of(row: MessageRow) -> str:
    return row.template_name or ("Text" if row.kind is MessageKind.TEXT else "Message")


def table_row(page: PageContext, row: MessageRow) -> TableRow:
    is_sent = row.direction is Direction.OUTBOUND
    return TableRow(
        row.id,
        f"message {'to' if is_sent else 'from'} {row.to_pretty}",
        (
            _person(row, is_sent=is_sent),
            _what(row),
            _status(page, row),
            code_cell(row.error_code.removeprefix("meta_"), row.error_title or "")
            if row.error_code
            else text_cell(""),
            _attempts(row) if is_sent else text_cell(""),
            when_cell(page, row.created_at),
        ),
    )


def _status(page: PageContext, row: MessageRow) -> Cell:
    """With what it waits for: *retry in 12 s, 2 retries left*."""
    word = MESSAGE[row.status]
    if row.waiting_for in WAITS_FOR:
        return badge_cell(word, f"waits {WAITS_FOR[row.waiting_for]}")
    if row.next_attempt_at is None or row.status != "retry_queued":
        return badge_cell(word)
    if row.next_attempt_at <= page.now():
        return badge_cell(word, "retry due now")
    left = plural(row.rungs - row.rung, "retry", "retries")
    return badge_cell(word, "retry", at=row.next_attempt_at, after=f", {left} left")


def _person(row: MessageRow, *, is_sent: bool) -> Cell:
    icon = ("arrow-up-right", "To") if is_sent else ("arrow-down-left", "From")
    return text_cell(title_of(row), row.to_pretty if row.contact_name else "", icon=icon)


def _attempts(row: MessageRow) -> Cell:
    """A mark for each attempt, and for each that may still come; many are better read as a number."""
    is_waiting = row.next_attempt_at is not None
    to_come = row.rungs - row.rung + is_waiting if is_waiting or row.status == "sending" else 0
    if row.attempts + to_come > MARKS_MAX:
        return text_cell(number(row.attempts))
    return dots_cell(row.attempts, row.attempts + to_come, last=LAST_ATTEMPT.get(row.status, "red"))


def _what(row: MessageRow) -> Cell:
    if row.template_name:
        return text_cell(row.template_name, row.preview)
    return text_cell(row.preview or what_of(row), "Text" if row.kind is MessageKind.TEXT else "")
