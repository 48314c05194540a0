"""Lists: server-side pages by cursor, live without moving under the pointer, cards on a phone."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from nicegui import ui

from ui.act import handler
from ui.format import number, plural
from ui.page import PageContext
from ui.parts.badge import Tone, Word
from ui.parts.button import button
from ui.parts.empty import empty
from ui.parts.text import Text, box, text
from ui.theme import icon_url

Cell = dict[str, Any]
# How a list is sorted by a column; "none" where it could be.
Order = Literal["", "none", "ascending", "descending"]


def text_cell(
    main: str, sub: str = "", *, mono: bool = False, title: str = "", icon: tuple[str, str] | None = None
) -> Cell:
    """Two lines of text; the second is small and may be empty. ``icon``: its name, and what it means."""
    cell = {"kind": "text", "main": main, "sub": sub, "mono": mono, "title": title}
    return cell if icon is None else cell | {"icon": icon_url(icon[0]), "means": icon[1]}


def badge_cell(
    word: Word, sub: str = "", *, at: datetime | None = None, after: str = "", icon: str = ""
) -> Cell:
    """With ``at``, beneath it: ``sub``, that moment as the browser counts on to it, and ``after``."""
    cell = {"kind": "badge", "main": word[0], "tone": word[1], "sub": sub}
    if icon:
        cell["icon"] = icon_url(icon)
    return cell if at is None else cell | {"subAt": at.isoformat(), "after": after}


def code_cell(code: str, main: str, sub: str = "") -> Cell:
    """A code with its meaning in words beside it."""
    return {"kind": "code", "code": code, "main": main, "sub": sub, "title": main}


def when_cell(page: PageContext, moment: datetime | None, *, with_date: bool = True) -> Cell:
    """Relative, counted on by the browser; exact on hover and, ``with_date``, short beneath."""
    if moment is None:
        return text_cell("–")
    return {
        "kind": "when",
        "at": moment.isoformat(),
        "exact": page.times.exact(moment),
        "sub": page.times.short(moment) if with_date else "",
    }


def number_cell(value: int, sub: str = "") -> Cell:
    return {"kind": "number", "main": number(value), "sub": sub}


def dots_cell(used: int, of: int, *, last: Tone = "red") -> Cell:
    """One mark for each attempt that a message may have. ``last``: the colour of the newest one."""
    return {"kind": "dots", "used": used, "of": of, "last": last}


@dataclass(frozen=True, slots=True)
class Column:
    """``card`` says where it stands on a phone: its title, at the right of it, on a line beneath, at the
    right of that line, or nowhere. ``width`` is CSS, of the table on a wide screen."""

    key: str
    title: str
    card: Literal["title", "aside", "line", "foot", "hidden"] = "line"
    width: str = ""
    right: bool = False
    sort: Order = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """``name`` says what the row is, for those who do not see it: *message to +49 …*. One cell a column."""

    id: str
    name: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of a list. ``total`` is shown when it is known."""

    rows: Sequence[TableRow]
    next_cursor: str | None = None
    total: int | None = None


Load = Callable[[str | None], Awaitable[Rows]]


class _Grid(ui.element, component="table.js"):
    """What the browser draws: see table.js."""


class Table:
    """``load(cursor)`` answers one page. ``on_open(id)`` is a click on a row, or Enter.

    ``await show()`` draws the first page, at the start and whenever filters change; ``await refresh()`` is
    for ``page.live``. A live refresh updates the rows that are shown and announces new ones (*14 new*); with
    ``follows`` it replaces them instead, for lists that are short and always the newest, unless something is
    selected. An answer that comes after another page was asked for is dropped. ``compact`` leaves out the
    line beneath with the count and the way to further pages. ``on_sort(key)`` is a click on the title of a
    column that can be sorted by.
    """

    def __init__(
        self,
        page: PageContext,
        columns: Sequence[Column],
        load: Load,
        *,
        label: str,
        one: str,
        many: str = "",
        on_open: Callable[[str], Any] | None = None,
        nothing: tuple[str, str] = ("Nothing here yet", ""),
        nothing_icon: str = "inbox",
        on_select: Callable[[list[str]], Any] | None = None,
        on_sort: Callable[[str], Any] | None = None,
        follows: bool = False,
        compact: bool = False,
    ) -> None:
        self._page = page
        self._load = load
        self._words = (one, many or f"{one}s")
        self.follows = follows
        self._compact = compact
        self._on_select = on_select
        self._before: list[str | None] = []
        self._cursor: str | None = None
        self._found = Rows(())
        self._turns = 0
        self._gone: set[str] = set()
        self.selected: list[str] = []
        self._nothing = nothing
        with box("newrows"):
            self._new = button("", self.show, icon="arrow-up", small=True)
            self._new.set_visibility(False)
        self._grid = _Grid()
        for name, value in {
            "label": label,
            "columns": [_column_json(column) for column in columns],
            "rows": [],
            "selected": [],
            "open": "",
            "selectable": on_select is not None,
            "busy": False,
        }.items():
            self._grid.props[name] = value
        if on_open is not None:
            opened = handler(on_open)
            self._grid.on("open", lambda event: opened(event.args))
        if on_sort is not None:
            sorted_by = handler(on_sort)
            self._grid.on("sort", lambda event: sorted_by(event.args))
        self._grid.on("choose", handler(lambda event: self._choose([event.args[0]], is_chosen=event.args[1])))
        self._grid.on(
            "choose-page",
            handler(lambda event: self._choose([row.id for row in self._found.rows], is_chosen=event.args)),
        )
        with empty(nothing[0], nothing[1], icon_name=nothing_icon) as self._empty:
            pass
        self._draw_pager()

    async def show(self) -> None:
        """The first page, and nothing selected."""
        self._before, self._cursor = [], None
        self.select([])
        await self._turn()

    async def refresh(self, again: Load | None = None) -> None:
        """What is shown is brought up to date in place. ``again``: loads what is shown already in another way
        than ``load`` would."""
        turns = self._turns
        fresh = await (again or self._load)(self._cursor)
        if turns != self._turns:
            return
        if self.follows and not self.selected:
            self._found, self._gone = fresh, set()
            self._draw()
            self._announce(0)
            return
        by_id = {row.id: row for row in fresh.rows}
        shown = {row.id for row in self._found.rows}
        arrived = [row for row in fresh.rows if row.id not in shown]
        if not self._found.rows:
            self._found = fresh
            self._draw()
            return
        # Of a full page, new rows push the last ones off: those are not gone.
        pushed = len(arrived) if fresh.next_cursor else 0
        last = {row.id for row in self._found.rows[len(self._found.rows) - pushed :]} if pushed else set()
        self._gone = shown - by_id.keys() - last
        kept = [by_id.get(row.id, row) for row in self._found.rows]
        self._found = Rows(kept, self._found.next_cursor, fresh.total)
        self._draw()
        is_full = len(arrived) == len(fresh.rows) and fresh.next_cursor is not None
        self._announce(len(arrived) if self._cursor is None else 0, more=is_full)

    def select(self, ids: Sequence[str]) -> None:
        self.selected = list(ids)
        self._set("selected", self.selected)
        if self._on_select is not None:
            self._on_select(self.selected)

    def show_order(self, key: str, order: Order) -> None:
        """The list is sorted so by that column."""
        columns: list[dict[str, Any]] = self._grid.props["columns"]
        self._set("columns", [one | {"sort": order} if one["key"] == key else one for one in columns])

    def mark_open(self, row_id: str) -> None:
        """The row whose drawer is open; pass it as a drawer's ``on_change``."""
        self._set("open", row_id)

    def step(self, from_id: str, direction: int) -> str | None:
        """The id of the row before (-1) or after (1); None at the ends."""
        ids = [row.id for row in self._found.rows]
        if from_id not in ids:
            return ids[0] if ids else None
        at = ids.index(from_id) + direction
        return ids[at] if 0 <= at < len(ids) else None

    @property
    def first_id(self) -> str | None:
        """The id of the row on top; None where there is no row."""
        return self._found.rows[0].id if self._found.rows else None

    @property
    def total(self) -> int | None:
        return self._found.total

    def explain_nothing(self, title: str, about: str) -> None:
        """What stands in place of no rows: another sentence when it is the filters that found nothing."""
        self._nothing = (title, about)

    def _draw_pager(self) -> None:
        with box("pager") as self._pager:
            self._info: Text = text("", "info")
            self._info.props["role"] = "status"
            with box("end"):
                self._previous = button("Previous", self._go_back, icon="chevron-left", small=True)
                self._next = button("Next", self._go_on, small=True)

    async def _go_on(self) -> None:
        if self._found.next_cursor is not None:
            self._before.append(self._cursor)
            self._cursor = self._found.next_cursor
            await self._turn()

    async def _go_back(self) -> None:
        if self._before:
            self._cursor = self._before.pop()
            await self._turn()

    async def _turn(self) -> None:
        self._turns += 1
        turns = self._turns
        self._set("busy", True)
        try:
            found = await self._load(self._cursor)
        finally:
            if turns == self._turns:
                self._set("busy", False)
        if turns != self._turns:
            return
        self._found, self._gone = found, set()
        self._draw()
        self._announce(0)

    def _draw(self) -> None:
        rows = [_row_json(row, is_gone=row.id in self._gone) for row in self._found.rows]
        self._set("rows", rows)
        has_rows = bool(rows)
        self._grid.set_visibility(has_rows)
        self._empty.set_visibility(not has_rows)
        if not has_rows:
            self._draw_nothing()
        self._pager.set_visibility(not self._compact and (has_rows or bool(self._before)))
        self._info.set_text(self._summary())
        self._previous.set_enabled(bool(self._before))
        self._next.set_enabled(self._found.next_cursor is not None)
        is_one_page = not self._before and self._found.next_cursor is None
        self._previous.set_visibility(not is_one_page)
        self._next.set_visibility(not is_one_page)

    def _draw_nothing(self) -> None:
        title, about = (child for child in self._empty.default_slot.children if isinstance(child, Text))
        title.set_text(self._nothing[0])
        about.set_text(self._nothing[1])

    def _summary(self) -> str:
        shown = len(self._found.rows)
        if self._found.total is not None and self._found.total > shown:
            return f"{number(shown)} of {plural(self._found.total, *self._words)}"
        more = "+" if self._found.next_cursor is not None and self._found.total is None else ""
        return f"{number(shown)}{more} {self._words[0] if shown == 1 and not more else self._words[1]}"

    def _announce(self, count: int, *, more: bool = False) -> None:
        """``more`` than fit on a page."""
        self._new.set_visibility(count > 0)
        if count:
            self._new.set_text(f"{count}{'+' if more else ''} new, show")

    def _choose(self, ids: Sequence[str], *, is_chosen: bool) -> None:
        others = [each for each in self.selected if each not in ids]
        self.select([*others, *ids] if is_chosen else others)

    def _set(self, name: str, value: Any) -> None:
        if self._grid.props.get(name) != value:
            self._grid.props[name] = value
            self._grid.update()


class SelectionBar:
    """Stands at the foot of the page while something is selected, and says how much. The page puts its
    actions into it, with ``with``."""

    def __init__(self, table: Table, one: str, many: str = "") -> None:
        self._words = (one, many or f"{one}s")
        with box("selbar", label="Selection", role="region") as self._bar:
            self._info = text("")
            self._info.props["role"] = "status"
            self._actions = box("selacts")
            button("Clear", lambda: table.select([]), icon="x", small=True)
        self._bar.set_visibility(False)

    def show(self, selected: Sequence[str]) -> None:
        self._bar.set_visibility(bool(selected))
        if selected:
            self._info.set_text(f"{plural(len(selected), *self._words)} selected")

    def say(self, sentence: str) -> None:
        """Of a selection that is more than what the page shows."""
        self._info.set_text(sentence)

    def __enter__(self) -> ui.element:
        return self._actions.__enter__()

    def __exit__(self, *_: object) -> None:
        self._actions.__exit__(*_)


def _column_json(column: Column) -> dict[str, Any]:
    return {
        "key": column.key,
        "title": column.title,
        "card": column.card,
        "width": column.width,
        "right": column.right,
        "sort": column.sort,
    }


def _row_json(row: TableRow, *, is_gone: bool) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "cells": list(row.cells), "gone": is_gone}
