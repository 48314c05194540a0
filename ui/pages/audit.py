"""The audit log: who did what, to what, when and from where."""

from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlencode

from nicegui import ui

from core.audit import Verdict
from core.audit_log.queries import AuditChoices, EntryPage, EntryRow, choices, list_entries, verify
from core.errors import NotFound
from core.unit import Unit
from ui.act import show
from ui.format import number, plural
from ui.page import PageContext
from ui.pages.audit_drawer import EntryDrawer
from ui.pages.audit_file import FORMS, PATH
from ui.pages.audit_words import FILTERS, asked_for, day_of, target_of, words_of
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.confirm import ask_choice
from ui.parts.filters import Chips, date_field, filter_bar, search_field, select_field
from ui.parts.region import Region
from ui.parts.table import Column, Rows, Table, TableRow, text_cell, when_cell

COLUMNS = (
    Column("action", "What happened", card="title", width="26%"),
    Column("target", "To what"),
    Column("actor", "Who", card="foot", width="22%"),
    Column("address", "From", card="hidden", width="130px"),
    Column("at", "When", card="aside", width="124px", right=True),
)
NOTHING_YET = ("Nothing was written yet", "Every change, sign-in, refusal and export leaves an entry here.")
NO_MATCH = ("No entry matches", "Take a filter away, or choose other days.")


async def build(page: PageContext) -> None:
    await _AuditLog(page).build()


class _AuditLog:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._known = AuditChoices({}, [])

    async def build(self) -> None:
        page = self._page
        self._known = await page.read(choices)
        page.live(self._refresh)
        with heading(page, "What was changed, tried and taken out, and by whom. No entry is ever changed."):
            button("Verify", self._verify, icon="shield-check")
            if page.can("audit.export"):
                button("Export", self._export, icon="download")
        page.command("Verify the audit log", self._verify, icon="shield-check")
        self._verdict = Region(self._draw_verdict, "chainverdict", role="status")
        with card("tablecard audit", label="Audit log"):
            self._draw_filters()
            self._chips = Chips(self._clear)
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Audit log",
                one="entry",
                many="entries",
                on_open=lambda row_id: self._entry.drawer.open(row_id),
                nothing=NOTHING_YET,
                nothing_icon="scroll-text",
            )
        self._entry = EntryDrawer(page, self._table, narrow=self._narrow_to)
        await self._show()
        try:
            await self._entry.drawer.restore()
        except NotFound as refusal:
            page.amend(entry=None)
            show(refusal)

    # ---- what narrows the log ----

    def _draw_filters(self) -> None:
        asked = self._page.query.get
        actors = {"": "Everyone"} | self._known.actors
        actions = {"": "All actions"} | {action: words_of(action) for action in self._known.actions}
        with filter_bar():
            self._fields: dict[str, ui.input | ui.select] = {
                "target": search_field(
                    "Search by target",
                    asked("target", ""),
                    self._on("target"),
                    placeholder="Target, such as user:usr_…",
                ),
                "actor": select_field("Who", actors, asked("actor", ""), self._on("actor")),
                "action": select_field("What happened", actions, asked("action", ""), self._on("action")),
                "from": date_field("From", asked("from", ""), self._on("from")),
                "until": date_field("Until", asked("until", ""), self._on("until")),
            }

    def _on(self, name: str) -> Callable[[str], Awaitable[None]]:
        async def narrow(value: str) -> None:
            if self._page.query.get(name, "") != value:
                self._page.go(**{name: value})
                await self._show()

        return narrow

    async def _narrow_to(self, name: str, value: str) -> None:
        self._entry.drawer.close()
        self._page.go(**{name: value})
        field = self._fields[name]
        if not isinstance(field, ui.select) or value in field.options:
            field.value = value
        await self._show()

    async def _drop(self, *names: str) -> None:
        """Those filters are gone; from the address first, so that their controls change nothing more."""
        self._page.go(**dict.fromkeys(names))
        for name in names:
            self._fields[name].value = ""
        await self._show()

    async def _clear(self) -> None:
        await self._drop(*FILTERS)

    def _show_chips(self) -> None:
        query = self._page.query
        words: dict[str, Callable[[str], str]] = {
            "actor": lambda actor: f"By {self._known.actors.get(actor, actor)}",
            "action": words_of,
            "target": lambda target: f"About {target}",
            "from": lambda day: f"From {day}",
            "until": lambda day: f"Until {day}",
        }
        self._chips.show(
            {
                words[name](query[name]): partial(self._drop, name)
                for name in FILTERS
                if query.get(name) and (name not in ("from", "until") or day_of(query[name]))
            }
        )

    # ---- the log ----

    async def _show(self) -> None:
        self._show_chips()
        is_narrowed = any(self._page.query.get(name) for name in FILTERS)
        self._table.explain_nothing(*(NO_MATCH if is_narrowed else NOTHING_YET))
        await self._table.show()

    async def _load(self, cursor: str | None) -> Rows:
        def query(unit: Unit) -> EntryPage:
            return list_entries(unit, asked_for(unit, self._page.query), cursor=cursor)

        found = await self._page.read(query)
        return Rows([self._row(row) for row in found.items], found.next_cursor)

    def _row(self, row: EntryRow) -> TableRow:
        thing, kind = target_of(row)
        return TableRow(
            str(row.number),
            f"entry {row.number}",
            (
                text_cell(words_of(row.action)),
                text_cell(thing, kind, title=row.target),
                text_cell(row.actor_name, title=row.actor),
                text_cell(row.address or "–"),
                when_cell(self._page, row.at),
            ),
        )

    async def _refresh(self) -> None:
        await self._table.refresh()

    # ---- what is done with it ----

    async def _verify(self) -> None:
        self._verdict.show(await self._page.read(verify), self._page.now())

    def _draw_verdict(self, verdict: Verdict, at: object) -> None:
        if verdict.whole:
            callout(
                "The log is whole",
                f"{plural(verdict.entries, 'entry', 'entries')} of the installation, each chained to the one "
                "before, up to the newest: none was changed, none is missing.",
                tone="green",
            )
            return
        callout(
            f"Entry {number(verdict.first_broken or 0)} was changed or is missing",
            "From that entry on the log cannot be trusted: someone wrote to the database itself.",
            advice="Keep a copy of the database as it is, and compare that entry with the newest backup.",
        )

    async def _export(self) -> None:
        form = await ask_choice(
            "Export the audit log",
            "What matches the filters is downloaded, newest first. That it was taken out is an entry too.",
            label="Format",
            options={name: shown for name, (shown, _) in FORMS.items()},
            yes="Export",
        )
        if form is not None:
            asked = {name: self._page.query[name] for name in FILTERS if self._page.query.get(name)}
            ui.download.from_url(f"{PATH}?{urlencode({'form': form, **asked})}")
