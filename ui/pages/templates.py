"""Meta's message forms as the workspace has them: a list by name; each template has a page."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from core.templates.abuse_queries import own_standing
from core.templates.figures import Figures, figures
from core.templates.lists import (
    TemplateFilter,
    TemplatePage,
    TemplateView,
    languages,
    list_templates,
    sync_error,
)
from core.templates.sync import sync_templates
from core.unit import Unit
from data.enums import AbuseLevel
from ui.format import plural, share
from ui.page import PageContext
from ui.pages.abuse_words import LEVEL, advice
from ui.pages.phone_words import QUALITY, quality
from ui.pages.template_unsettled import Unsettled
from ui.pages.template_words import CATEGORY, STATUS, category, category_note, status
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.filters import Chips, filter_bar, search_field, select_field
from ui.parts.region import Region
from ui.parts.table import Column, Rows, Table, TableRow, badge_cell, number_cell, text_cell, when_cell
from ui.parts.toast import toast

ABOUT = "What Meta lets the workspace send first, what it says of each, and how much each is used."
COLUMNS = (
    Column("name", "Template", card="title"),
    Column("status", "Status", card="foot", width="150px"),
    Column("category", "Category", card="line", width="160px"),
    Column("quality", "Quality", card="foot", width="130px"),
    Column("messages", "Messages, 7 days", card="hidden", width="136px", right=True),
    Column("failures", "Failed", card="hidden", width="96px", right=True),
    Column("used", "Last used", card="aside", width="120px", right=True),
)
NOTHING_YET = (
    "No templates yet",
    "Connect a WhatsApp Business Account, then write a template; Meta reviews it.",
)
NO_MATCH = ("No template matches", "Clear a filter to see more.")
# Counting a week of messages takes a moment; a live page does it this often.
COUNTED_FOR = timedelta(seconds=30)
FILTERS = ("status", "category", "language", "quality")


async def build(page: PageContext) -> None:
    await _Templates(page).build()


class _Templates:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._figures: dict[str, Figures] = {}
        self._counted_at: datetime | None = None

    async def build(self) -> None:
        page = self._page
        page.live(self._refresh)
        with heading(page, ABOUT):
            if page.can("templates.manage"):
                button("Sync now", self._sync, icon="refresh-cw")
                button("New template", lambda: page.leave("/templates/new"), icon="plus", kind="pri")
        error, spoken, standing = await page.read(
            lambda unit: (sync_error(unit), languages(unit), own_standing(unit))
        )
        if error:
            callout("The last sync failed", error, tone="amber")
        self._level = Region(_draw_level, "stack warnings")
        self._level.show(standing.level, standing.reasons)
        self._unsettled = Unsettled(page)
        options = {
            "status": {"": "Any status", **{word: known[0] for word, known in STATUS.items()}},
            "category": {"": "Any category", **CATEGORY},
            "language": {"": "Any language", **{each: each for each in spoken}},
            "quality": {"": "Any quality", **{word: known[0] for word, known in QUALITY.items()}},
        }
        self._words = options
        with card("tablecard templates", label="Templates"):
            with filter_bar():
                self._search = search_field(
                    "Search templates", page.query.get("q", ""), self._on("q"), placeholder="Name"
                )
                self._picks = {
                    name: select_field(
                        name.capitalize(), options[name], page.query.get(name, ""), self._on(name)
                    )
                    for name in FILTERS
                }
            self._chips = Chips(partial(self._drop, "q", *FILTERS))
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Templates",
                one="template",
                on_open=lambda template_id: page.leave(f"/templates/{template_id}"),
                nothing=NOTHING_YET,
                nothing_icon="file-text",
            )
        await self._show()

    def _on(self, name: str) -> Callable[[str], Awaitable[None]]:
        async def narrow(value: str) -> None:
            if self._page.query.get(name, "") != value:
                self._page.go(**{name: value})
                await self._show()

        return narrow

    async def _drop(self, *names: str) -> None:
        self._page.go(**dict.fromkeys(names))
        for name in names:
            (self._search if name == "q" else self._picks[name]).value = ""
        await self._show()

    async def _show(self) -> None:
        query = self._page.query
        chips: dict[str, Callable[[], Awaitable[None]]] = {}
        if query.get("q"):
            chips[f"“{query['q']}”"] = partial(self._drop, "q")
        for name in FILTERS:
            if query.get(name):
                chips[self._words[name].get(query[name], query[name])] = partial(self._drop, name)
        self._chips.show(chips)
        self._table.explain_nothing(*(NO_MATCH if chips else NOTHING_YET))
        self._counted_at = None
        await self._unsettled.show()
        await self._table.show()

    async def _load(self, cursor: str | None) -> Rows:
        asked = self._page.query.get
        wanted = TemplateFilter(q=asked("q"), **{name: asked(name) for name in FILTERS})

        def read(unit: Unit) -> TemplatePage:
            found = list_templates(unit, wanted, cursor=cursor)
            if self._is_stale or any(each.id not in self._figures for each in found.items):
                self._figures = figures(unit, found.items)
                self._counted_at = unit.now
            return found

        page = await self._page.read(read)
        return Rows([self._row(each) for each in page.items], page.next_cursor)

    @property
    def _is_stale(self) -> bool:
        return self._counted_at is None or self._page.now() - self._counted_at > COUNTED_FOR

    async def _refresh(self) -> None:
        standing = await self._page.read(own_standing)
        self._level.show(standing.level, standing.reasons)
        await self._unsettled.show()
        await self._table.refresh()

    async def _sync(self) -> None:
        page = self._page

        async def work() -> int:
            return await sync_templates(page.runtime, page.identity)

        count = await page.act(work)
        if count is not None:
            toast(f"{plural(count, 'template')}, as Meta has them now", "good")
            await self._show()

    def _row(self, each: TemplateView) -> TableRow:
        counted = self._figures[each.id]
        word, tone, icon = status(each.status)
        return TableRow(
            each.id,
            f"template {each.name}, {each.language}",
            (
                text_cell(each.name, each.language, title=each.name),
                badge_cell((word, tone), "Held here" if each.hold else "", icon=icon),
                text_cell(category(each.category), category_note(each)),
                self._quality(each),
                number_cell(counted.messages),
                number_cell(counted.failures, _share(counted)),
                when_cell(self._page, counted.last_used_at, with_date=False),
            ),
        )

    def _quality(self, each: TemplateView) -> dict[str, object]:
        if each.quality in (None, "UNKNOWN"):
            return text_cell("", "Not rated yet")
        word, tone, icon = quality(str(each.quality))
        return badge_cell((word, tone), icon=icon)


def _draw_level(level: AbuseLevel, reasons: tuple[str, ...]) -> None:
    """Where the workspace stands, once that is not well."""
    if level is AbuseLevel.OK:
        return
    title = "This workspace is flagged" if level is AbuseLevel.FLAGGED else "Meta rejects many templates"
    callout(title, " ".join(reasons), advice=advice(level), tone=LEVEL[level][1])


def _share(counted: Figures) -> str:
    return share(counted.failures, counted.messages) if counted.failures else ""
