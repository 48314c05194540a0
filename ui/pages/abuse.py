"""Workspaces by how much Meta rejects of their templates, for people of the platform."""

from core.templates.abuse_queries import AT_MOST, RiskRow, house_rules, risks
from data.enums import AbuseLevel
from ui.page import PageContext
from ui.pages.abuse_words import LEVEL, METAS_RULES, of_decided, our_rules, rate
from ui.parts.card import card, card_title, heading
from ui.parts.facts import lines
from ui.parts.filters import Segment, filter_bar
from ui.parts.table import Column, Rows, Table, TableRow, badge_cell, number_cell, text_cell, when_cell
from ui.parts.text import box, text

COLUMNS = (
    Column("name", "Workspace", card="title"),
    Column("level", "Level", card="foot", width="140px"),
    Column("why", "Why", card="line", width="38%"),
    Column("rejected", "Rejected, 24 h", card="foot", width="140px", right=True),
    Column("tried", "Sends refused", card="hidden", width="124px", right=True),
    Column("flagged", "Flagged", card="aside", width="120px", right=True),
)
LEVELS = {"": "All", "flagged": "Flagged", "warning": "Warning"}
NOTHING = (
    "No verdicts within 24 hours",
    "A workspace appears here when Meta approves or rejects one of its templates, or while it is flagged.",
)
NO_MATCH = ("No workspace at this level", "Choose another level.")


async def build(page: PageContext) -> None:
    await _Abuse(page).build()


class _Abuse:
    def __init__(self, page: PageContext) -> None:
        self._page = page

    async def build(self) -> None:
        page = self._page
        page.live(self._refresh)
        with heading(page, "Workspaces by how much Meta rejects of their templates, most at risk first."):
            pass
        with card("tablecard abuse", label="Workspaces"):
            with filter_bar():
                Segment("Level", LEVELS, self._level, self._narrow)
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Workspaces",
                one="workspace",
                on_open=lambda workspace_id: page.leave(f"/abuse/{workspace_id}"),
                nothing_icon="shield-check",
            )
        draw_rules(our_rules(await page.read(house_rules)))
        await self._show()

    @property
    def _level(self) -> str:
        asked = self._page.query.get("level", "")
        return asked if asked in LEVELS else ""

    async def _narrow(self, level: str) -> None:
        self._page.go(level=level)
        await self._show()

    async def _show(self) -> None:
        self._table.explain_nothing(*(NO_MATCH if self._level else NOTHING))
        await self._table.show()

    async def _load(self, cursor: str | None) -> Rows:
        found = await self._page.read(risks)
        level = AbuseLevel(self._level) if self._level else None
        shown = [row for row in found if level is None or row.level is level]
        return Rows([self._row(row) for row in shown], total=len(shown) if len(found) < AT_MOST else None)

    async def _refresh(self) -> None:
        await self._table.refresh()

    def _row(self, row: RiskRow) -> TableRow:
        word, tone, icon = LEVEL[row.level]
        return TableRow(
            row.workspace_id,
            f"workspace {row.name}",
            (
                text_cell(row.name, row.slug, title=row.name),
                badge_cell((word, tone), icon=icon),
                text_cell(row.reasons[0] if row.reasons else "", title=" ".join(row.reasons)),
                text_cell(of_decided(row.tally), rate(row.tally) if row.tally.decided else ""),
                number_cell(row.tally.tried),
                when_cell(self._page, row.flagged_at, with_date=False) if row.flagged_at else text_cell(""),
            ),
        )


def draw_rules(ours: list[tuple[str, str]]) -> None:
    """Which rules are Meta's and which are ours."""
    with card(label="The rules"):
        card_title("The rules", aside="Over the last 24 hours, always sliding")
        with box("cardbody twofold"):
            with box():
                text("Ours", tag="h3")
                lines(ours)
                text(
                    "Set by WAYPOST_ABUSE_WARN_RATE, _FLAG_RATE, _MIN_DECIDED, _FLAG_REJECTIONS and "
                    "_FLAG_SENDS.",
                    "m",
                    tag="p",
                )
            with box():
                text("Meta's", tag="h3")
                lines(METAS_RULES)
