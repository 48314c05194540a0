"""Who a contact is, and what keeps messages from them."""

from collections.abc import Awaitable, Callable

from core.contacts.commands import lift
from core.contacts.detail import COUNTED_TO, ContactDetail, SuppressionView
from data.enums import SuppressionKind
from ui.format import number
from ui.page import PageContext
from ui.pages.contacts import OPTED_OUT
from ui.parts.badge import badge
from ui.parts.button import button, link
from ui.parts.card import card, card_title
from ui.parts.confirm import ask_reason
from ui.parts.facts import Value, facts
from ui.parts.region import Region
from ui.parts.text import box, text
from ui.parts.when import when

CONSEQUENCE = {
    SuppressionKind.ALL: "They can be sent messages again. If they blocked this number, sends fail again.",
    SuppressionKind.MARKETING: "They can be sent marketing again. Only do so when they asked for it.",
}


class AboutView:
    def __init__(self, page: PageContext, *, after: Callable[[], Awaitable[None]]) -> None:
        self._page = page
        self._after = after
        with card("padded", label="Person"):
            self._facts = Region(self._draw_facts)
        with card("", label="Opt-outs"):
            card_title("Opt-outs")
            self._suppressions = Region(self._draw_suppressions, "suppressions")

    def show(self, detail: ContactDetail) -> None:
        self._facts.show(detail)
        self._suppressions.show(detail.suppressions, detail.row.id, detail.can_manage)

    def _draw_facts(self, detail: ContactDetail) -> None:
        row = detail.row
        many = "+" if detail.messages >= COUNTED_TO else ""
        lines: list[tuple[str, Value]] = [("WhatsApp name", row.name), ("Number", row.number_pretty)]
        lines += [("Former number", former) for former in detail.former_numbers]
        lines += [
            ("User id", row.business_user_id),
            ("First seen", row.first_seen_at),
            ("Last active", row.last_activity_at),
            ("Last wrote", detail.last_wrote_at),
            ("Messages", f"{number(detail.messages)}{many}"),
            ("Contact id", row.id),
        ]
        text("Person", "sr-only", tag="h2")
        facts(self._page, lines, mono=("User id", "Contact id"))

    def _draw_suppressions(
        self, suppressions: list[SuppressionView], contact_id: str, can_manage: bool
    ) -> None:
        if not suppressions:
            text("None. They can be sent everything.", "nosup", tag="p")
            return
        with box("suplist", tag="ul"):
            for each in suppressions:
                with box("lifted" if each.lifted_at else "", tag="li"):
                    self._draw_suppression(each, contact_id, can_manage=can_manage)

    def _draw_suppression(self, each: SuppressionView, contact_id: str, *, can_manage: bool) -> None:
        page = self._page
        with box("suphead"):
            badge(("Lifted", "grey") if each.lifted_at else OPTED_OUT[each.kind])
            text(each.title, tag="b")
        text(each.meaning, tag="p")
        with box("supmeta", tag="p"):
            text("Since ")
            when(page, each.since)
            if each.message_id and page.can("messages.view"):
                link("From this message", f"/messages/{each.message_id}")
        if each.lifted_at is not None:
            with box("supmeta", tag="p"):
                text(f"Lifted by {each.lifted_by} " if each.lifted_by else "Lifted ")
                when(page, each.lifted_at)
            if each.lift_reason:
                text(f"“{each.lift_reason}”", "supreason", tag="p")
        elif can_manage:
            button("Lift", lambda: self._lift(each, contact_id), icon="undo-2", small=True)

    async def _lift(self, each: SuppressionView, contact_id: str) -> None:
        reason = await ask_reason("Lift this opt-out?", CONSEQUENCE[each.kind], yes="Lift")
        if reason is None:
            return
        await self._page.write(lambda unit: lift(unit, contact_id, each.id, reason=reason), done="Lifted")
        await self._after()
