"""Answering a contact: text while their service window is open, a template when it is not."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from urllib.parse import urlencode

from core.contacts.detail import ContactDetail
from core.errors import DomainError, NotSignedIn
from core.messaging.requests import SendRequest, text_payload
from core.messaging.send import send
from core.phones.queries import PhoneChoice
from data.enums import SuppressionKind
from ui import act
from ui.act import handler
from ui.page import PageContext
from ui.pages.send_answer import WORDS
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.field import choice_field, problem, text_field
from ui.parts.region import Region
from ui.parts.text import box, text
from ui.parts.toast import toast
from ui.parts.when import when


class ReplyBox:
    """``phones`` is not empty. From which phone stands in the address; at first the one last written with."""

    def __init__(
        self,
        page: PageContext,
        phones: list[PhoneChoice],
        last_phone: str | None,
        *,
        after: Callable[[], Awaitable[None]],
    ) -> None:
        self._page = page
        self._after = after
        self._detail: ContactDetail | None = None
        known = {phone.phone_number_id: phone for phone in phones}
        wanted = (page.query.get("phone"), last_phone)
        self._phone = next((each for each in wanted if each in known), phones[0].phone_number_id)
        with box("replybox"):
            with box("replyhead"):
                if len(phones) > 1:
                    names = {
                        key: f"{phone.verified_name} · {phone.display_number}" for key, phone in known.items()
                    }
                    choice_field("From", names, self._phone, on=self._choose)
                self._window = Region(self._draw_window, "replywindow", role="status")
            with box("replyform") as self._form:
                self._text = text_field("Reply", lines=2, placeholder="Write a reply")
                self._text.on_value_change(lambda: problem(self._text, ""))
                self._text.on("keydown.ctrl.enter", handler(lambda _: self._send()), args=[])
                button("Send", self._send, icon="send", kind="pri")

    def show(self, detail: ContactDetail) -> None:
        self._detail = detail
        ends = detail.windows.get(self._phone)
        is_open = ends is not None and ends > self._page.now()
        refused = SuppressionKind.ALL in detail.row.suppressed
        self._window.show(ends, is_open, refused, detail.row.number)
        self._form.set_visibility(is_open and not refused and detail.row.number is not None)

    def _draw_window(
        self, ends: datetime | None, is_open: bool, is_refused: bool, number: str | None
    ) -> None:
        if number is None:
            callout(
                "No number to answer to",
                "Meta gave us an id of this person and no phone number.",
                tone="blue",
            )
        elif is_refused:
            callout(
                "They must not be sent messages",
                "See their opt-outs for why. Once that is lifted, they can be written to again.",
                tone="amber",
            )
        elif is_open and ends is not None:
            self._draw_open(ends)
        else:
            self._draw_closed(ends, number)

    def _draw_open(self, ends: datetime) -> None:
        with box("windowtext tone-green", tag="p"):
            box("dot", tag="span")
            text("Service window open. ", tag="b")
            text("It closes ")
            when(self._page, ends)
            text(f", at {self._page.times.short(ends)}.")

    def _draw_closed(self, ends: datetime | None, number: str) -> None:
        with box("windowtext tone-amber", tag="p"):
            box("dot", tag="span")
            text("Service window closed: only templates. ", tag="b")
            text(
                "This person has not written to this phone."
                if ends is None
                else f"It ended {self._page.times.short(ends)}, 24 hours after their last message."
            )
        if SuppressionKind.MARKETING in (self._detail.row.suppressed if self._detail else ()):
            text("No marketing templates: they opted out of marketing.", "windownote", tag="p")
        address = "/send?" + urlencode({"to": number, "phone": self._phone})
        button("Send a template", lambda: self._page.leave(address), icon="file-text", kind="pri")

    async def _choose(self, phone_id: str) -> None:
        self._phone = phone_id
        self._page.amend(phone=phone_id)
        if self._detail is not None:
            self.show(self._detail)

    async def _send(self) -> None:
        """What was typed goes once Meta or the queue has it, and stays when it is refused."""
        said, detail = (self._text.value or "").strip(), self._detail
        if not said or detail is None or detail.row.number is None:
            problem(self._text, "Write something.")
            return
        request = SendRequest(text_payload(detail.row.number, text=said), phone_number_id=self._phone)
        try:
            answer = await send(self._page.runtime, self._page.identity, request)
        except NotSignedIn as gone:
            act.show(gone)
        except DomainError as refusal:
            problem(self._text, refusal.sentence)
        else:
            self._text.value = ""
            if answer.status != "sent":
                toast(WORDS[answer.status][0], "bad" if answer.status == "dead" else "plain")
            await self._after()
