"""One number: whether it can send, what changed about it, its account and its business."""

from dataclasses import dataclass

from core.messaging.senders import Sender, sender_of
from core.phones.accounts import AccountView, PhoneFacts, account_of, facts_of
from core.phones.changes import ChangePage, list_changes
from core.unit import Unit
from ui.format import number
from ui.page import PageContext
from ui.pages.phone_acts import PhoneActs
from ui.pages.phone_health import HealthPanel
from ui.pages.phone_parts import draw_account, draw_changes, draw_number, draw_verification, draw_warnings
from ui.pages.phone_words import lane_badge
from ui.parts.badge import badge
from ui.parts.button import button, link
from ui.parts.card import card, card_title, heading
from ui.parts.gauge import Gauge
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.text import box, text

CHANGES_AT_FIRST = 20
CHANGES_AT_MOST = 500


@dataclass(frozen=True, slots=True)
class _View:
    sender: Sender
    facts: PhoneFacts
    account: AccountView
    changes: ChangePage


async def build(page: PageContext) -> None:
    phone = _Phone(page)
    found = await page.read(phone.look_up)
    page.live(phone.refresh)
    with link("", "/phones", classes="link back"):
        icon("arrow-left")
        text("All numbers")
    title = found.sender.verified_name or found.sender.display_number
    with heading(page, found.sender.display_number, title=title):
        phone.draw_acts(found.sender)
    phone.draw(found)


class _Phone:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._id = page.params["phone_number_id"]
        self._limit = CHANGES_AT_FIRST

    def look_up(self, unit: Unit) -> _View:
        return _View(
            sender_of(unit, self._id),
            facts_of(unit, self._id),
            account_of(unit, self._id),
            list_changes(unit, self._id, limit=self._limit),
        )

    async def refresh(self) -> None:
        self._show(await self._page.read(self.look_up))

    def draw_acts(self, sender: Sender) -> None:
        self._acts = PhoneActs(self._page, sender, changed=self.refresh)

    def draw(self, found: _View) -> None:
        page = self._page
        self._warnings = Region(lambda *shown: draw_warnings(page, *shown), "stack warnings")
        with box("phonepage"):
            with box("stack"):
                HealthPanel(page, self._id)
                with card(label="What changed"):
                    card_title("What changed", aside="Newest first, by Meta's time")
                    with box("cardbody"):
                        self._changes = Region(lambda *shown: draw_changes(page, *shown))
                        self._earlier = button("Show earlier", self._show_earlier, small=True)
            with box("stack"):
                with card(label="Number"):
                    card_title("Number")
                    with box("cardbody"):
                        self._lane = Region(_draw_lane, "badges")
                        self._gauge = Gauge("Throughput", "Messages in the last second")
                        self._number = Region(lambda *shown: draw_number(page, *shown))
                with card(label="WhatsApp Business Account"):
                    card_title("WhatsApp Business Account")
                    with box("cardbody"):
                        self._account = Region(lambda account: draw_account(page, account))
                with card(label="Business verification"):
                    card_title("Business verification")
                    with box("cardbody"):
                        self._verification = Region(draw_verification)
        self._show(found)

    def _show(self, found: _View) -> None:
        sender, account = found.sender, found.account
        self._acts.show(sender)
        self._warnings.show(sender.lane, account)
        self._lane.show(sender)
        pace = f"{number(sender.pace)} of {number(sender.limit_per_second)} a second"
        self._gauge.show(sender.pace, sender.limit_per_second, pace)
        self._number.show(sender, found.facts)
        self._account.show(account)
        self._verification.show(account)
        self._changes.show(found.changes.items)
        can_go_on = found.changes.next_cursor is not None and self._limit < CHANGES_AT_MOST
        self._earlier.set_visibility(can_go_on)

    async def _show_earlier(self) -> None:
        self._limit = min(CHANGES_AT_MOST, self._limit * 3)
        await self.refresh()


def _draw_lane(sender: Sender) -> None:
    badge(lane_badge(sender.lane))
