"""Inviting people: addresses are pasted, and each line says what will come of it before anything is sent."""

from collections.abc import Awaitable, Callable

from core.team import invitations
from core.team.invitations import AT_ONCE, InviteLine
from core.team.names import addresses_in
from core.team.rules import assignable
from data.enums import Role
from ui.format import plural
from ui.page import PageContext
from ui.pages.team_words import ROLE
from ui.parts.badge import badge
from ui.parts.button import button
from ui.parts.confirm import Dialog
from ui.parts.field import choice_field, text_field
from ui.parts.text import box, text

LOWEST_LAST = Role.AGENT


class InviteForm:
    """``done()`` is awaited once people were invited."""

    def __init__(self, page: PageContext, *, done: Callable[[], Awaitable[None]]) -> None:
        self._page = page
        self._done = done

    async def open(self) -> None:
        roles = {role: ROLE[role] for role in assignable(self._page.actor)}
        self._lines: list[InviteLine] = []
        with Dialog(
            "Invite people",
            "Each gets a mail with a link, good for seven days. Nothing is sent if a line is wrong.",
            wide=True,
        ) as dialog:
            with box("dbody scrolls"):
                self._text = text_field(
                    "E-mail addresses",
                    lines=4,
                    placeholder="mara@example.com, Jonas Brandt <jonas@example.com>",
                    hint=f"Separated by commas, spaces or lines, at most {AT_ONCE} at once",
                    on=lambda _: self._preview(),
                )
                self._role = choice_field(
                    "Role",
                    roles,
                    LOWEST_LAST if LOWEST_LAST in roles else next(iter(roles)),
                    on=lambda _: self._preview(),
                )
                self._shown = box("invites", tag="ul", label="What will happen", role="list")
                self._shown.props["aria-live"] = "polite"
            with box("dfoot"):
                self._note = text("", "left")
                button("Cancel", lambda: dialog.close(None))
                self._go = button("Invite", lambda: self._invite(dialog), kind="pri")
            self._draw()
        await dialog.answer()

    async def _preview(self) -> None:
        addresses, role = addresses_in(self._text.value or ""), self._role.value
        self._lines = await self._page.read(lambda unit: invitations.preview(unit, addresses, role=role))
        if not self._shown.is_deleted:
            self._draw()

    def _draw(self) -> None:
        self._shown.clear()
        with self._shown:
            for line in self._lines:
                with box(tag="li"), box("who"):
                    text(line.email, "mail")
                    if line.problem:
                        text(line.problem, "problem")
                    else:
                        badge(("Will be invited", "green"))
        count, wrong = len(self._lines), sum(bool(line.problem) for line in self._lines)
        self._note.set_text(f"{plural(wrong, 'line')} to mend or to take out first" if wrong else "")
        self._go.set_text(f"Invite {plural(count, 'person', 'people')}" if count else "Invite")
        self._go.set_enabled(bool(count) and not wrong)

    async def _invite(self, dialog: Dialog) -> None:
        addresses, role = addresses_in(self._text.value or ""), self._role.value
        count = len(addresses)
        invited = await self._page.write(
            lambda unit: invitations.invite_all(unit, addresses, role=role),
            done=f"{plural(count, 'invitation')} on the way",
        )
        if invited is not None:
            dialog.close(True)
            await self._done()
