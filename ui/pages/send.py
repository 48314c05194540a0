"""Sending one message by hand: a form, what it will look like, and what came of it."""

from functools import partial

from core.demo import magic_numbers
from core.errors import DomainError, NotSignedIn
from core.messaging.preview import Preview, preview
from core.messaging.requests import SendRequest, text_payload
from core.messaging.send import send
from core.phones.queries import PhoneChoice, choices
from ui import act
from ui.page import PageContext
from ui.pages.send_answer import Answers
from ui.pages.send_form import Form
from ui.pages.send_view import SendView
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.empty import empty
from ui.parts.region import Region
from ui.parts.text import box

# What a form that is not finished would be refused for; said at the field once it is left.
UNFINISHED = ("invalid_recipient", "text_empty")


async def build(page: PageContext) -> None:
    phones = await page.read(choices)
    with heading(page, "One message, now. It is stored first, and sent at once."):
        pass
    if phones:
        await _Send(page, phones).build()
        return
    with card():
        empty(
            "No phone number yet",
            "Connect a WhatsApp Business Account with “python main.py connect”, and its numbers stand here.",
            icon_name="smartphone",
        )


class _Send:
    def __init__(self, page: PageContext, phones: list[PhoneChoice]) -> None:
        self._page = page
        self._form = Form(page, phones, on_change=self._follow, on_leave=self._leave_recipient)
        self._looks = 0
        self._has_left = False  # the field of the recipient, since the last look
        self._said = ""  # the refusal that stands at a field

    async def build(self) -> None:
        page = self._page
        settings = page.runtime.settings
        numbers = await act.ask(partial(magic_numbers, settings)) if settings.waypost_demo else []
        with box("send"):
            with box("send-form stack"):
                with card("padded", label="Message"):
                    await self._form.draw(numbers)
                    with box("sendfoot"):
                        self._would = Region(_draw_would, role="status")
                        button("Send", self._send, icon="send", kind="pri")
                self._answers = Answers(page)
            with box("send-view stack"):
                self._view = SendView(page)
        page.live(self._answers.refresh)
        await self._look()

    async def _follow(self) -> None:
        self._said = ""
        await self._look()

    async def _look(self) -> None:
        """What stands beside the form follows it; a look that a later one overtook shows nothing."""
        self._looks += 1
        look, form, payload = self._looks, self._form, self._form.payload
        phone = form.phone
        asked = payload or text_payload(form.to, text="")
        known = await self._page.read(
            lambda unit: preview(unit, asked, phone_number_id=phone.phone_number_id)
        )
        if look != self._looks:
            return
        is_finished = payload is not None and form.to and known.refusal_code not in UNFINISHED
        is_news = is_finished and known.refusal != self._said
        self._would.show((known.refusal or "") if is_news else "")
        self._view.show(
            form.rendered,
            sender=phone.verified_name,
            known=known if form.to else None,
            body=known.body if payload else None,
        )
        self._show_recipient(known)

    async def _leave_recipient(self) -> None:
        self._has_left = True
        await self._look()

    def _show_recipient(self, known: Preview) -> None:
        """Who it is. Once the field is left, a number is written as its country does, and what is none is
        said to be none."""
        form, pretty = self._form, known.to_pretty if known.to_pretty != self._form.to else None
        if self._has_left and form.to:
            if pretty is not None:
                form.write_recipient(pretty)
                pretty = None
            elif known.to_pretty is None and known.refusal is not None and known.refusal_code is not None:
                form.object(known.refusal_code, known.refusal)
        self._has_left = False
        form.show_recipient(", ".join(filter(None, (pretty, known.contact_name))))

    async def _send(self) -> None:
        """What was typed stays, for the next one."""
        self._answers.refuse("")
        payload = self._form.payload
        if not self._form.is_filled() or payload is None:
            return
        request = SendRequest(payload=payload, phone_number_id=self._form.phone.phone_number_id)
        try:
            answer = await send(self._page.runtime, self._page.identity, request)
        except NotSignedIn as gone:
            act.show(gone)
        except DomainError as refusal:
            self._refuse(refusal)
        else:
            await self._answers.add(answer)

    def _refuse(self, refusal: DomainError) -> None:
        """Said at the field that it is about, else in place of an answer."""
        if self._form.object(refusal.code, refusal.sentence):
            self._said = refusal.sentence  # once is enough
            self._would.show("")
        else:
            wait_s = refusal.facts.get("retry_after_s")
            self._answers.refuse(refusal.sentence, f"It may go again in {wait_s} s." if wait_s else "")


def _draw_would(sentence: str) -> None:
    if sentence:
        callout("It would be refused now", sentence, tone="amber")
