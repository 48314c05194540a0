"""Keys for the API: making one, which is shown once, and revoking."""

from datetime import datetime

from core.team.keys import KeyRow, list_keys, revoke_key
from core.team.rules import assignable
from ui.page import PageContext
from ui.pages.api_key_form import KeyForm
from ui.pages.team_words import ROLE
from ui.parts.badge import Word, badge
from ui.parts.button import button
from ui.parts.card import card, heading
from ui.parts.confirm import confirm
from ui.parts.drawer import Drawer
from ui.parts.facts import facts
from ui.parts.table import Cell, Column, Rows, Table, TableRow, badge_cell, text_cell, when_cell
from ui.parts.text import box

STATE: dict[str, Word] = {
    "active": ("Active", "green"),
    "expired": ("Expired", "amber"),
    "revoked": ("Revoked", "grey"),
}
COLUMNS = (
    Column("name", "Name", card="title"),
    Column("role", "Role", card="foot", width="110px"),
    Column("state", "State", card="foot", width="120px"),
    Column("maker", "Made by", card="hidden", width="19%"),
    Column("expires", "Expires", card="hidden", width="130px"),
    Column("used", "Last used", card="aside", width="130px", right=True),
)
NOTHING = ("No keys yet", "A key lets a script send messages and read what became of them.")


async def build(page: PageContext) -> None:
    await _Keys(page).build()


class _Keys:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._rows: dict[str, KeyRow] = {}

    async def build(self) -> None:
        page = self._page
        page.live(self._refresh)
        form = KeyForm(page, roles=assignable(page.actor), done=self._show)
        with heading(
            page, "For scripts. A key can do what its role and its maker’s present role both allow."
        ):
            button("Make a key", form.open, icon="plus", kind="pri")
            page.command("Make an API key", form.open, icon="key-round", key="n")
        with card("tablecard people", label="API keys"):
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="API keys",
                one="key",
                on_open=lambda key_id: self._drawer.open(key_id),
                nothing=NOTHING,
                nothing_icon="key-round",
            )
        self._drawer = Drawer(
            page,
            self._fill,
            name="key",
            label="API key",
            step=lambda direction: self._table.step(self._drawer.open_id, direction),
            on_change=self._table.mark_open,
        )
        await self._show()
        if page.query.get("key") in self._rows:
            await self._drawer.restore()

    async def _load(self, cursor: str | None) -> Rows:
        found = await self._page.read(lambda unit: list_keys(unit, cursor=cursor))
        self._rows |= {row.id: row for row in found.items}
        return Rows([self._row(row) for row in found.items], found.next_cursor)

    def _row(self, row: KeyRow) -> TableRow:
        return TableRow(
            row.id,
            row.name,
            (
                text_cell(row.name, title=row.name),
                text_cell(ROLE[row.role]),
                badge_cell(STATE[row.state]),
                text_cell(_maker(row)),
                self._when(row.expires_at, "Never"),
                self._when(row.last_used_at, "Never"),
            ),
        )

    def _when(self, moment: datetime | None, nothing: str) -> Cell:
        return when_cell(self._page, moment) if moment else text_cell(nothing)

    async def _fill(self, key_id: str) -> None:
        row = self._rows[key_id]
        with self._drawer.head(row.name, f"Made by {_maker(row)}"):
            pass
        with self._drawer.body():
            with box("badges"):
                badge(STATE[row.state])
            facts(
                self._page,
                [
                    ("Role", ROLE[row.role]),
                    ("Made", row.created_at),
                    ("Expires", row.expires_at or "Never"),
                    ("Last used", row.last_used_at or "Never"),
                    ("Id", row.id),
                ],
                mono=["Id"],
            )
        with self._drawer.foot():
            if row.can_revoke:
                button("Revoke", lambda: self._revoke(row), icon="trash-2", kind="danger")

    async def _revoke(self, row: KeyRow) -> None:
        is_sure = await confirm(
            f"Revoke the key “{row.name}”?",
            "Whatever uses it is refused from now on. A revoked key does not come back.",
            yes="Revoke",
            is_danger=True,
        )
        if is_sure and await self._page.write(
            lambda unit: revoke_key(unit, row.id), done=f"“{row.name}” is revoked"
        ):
            await self._refresh()
            await self._drawer.redraw()

    async def _show(self) -> None:
        await self._table.show()

    async def _refresh(self) -> None:
        await self._table.refresh()


def _maker(row: KeyRow) -> str:
    return "You" if row.is_own else row.made_by or "Command line"
