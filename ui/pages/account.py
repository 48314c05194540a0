"""One's own account: password, second factor, and where one is signed in."""

from core.team import members
from core.team.sessions import SessionRow, end_other_sessions, end_session, own_sessions
from ui.page import PageContext
from ui.pages.account_factor import FactorCard
from ui.pages.account_password import PasswordCard
from ui.parts.badge import badge
from ui.parts.button import button
from ui.parts.card import card, card_title, heading
from ui.parts.confirm import confirm
from ui.parts.region import Region
from ui.parts.text import box, text
from ui.parts.when import when
from ui.session import SIGN_IN


async def build(page: PageContext) -> None:
    await _Account(page).build()


class _Account:
    def __init__(self, page: PageContext) -> None:
        self._page = page

    async def build(self) -> None:
        page = self._page
        page.live(self._refresh)
        with heading(page, page.actor.name, title="Your account"):
            pass
        with box("columns"):
            with box("stack"):
                PasswordCard(page).draw()
                self._factor = FactorCard(page)
                if not page.actor.is_support:
                    self._draw_leaving()
            with box("stack"), card(label="Where you are signed in"):
                card_title("Where you are signed in")
                self._sessions = Region(self._draw_sessions)
        await self._factor.show()
        await self._refresh()

    async def _refresh(self) -> None:
        self._sessions.show(await self._page.read(own_sessions))

    def _draw_sessions(self, rows: list[SessionRow]) -> None:
        with box("devices", tag="ul"):
            for row in rows:
                with box(tag="li"):
                    with box("words"):
                        text(row.device, tag="b")
                        with box("cs", tag="p"):
                            text(f"{row.address or 'no address'} · {row.workspace_name} · seen ")
                            when(self._page, row.last_seen_at)
                    if row.is_this_one:
                        badge(("This browser", "blue"))
                    else:
                        button("Sign out", lambda row=row: self._end(row), small=True)
        if len(rows) > 1:
            with box("formfoot"):
                button("Sign out everywhere else", self._end_others, icon="log-out")

    async def _end(self, row: SessionRow) -> None:
        if await self._page.write(lambda unit: end_session(unit, row.id), done=f"{row.device} is signed out"):
            await self._refresh()

    async def _end_others(self) -> None:
        if await self._page.write(end_other_sessions, done="Signed out everywhere else") is not None:
            await self._refresh()

    def _draw_leaving(self) -> None:
        with card("padded", label="Leave"):
            text(f"Leave {self._page.workspace_name}", tag="h2")
            text("You are signed out here, and your API keys in this workspace stop working.", tag="p")
            with box("rowline"):
                button("Leave the workspace", self._leave, kind="danger")

    async def _leave(self) -> None:
        name = self._page.workspace_name
        is_sure = await confirm(
            f"Leave {name}?",
            "You are signed out of it at once, and your API keys here stop working. Only an invitation "
            "brings you back.",
            yes="Leave",
            is_danger=True,
        )
        if is_sure and await self._page.write(members.leave):
            self._page.leave(SIGN_IN)
