"""The team: who is in it, who is invited, and what may be done about each."""

from collections.abc import Awaitable, Callable

from core.access import rule
from core.errors import NotFound
from core.team.queries import MemberFilter, MemberPage, counts, list_members
from core.team.rules import Standing
from core.unit import Unit
from data.enums import Role
from ui.act import show
from ui.format import number
from ui.page import PageContext
from ui.pages.team_drawer import MemberDrawer
from ui.pages.team_invite import InviteForm
from ui.pages.team_words import COLUMNS, ROLE, STANDING, table_row
from ui.parts.button import button
from ui.parts.card import card, heading
from ui.parts.filters import Segment, filter_bar, search_field, select_field
from ui.parts.table import Rows, Table

FILTERS = ("status", "role", "q")
ALL = "all"
TABS = {ALL: "All", **{standing.value: word[0] for standing, word in STANDING.items()}}
NOTHING_YET = ("Nobody is here yet", "Invite someone, and they appear here until they accept and after.")
NO_MATCH = ("Nobody matches", "Take a filter away, or search for a part of the name or address.")


async def build(page: PageContext) -> None:
    await _Team(page).build()


class _Team:
    def __init__(self, page: PageContext) -> None:
        self._page = page

    async def build(self) -> None:
        page = self._page
        page.live(self._refresh)
        form = InviteForm(page, done=self._show)
        about = f"Who may work in {page.workspace_name}, and as what."
        may_invite = page.can("team.invite")
        with heading(page, about if may_invite else f"{about} {rule('team.invite')}"):
            if may_invite:
                button("Invite people", form.open, icon="user-plus", kind="pri")
                page.command("Invite people", form.open, icon="user-plus", key="n")
        with card("tablecard people", label="Team"):
            self._tabs = Segment("Status", TABS, self._tab(), self._choose_tab, tabs=True)
            asked = page.query.get
            with filter_bar():
                search_field("Search people", asked("q", ""), self._on("q"), placeholder="Name or e-mail")
                roles = {"": "All roles", **{role.value: name for role, name in ROLE.items()}}
                select_field("Role", roles, asked("role", ""), self._on("role"))
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Team",
                one="person",
                many="people",
                on_open=lambda member_id: self._member.drawer.open(member_id),
                nothing=NOTHING_YET,
                nothing_icon="users",
            )
        self._member = MemberDrawer(page, self._table, changed=self._refresh_list)
        await self._show()
        try:
            await self._member.drawer.restore()
        except NotFound as refusal:
            page.amend(member=None)
            show(refusal)

    def _tab(self) -> str:
        wanted = self._page.query.get("status", ALL)
        return wanted if wanted in TABS else ALL

    async def _choose_tab(self, tab: str) -> None:
        self._page.go(status=None if tab == ALL else tab)
        await self._show()

    def _on(self, name: str) -> Callable[[str], Awaitable[None]]:
        async def narrow(value: str) -> None:
            if self._page.query.get(name, "") != value:
                self._page.go(**{name: value})
                await self._show()

        return narrow

    async def _show(self) -> None:
        is_narrowed = any(self._page.query.get(name) for name in FILTERS)
        self._table.explain_nothing(*(NO_MATCH if is_narrowed else NOTHING_YET))
        await self._table.show()

    async def _load(self, cursor: str | None) -> Rows:
        def query(unit: Unit) -> tuple[MemberPage, dict[Standing, int]]:
            return list_members(unit, self._wanted(), cursor=cursor), counts(unit)

        found, by_standing = await self._page.read(query)
        shown = {standing.value: number(count) for standing, count in by_standing.items()}
        self._tabs.count(**shown, **{ALL: number(sum(by_standing.values()))})
        return Rows([table_row(self._page, row) for row in found.items], found.next_cursor)

    def _wanted(self) -> MemberFilter:
        tab, role = self._tab(), self._page.query.get("role")
        return MemberFilter(
            standing=None if tab == ALL else Standing(tab),
            role=Role(role) if role in list(Role) else None,
            q=self._page.query.get("q") or None,
        )

    async def _refresh_list(self) -> None:
        await self._table.refresh()

    async def _refresh(self) -> None:
        await self._table.refresh()
        await self._member.refresh()
