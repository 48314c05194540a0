"""One message in full: what happens next, its facts, its story. A page of its own, and the list's drawer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from core.messaging.commands import settle_unknown
from core.messaging.queries import MessageDetail, message_detail
from core.phones.queries import choices
from core.unit import Unit
from data.enums import Direction, LetterState
from ui.page import PageContext
from ui.pages.message_row import about_of, title_of, what_of
from ui.pages.message_story import happenings
from ui.parts.badge import LETTER, MESSAGE, Tone, badge
from ui.parts.button import button, link
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.confirm import ask_reason
from ui.parts.drawer import section
from ui.parts.facts import Value, facts
from ui.parts.icon import icon
from ui.parts.json_view import json_view
from ui.parts.region import Region
from ui.parts.text import box, text
from ui.parts.timeline import timeline
from ui.parts.when import when

NEXT: dict[str, tuple[str, Tone]] = {
    "queued": ("hourglass", "blue"),
    "sending": ("send", "blue"),
    "sent": ("clock", "grey"),
    "delivered": ("check-check", "green"),
    "read": ("check-check", "green"),
    "retry_queued": ("rotate-cw", "amber"),
    "unknown": ("circle-help", "amber"),
    "dead": ("octagon-alert", "red"),
    "failed": ("octagon-alert", "red"),
    "discarded": ("archive", "grey"),
    "received": ("message-circle", "green"),
}
SETTLE = {
    "sent": ("It was sent", "The message counts as sent, and is not tried again."),
    "retry": ("Send again", "Meta may have taken it already: the person may then get it twice."),
    "discard": ("Give up", "It is not sent again, and is kept among the discarded dead letters."),
}


@dataclass(frozen=True, slots=True)
class Story:
    detail: MessageDetail
    phone: str


async def build(page: PageContext) -> None:
    message_id = page.params["message_id"]
    story = await page.read(lambda unit: look_up(unit, message_id))

    async def refresh() -> None:
        found = await page.read(lambda unit: look_up(unit, message_id))
        view.show(found)
        acts.show(found)

    page.live(refresh)
    with link("", "/messages", classes="link back"):
        icon("arrow-left")
        text("All messages")
    with heading(page, about_of(story.detail.row), title=title_of(story.detail.row)):
        acts = Acts(page, after=refresh)
    with card("padded"):
        view = StoryView(page)
    view.show(story)
    acts.show(story)


def look_up(unit: Unit, message_id: str) -> Story:
    detail = message_detail(unit, message_id)
    phones = {
        phone.phone_number_id: f"{phone.verified_name} {phone.display_number}" for phone in choices(unit)
    }
    return Story(detail, phones.get(detail.row.phone_number_id, detail.row.phone_number_id))


class StoryView:
    """The same in the drawer and on the page: one column where it is narrow, two where it is wide."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        with box("message"), box("parts"):
            self._next = Region(self._draw_next, "next-part")
            self._story = Region(self._draw_story, "story-part")
            self._facts = Region(self._draw_facts, "facts-part")
            self._payload = Region(self._draw_payload, "payload-part")

    def show(self, story: Story) -> None:
        detail = story.detail
        self._next.show(detail)
        self._story.show(detail)
        self._facts.show(story)
        self._payload.show(detail.payload, detail.row.direction)

    def _draw_next(self, detail: MessageDetail) -> None:
        row = detail.row
        name, tone = NEXT[row.status]
        with box("badges"):
            badge(MESSAGE[row.status])
            if row.may_duplicate:
                badge(("May deliver twice", "amber"))
            if detail.letter_state is not None:
                word, letter_tone = LETTER[detail.letter_state]
                badge((f"Dead letter: {word.lower()}", letter_tone))
        with box(f"next tone-{tone}", role="status"):
            icon(name)
            with box("words"):
                text("What happens next", "sr-only", tag="h2")
                text(detail.next_step, tag="p")
                if row.next_attempt_at is not None and row.waiting_for is not None:
                    with box("at", tag="p"):
                        when(self._page, row.next_attempt_at)
                        text(self._page.times.clock(row.next_attempt_at))
        if row.error_code:
            callout(
                f"{row.error_title} ({row.error_code.removeprefix('meta_')})",
                detail.error_meaning or "",
                advice=(detail.advice or "") if row.status != "unknown" else "",  # it speaks of retries
                tone="red" if tone == "red" else "amber",
            )

    def _draw_story(self, detail: MessageDetail) -> None:
        with section("What happened"):
            timeline(self._page, happenings(self._page, detail))

    def _draw_facts(self, story: Story) -> None:
        detail = story.detail
        row = detail.row
        is_sent = row.direction is Direction.OUTBOUND
        lines: list[tuple[str, Value]] = [("To" if is_sent else "From", row.to_pretty)]
        if row.contact_name:
            lines.append(("Name", row.contact_name))
        lines += [
            ("From" if is_sent else "To", story.phone),
            ("Template" if row.template_name else "Kind", what_of(row)),
        ]
        if is_sent:
            lines += [
                ("Sent by", detail.sent_by_name or detail.sent_by),
                ("Attempts", row.attempts),
                ("Sent", detail.sent_at),
                ("Delivered", detail.delivered_at),
                ("Read", detail.read_at),
            ]
        if row.next_attempt_at is not None:
            lines.append(("Expires", detail.expires_at))
        lines += [("Created", row.created_at), ("Message id", row.id), ("wamid", row.wamid)]
        with section("Message"):
            facts(self._page, lines, mono=("Message id", "wamid"))

    def _draw_payload(self, payload: dict[str, Any] | None, direction: Direction) -> None:
        if payload is not None:
            json_view(payload, title="Payload" if direction is Direction.OUTBOUND else "As Meta sent it")
            return
        with section("Payload"):
            text("Hidden: your role does not include contacts.reveal.", "hidden-part", tag="p")


class Acts:
    """Where to go from the message, and what may be done about it where a person's word is wanted."""

    def __init__(self, page: PageContext, *, after: Callable[[], Awaitable[None]]) -> None:
        self._page = page
        self._after = after
        self._region = Region(self._draw, "rowline")

    def show(self, story: Story) -> None:
        detail = story.detail
        row = detail.row
        self._region.show(row.id, row.contact_id, detail.can_settle, detail.letter_id, detail.letter_state)

    def _draw(
        self,
        message_id: str,
        contact_id: str | None,
        can_settle: bool,
        letter_id: str | None,
        letter_state: LetterState | None,
    ) -> None:
        page = self._page
        if contact_id is not None and page.can("contacts.view"):
            button("Contact", lambda: page.leave(f"/contacts/{contact_id}"), icon="user")
        if letter_id is not None and page.can("dead_letters.view"):
            is_open = letter_state is LetterState.OPEN
            address = f"/dead-letters?id={letter_id}" + ("" if is_open else f"&state={letter_state}")
            button("Dead letter", lambda: page.leave(address), icon="mail-x", kind="pri" if is_open else "")
        if can_settle:
            self._settle_button("sent", message_id, icon_name="check")
            self._settle_button("retry", message_id, icon_name="rotate-cw")
            if page.can("dead_letters.discard"):
                self._settle_button("discard", message_id, icon_name="trash-2")

    def _settle_button(self, outcome: str, message_id: str, *, icon_name: str) -> ui.button:
        label, consequence = SETTLE[outcome]
        is_loss = outcome == "discard"

        async def settle() -> None:
            reason = await ask_reason(f"{label}?", consequence, yes=label, is_danger=is_loss)
            if reason is None:
                return
            await self._page.write(
                lambda unit: settle_unknown(unit, message_id, outcome=outcome, reason=reason), done="Settled"
            )
            await self._after()

        return button(label, settle, icon=icon_name, kind="danger" if is_loss else "")
