"""What Waypost answered to the sends from this page, and where those messages stand now."""

from dataclasses import dataclass

from core.messaging.answers import SendAnswer
from core.messaging.queries import MessageDetail, MessageRow, message_detail
from core.unit import Unit
from ui.page import PageContext
from ui.pages.message_row import title_of, what_of
from ui.parts.badge import MESSAGE, badge
from ui.parts.button import link
from ui.parts.callout import callout
from ui.parts.card import card, card_title
from ui.parts.region import Region
from ui.parts.text import box, text
from ui.parts.when import when

KEPT = 5
WORDS = {
    "sent": ("Meta took it", "green"),
    "queued": ("Stored, and waiting for its turn", "blue"),
    "retry_queued": ("It failed, and is tried again by itself", "amber"),
    "unknown": ("Nobody knows whether Meta took it", "amber"),
    "dead": ("It failed for good", "red"),
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One answer, and the message as it is now."""

    answer: SendAnswer
    now: MessageDetail


class Answers:
    """The newest send's answer in full, those before it as lines."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._answers: list[SendAnswer] = []
        with card("answers", label="Answer") as self._card:
            card_title("Answer")
            self._refusal = Region(self._draw_refusal, "refusal", role="alert")
            self._newest = Region(self._draw_newest, "newest", role="status")
            self._earlier = Region(self._draw_earlier)
        self._card.set_visibility(False)

    async def add(self, answer: SendAnswer) -> None:
        self._answers = [answer, *self._answers][:KEPT]
        self._refusal.show("", "")
        await self.refresh()
        self._card.set_visibility(True)

    def refuse(self, sentence: str, advice: str = "") -> None:
        """Nothing was stored. An empty sentence takes it away."""
        self._refusal.show(sentence, advice)
        self._card.set_visibility(bool(sentence or self._answers))

    async def refresh(self) -> None:
        if not self._answers:
            return
        newest, *earlier = await self._page.read(self._look)
        self._newest.show(newest)
        self._earlier.show([sent.now.row for sent in earlier])

    def _look(self, unit: Unit) -> list[Sent]:
        return [Sent(answer, message_detail(unit, answer.message_id)) for answer in self._answers]

    def _draw_refusal(self, sentence: str, advice: str) -> None:
        if sentence:
            callout("Not sent, and nothing was stored", sentence, advice=advice)

    def _draw_newest(self, sent: Sent) -> None:
        answer, row = sent.answer, sent.now.row
        title, tone = WORDS.get(answer.status, (MESSAGE[answer.status][0], "blue"))
        code = f" ({answer.code.removeprefix('meta_')})" if answer.code else ""
        happened = f"{answer.error}{code}" if answer.error else answer.wamid or ""
        callout(title, happened, tone=tone)  # type: ignore[arg-type]
        with box("now"):
            text("Now", "lbl")
            badge(MESSAGE[row.status])
            if row.status == "retry_queued" and row.next_attempt_at is not None:
                with box("next-in", tag="span"):
                    text("next attempt ")
                    when(self._page, row.next_attempt_at)
            else:
                text(sent.now.next_step, "step")
        _line(row)

    def _draw_earlier(self, rows: list[MessageRow]) -> None:
        with box("earlier", tag="ul"):
            for row in rows:
                with box("", tag="li"):
                    _line(row, with_badge=True)


def _line(row: MessageRow, *, with_badge: bool = False) -> None:
    with box("sentline"):
        if with_badge:
            badge(MESSAGE[row.status])
        text(f"{what_of(row)} to {title_of(row)}", "to")
        link("Open the message", f"/messages/{row.id}")
