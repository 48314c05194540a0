"""The messages with one contact as bubbles, day by day; older ones on demand."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from itertools import groupby

from core.messaging.threads import Bubble, Thread
from data.enums import Direction
from ui.page import PageContext
from ui.pages.send_view import draw_marked
from ui.parts.badge import MESSAGE
from ui.parts.button import button
from ui.parts.empty import empty
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.text import box, text

STATE_ICONS = {
    "queued": "clock",
    "sending": "send",
    "sent": "check",
    "delivered": "check-check",
    "read": "check-check",
    "retry_queued": "rotate-cw",
    "unknown": "circle-help",
    "dead": "octagon-alert",
    "failed": "octagon-alert",
    "discarded": "archive",
}


class ThreadView:
    """``phones``: id → name, told beside each message where there are several. The newest message is in
    sight at first; what is read stays where it is."""

    def __init__(
        self, page: PageContext, phones: Mapping[str, str], *, on_older: Callable[[], Awaitable[None]]
    ) -> None:
        self._page = page
        self._phones = phones
        self._days: dict[str, Region] = {}
        with box("thread", label="Messages", role="log") as scroller:
            scroller.props["tabindex"] = "0"
            with box("threadlist"):
                with box("older") as self._older:
                    button("Show older messages", on_older, icon="history", small=True)
                with empty(
                    "No messages",
                    "What is sent to this person and what they write appears here.",
                    icon_name="message-circle",
                ) as self._empty:
                    pass
                self._list = box("days")

    def show(self, thread: Thread) -> None:
        """Only the days that changed are drawn anew."""
        self._older.set_visibility(thread.older_cursor is not None)
        self._empty.set_visibility(not thread.bubbles)
        days = [
            (day, tuple(bubbles))
            for day, bubbles in groupby(thread.bubbles, key=lambda bubble: self._day(bubble.row.created_at))
        ]
        with self._list:
            for position, (day, bubbles) in enumerate(days):
                if day not in self._days:
                    self._days[day] = Region(self._draw_day, "day")
                    self._days[day].move(position)
                self._days[day].show(
                    self._page.times.day(bubbles[0].row.created_at, self._page.now()), bubbles
                )

    def _day(self, moment: datetime) -> str:
        return moment.astimezone(self._page.times.zone).date().isoformat()

    def _draw_day(self, name: str, bubbles: tuple[Bubble, ...]) -> None:
        text(name, "dayname", tag="h3")
        with box("bubbles", tag="ol"):
            for bubble in bubbles:
                is_sent = bubble.row.direction is Direction.OUTBOUND
                with box("sent" if is_sent else "heard", tag="li"):
                    self._draw_bubble(bubble, is_sent=is_sent)

    def _draw_bubble(self, bubble: Bubble, *, is_sent: bool) -> None:
        row = bubble.row
        with box(f"bub {'lost' if row.status in ('dead', 'failed', 'discarded') else ''}".strip()):
            text("Sent:" if is_sent else "Received:", "sr-only")
            if bubble.label:
                with box("label"):
                    icon("file-text" if row.template_name else "message-circle")
                    text(bubble.label)
            if bubble.said:
                draw_marked(bubble.said, "said")
            if row.error_title and row.status in ("dead", "failed", "retry_queued", "unknown"):
                text(row.error_title, "why", tag="p")
        self._draw_meta(bubble, is_sent=is_sent)

    def _draw_meta(self, bubble: Bubble, *, is_sent: bool) -> None:
        row, times = bubble.row, self._page.times
        on_another_day = self._day(bubble.at) != self._day(row.created_at)
        with box("meta", tag="a") as meta:
            shown = text(times.short(bubble.at) if on_another_day else times.hour(bubble.at), tag="time")
            shown.props["datetime"] = bubble.at.isoformat()
            shown.props["title"] = times.exact(bubble.at)
            if is_sent:
                word, tone = MESSAGE[row.status]
                with box(f"state {tone}", tag="span"):
                    icon(STATE_ICONS[row.status])
                    text(word)
            if len(self._phones) > 1:
                text(self._phones.get(row.phone_number_id, row.phone_number_id), "via")
            text("Open the message", "sr-only")
        meta.props["href"] = f"/messages/{row.id}"
