"""Every workspace of the installation, for people of the platform: how each is, and a way in, masked."""

from core.team.platform import REASON_MAX, enter_as_support
from core.team.workspaces import WorkspaceRow, list_workspaces
from ui.format import number, plural
from ui.guard import drop
from ui.page import PageContext
from ui.parts.badge import Word, badge
from ui.parts.button import button
from ui.parts.card import card, heading
from ui.parts.confirm import ask_reason
from ui.parts.drawer import Drawer
from ui.parts.facts import facts
from ui.parts.filters import filter_bar, search_field
from ui.parts.table import Column, Rows, Table, TableRow, badge_cell, number_cell, text_cell
from ui.parts.text import box, text

COLUMNS = (
    Column("name", "Workspace", card="title"),
    Column("health", "Health", card="foot", width="180px"),
    Column("plan", "Plan", card="foot", width="120px"),
    Column("members", "Members", card="hidden", width="110px", right=True),
    Column("waiting", "Waiting", card="hidden", width="110px", right=True),
    Column("letters", "Dead letters", card="hidden", width="120px", right=True),
    Column("held", "Held", card="hidden", width="100px", right=True),
    Column("flag", "Flag", card="hidden", width="110px"),
)
NOTHING = ("No workspace yet", "python main.py create-owner makes one, with its first owner.")
NO_MATCH = ("No workspace matches", "Search for a part of the name.")


async def build(page: PageContext) -> None:
    await _Workspaces(page).build()


class _Workspaces:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._rows: dict[str, WorkspaceRow] = {}

    async def build(self) -> None:
        page = self._page
        page.live(self._refresh)
        with heading(page, "How each workspace of this installation is. What is in them stays masked."):
            pass
        with card("tablecard", label="Workspaces"):
            with filter_bar():
                search_field("Search workspaces", page.query.get("q", ""), self._search, placeholder="Name")
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Workspaces",
                one="workspace",
                on_open=lambda workspace_id: self._drawer.open(workspace_id),
                nothing=NOTHING,
                nothing_icon="layers",
            )
        self._drawer = Drawer(
            page,
            self._fill,
            name="workspace",
            label="Workspace",
            step=lambda direction: self._table.step(self._drawer.open_id, direction),
            on_change=self._table.mark_open,
        )
        await self._show()
        if page.query.get("workspace") in self._rows:
            await self._drawer.restore()

    async def _search(self, words: str) -> None:
        self._page.go(q=words)
        await self._show()

    async def _show(self) -> None:
        self._table.explain_nothing(*(NO_MATCH if self._page.query.get("q") else NOTHING))
        await self._table.show()

    async def _load(self, cursor: str | None) -> Rows:
        words = self._page.query.get("q") or None
        found = await self._page.read(lambda unit: list_workspaces(unit, q=words, cursor=cursor))
        self._rows |= {row.id: row for row in found.items}
        return Rows([_table_row(row) for row in found.items], found.next_cursor)

    async def _fill(self, workspace_id: str) -> None:
        row = self._rows[workspace_id]
        with self._drawer.head(row.name, row.slug):
            pass
        with self._drawer.body():
            with box("badges"):
                badge(_health(row))
            facts(
                self._page,
                [
                    ("Plan", row.plan.value.capitalize()),
                    ("Members", number(row.members)),
                    ("Waiting", number(row.waiting)),
                    ("Dead letters", number(row.open_letters)),
                    ("Held", number(row.held)),
                    ("Flag", _flag(row)),
                    ("Since", row.created_at),
                    ("Id", row.id),
                ],
                mono=["Id"],
            )
        with self._drawer.foot():
            text(
                "Inside, numbers are masked and texts hidden, and every look is in its audit log.",
                "why",
                tag="p",
            )
            button("Enter as support", lambda: self._enter(row), icon="eye")
            if row.is_flagged:
                button("See the flag", lambda: self._page.leave(f"/abuse/{row.id}"), icon="shield-alert")

    async def _enter(self, row: WorkspaceRow) -> None:
        reason = await ask_reason(
            f"Enter {row.name} as support?",
            "You see what its support sees, masked. The reason and every page you open stand in its log.",
            yes="Enter",
        )
        if reason is None:
            return
        entered = await self._page.write(
            lambda unit: enter_as_support(unit, row.id, reason=reason[:REASON_MAX])
        )
        if entered:
            await drop(self._page.client, to="/")  # before the watch sees another person and loads it anew

    async def _refresh(self) -> None:
        await self._table.refresh()


def _table_row(row: WorkspaceRow) -> TableRow:
    return TableRow(
        row.id,
        row.name,
        (
            text_cell(row.name, row.slug, title=row.name),
            badge_cell(_health(row)),
            text_cell(row.plan.value.capitalize()),
            number_cell(row.members),
            number_cell(row.waiting),
            number_cell(row.open_letters),
            number_cell(row.held),
            text_cell(_flag(row)),
        ),
    )


def _flag(row: WorkspaceRow) -> str:
    return "Flagged" if row.is_flagged else "None"


def _health(row: WorkspaceRow) -> Word:
    if row.is_flagged:
        return "Flagged for templates", "red"
    if row.held:
        return f"{plural(row.held, 'queue')} held", "red"
    if row.open_letters:
        return plural(row.open_letters, "dead letter"), "amber"
    return "All is well", "green"
