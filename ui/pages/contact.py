"""One contact: who they are, the thread with them, a reply, what keeps messages from them, their data."""

from dataclasses import dataclass

from core.contacts.detail import ContactDetail, contact_detail
from core.messaging.threads import Thread, thread
from core.phones.queries import PhoneChoice, choices
from core.unit import Unit
from ui.page import PageContext
from ui.pages.contact_about import AboutView
from ui.pages.contact_data import draw_data
from ui.pages.contact_reply import ReplyBox
from ui.pages.contact_thread import ThreadView
from ui.pages.contacts import NO_NAME
from ui.parts.button import link
from ui.parts.card import card, heading
from ui.parts.icon import icon
from ui.parts.text import box, text


@dataclass(frozen=True, slots=True)
class Seen:
    detail: ContactDetail
    thread: Thread
    phones: list[PhoneChoice]


async def build(page: PageContext) -> None:
    await _Contact(page).build()


class _Contact:
    """``_first`` is the oldest message that is shown: a live refresh reads from there on."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._id = page.params["contact_id"]
        self._first: str | None = None

    async def build(self) -> None:
        page = self._page
        seen = await page.read(self._look)
        detail = seen.detail
        page.live(self._refresh)
        with link("", "/contacts", classes="link back"):
            icon("arrow-left")
            text("All contacts")
        name = detail.row.name or detail.row.number_pretty or NO_NAME
        with heading(page, detail.row.number_pretty if detail.row.name else "", title=name):
            pass
        with box("contact"):
            with card("threadcard", label="Conversation"):
                text("Messages", "sr-only", tag="h2")
                names = {phone.phone_number_id: phone.verified_name for phone in seen.phones}
                self._thread = ThreadView(page, names, on_older=self._show_older)
                last = seen.thread.bubbles[-1].row.phone_number_id if seen.thread.bubbles else None
                self._reply = (
                    ReplyBox(page, seen.phones, last, after=self._refresh)
                    if seen.phones and page.can("messages.send")
                    else None
                )
            with box("stack"):
                self._about = AboutView(page, after=self._refresh)
                if page.can("contacts.manage"):
                    draw_data(page, detail.row.id)
        self._show(seen)

    def _look(self, unit: Unit) -> Seen:
        detail = contact_detail(unit, self._id)
        return Seen(detail, thread(unit, detail.row.id, first=self._first), choices(unit))

    def _show(self, seen: Seen) -> None:
        self._first = seen.thread.bubbles[0].row.id if seen.thread.bubbles else None
        self._thread.show(seen.thread)
        self._about.show(seen.detail)
        if self._reply is not None:
            self._reply.show(seen.detail)

    async def _refresh(self) -> None:
        self._show(await self._page.read(self._look))

    async def _show_older(self) -> None:
        first = self._first
        older = await self._page.read(lambda unit: thread(unit, self._id, before=first))
        if older.bubbles:
            self._first = older.bubbles[0].row.id
            await self._refresh()
