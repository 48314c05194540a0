"""What the queue page says about each message and about the whole, in words."""

from datetime import datetime

from core.lanes.queries import HoldView
from core.messaging.queries import LaneStatus, MessageRow, QueueStatus
from core.messaging.waiting import Waits
from data.enums import HoldCause, HoldScope, WaitingFor
from ui.format import duration, number, plural, relative
from ui.page import PageContext
from ui.parts.badge import MESSAGE, Tone, Word
from ui.parts.table import Column, TableRow, badge_cell, dots_cell, text_cell, when_cell

TABS = {
    "": "All",
    Waits.IN_FLIGHT: "In flight",
    Waits.READY: "Ready",
    Waits.DELAYED: "Waiting for a retry",
    Waits.HELD: "Held",
    Waits.UNKNOWN: "Unknown",
}
NOTHING: dict[str, tuple[str, str]] = {
    "": (
        "The queue is empty",
        "What is sent from here or through the API passes through, and stays while it waits for a retry.",
    ),
    Waits.IN_FLIGHT: (
        "Nothing is on the wire",
        "Messages are here for the moment that Meta takes to answer.",
    ),
    Waits.READY: ("Nothing is due", "Every message whose time has come is on its way."),
    Waits.DELAYED: ("Nothing waits for a retry", "What fails in passing waits here for its next attempt."),
    Waits.HELD: (
        "Nothing is held",
        "When the queue is paused, or Meta stops a phone, its messages wait here.",
    ),
    Waits.UNKNOWN: (
        "No outcome is unknown",
        "A send of which nobody knows whether Meta took it waits here for a person's word.",
    ),
}
CAUSES = {
    HoldCause.PERSON: "by hand",
    HoldCause.TOKEN: "the access token is refused",
    HoldCause.PAYMENT: "Meta asks for a payment",
    HoldCause.RESTRICTION: "Meta restricts the account",
    HoldCause.REGISTRATION: "the number is not registered",
    HoldCause.META: "Meta cannot be reached",
}


def columns(*, with_phone: bool) -> tuple[Column, ...]:
    """``with_phone``: a workspace of several phones sees which one sends."""
    phone = (Column("phone", "From", card="hidden", width="13%"),) if with_phone else ()
    return (
        Column("to", "Recipient", card="title", width="16%"),
        Column("state", "State", card="line", width="18%"),
        *phone,
        Column("message", "Message", width="18%" if with_phone else "24%"),
        Column("error", "Last error", card="line"),
        Column("attempts", "Attempts", card="hidden", width="86px"),
        Column("due", "Due", card="aside", width="92px", right=True),
    )


def table_row(page: PageContext, row: MessageRow, status: QueueStatus, *, with_phone: bool) -> TableRow:
    lane = next((each for each in status.lanes if each.phone_number_id == row.phone_number_id), None)
    word, next_step = state_words(row, pause=status.pause, lane=lane, now=page.now())
    code = (row.error_code or "").removeprefix("meta_")
    warning = "may arrive twice" if row.may_duplicate else ""
    phone = (text_cell(lane.verified_name, lane.display_number) if lane else text_cell("–"),)
    return TableRow(
        row.id,
        f"message to {row.to_pretty}",
        (
            text_cell(row.to_pretty, row.contact_name or ""),
            badge_cell(word, next_step),
            *(phone if with_phone else ()),
            text_cell(row.template_name or "Text", row.preview),
            text_cell(
                row.error_title or "", " · ".join(filter(None, (code, warning))), title=row.error_title or ""
            ),
            dots_cell(row.rung, row.rungs + 1),
            when_cell(page, row.next_attempt_at, with_date=False),
        ),
    )


def state_words(
    row: MessageRow, *, pause: HoldView | None, lane: LaneStatus | None, now: datetime
) -> tuple[Word, str]:
    """The state, and what happens next: *retry 3 of 4 in 12 min*."""
    if row.status == "sending":
        return MESSAGE["sending"], f"Retry {row.rung} of {row.rungs}" if row.rung else "First attempt"
    if row.status == "unknown":
        return MESSAGE["unknown"], "Waits for a person's word"
    if pause is not None:
        return ("Held", "amber"), "Waits: the queue is paused"
    if lane is not None and lane.hold is not None:
        return ("Held", "amber"), f"Waits: the phone is {lane_word(lane, None)[0].lower()}"
    word = MESSAGE[row.status]
    if row.waiting_for is WaitingFor.TEMPLATE:
        return word, "Waits for its template"
    if row.next_attempt_at is None or row.next_attempt_at <= now:
        return word, "Waits for its turn"
    at = _calmly(row.next_attempt_at, now)
    if row.waiting_for is WaitingFor.THROUGHPUT:
        return word, f"Rate limit: again {at}"
    if row.waiting_for is WaitingFor.RUNG and row.rung:
        return word, f"Retry {row.rung} of {row.rungs} {at}"
    return word, f"Tried {'again ' if row.attempts else ''}{at}"


def lane_word(lane: LaneStatus, pause: HoldView | None) -> Word:
    if lane.hold is not None:
        return ("Paused", "amber") if lane.hold.cause is HoldCause.PERSON else ("Held", "red")
    return ("Queue paused", "amber") if pause is not None else ("Open", "green")


def hold_words(page: PageContext, hold: HoldView) -> str:
    """By whom, since when, why and until when: *by Ada Lindqvist 12 min ago: audit · ends in 48 min*."""
    since = relative(hold.held_at, page.now())
    if hold.cause is not HoldCause.PERSON:
        return f"{since}: {hold.reason or CAUSES[hold.cause]}"
    ends = f" · ends {soon(hold.until, page.now())}" if hold.until is not None else ""
    return f"{f'by {hold.held_by_name} ' if hold.held_by_name else ''}{since}: {hold.reason}{ends}"


def queue_words(page: PageContext, status: QueueStatus) -> tuple[Tone, str, str]:
    """Tone, sentence and detail of the state of the whole."""
    if status.pause is not None:
        who = "For everybody, sending is paused" if status.pause.scope is HoldScope.EVERYTHING else "Paused"
        waits = f"{_messages(status.held)} {'waits' if status.held == 1 else 'wait'} and use up no retry."
        return "amber", f"{who} {hold_words(page, status.pause)}", waits
    if status.worker == "disabled":
        return "amber", "Not sending", "This deployment's worker for sending is switched off."
    held = sum(1 for lane in status.lanes if lane.hold is not None)
    sent = f"{_messages(status.sent_last_minute)} taken by Meta in the last minute."
    if held:
        return "amber", "Running", f"{plural(held, 'phone')} of {number(len(status.lanes))} held. {sent}"
    return "green", "Running", sent


def worker_words(page: PageContext, status: QueueStatus) -> tuple[str, str]:
    """*No worker seen for 2 min*, and what waits for it."""
    seen = status.worker_seen_at
    unseen = f"for {duration((page.now() - seen).total_seconds())}" if seen else "yet"
    title = f"No worker seen {unseen}"
    if not status.due:
        return title, "Nothing is sent. Nothing is due either; what comes in waits for a worker."
    verb = "is" if status.due == 1 else "are"
    return (
        title,
        f"{plural(status.due, 'due message')} {verb} waiting. They go when a worker runs; none is lost.",
    )


def going(count: int) -> str:
    """*812 messages will go.*"""
    return f"{_messages(count)} will go." if count else "Nothing waits at the moment."


def soon(due_at: datetime, now: datetime) -> str:
    """*in 12 s*, or *in a moment* where that is less than a person could read."""
    return relative(due_at, now) if (due_at - now).total_seconds() >= 2 else "in a moment"


def _messages(count: int) -> str:
    return plural(count, "message")


def _calmly(due_at: datetime, now: datetime) -> str:
    """Changes once a minute at most, so that a list of them rests; beside it the browser counts seconds."""
    return relative(due_at, now) if (due_at - now).total_seconds() >= 60 else "within a minute"
