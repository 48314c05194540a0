"""Bulk work about dead letters: what is under way, to watch and steer, and what came of earlier ones."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from core.dead_letters import bulk
from core.dead_letters.bulk import Order, WorkView
from core.dead_letters.filters import LetterFilter
from core.dead_letters.skipping import REASONS
from core.unit import Unit
from data.enums import BulkState, BulkVerb
from data.letters import BulkWork
from ui.format import duration, number, plural
from ui.page import PageContext
from ui.pages.dead_letter_dry_run import PACES
from ui.parts.badge import Word, badge
from ui.parts.button import button
from ui.parts.card import card
from ui.parts.confirm import Dialog, ask_choice, confirm
from ui.parts.gauge import Gauge
from ui.parts.text import Text, box, text

# What is over stays in sight for so long.
LINGERS = timedelta(minutes=5)
UNDO_FOR = timedelta(days=7)
STATE: dict[BulkState, Word] = {
    BulkState.RUNNING: ("Running", "blue"),
    BulkState.PAUSED: ("Paused", "amber"),
    BulkState.STOPPED: ("Stopped itself", "red"),
    BulkState.DONE: ("Done", "green"),
    BulkState.CANCELLED: ("Cancelled", "grey"),
}
VERB = {
    BulkVerb.REDRIVE: "Redrive",
    BulkVerb.DISCARD: "Discard",
    BulkVerb.RESTORE: "Restore",
    BulkVerb.ASSIGN: "Assign",
    BulkVerb.NOTE: "Note on",
}


class Works:
    """``await refresh()`` brings it up to date; nothing stands there while nothing is under way."""

    def __init__(self, page: PageContext, changed: Callable[[], Awaitable[None]]) -> None:
        self._page = page
        self._changed = changed
        self._drawn: list[tuple[str, BulkState]] = []
        self._lines: dict[str, tuple[Gauge, Text]] = {}
        self._box = card("works", label="Bulk work")
        self._box.set_visibility(False)

    async def refresh(self) -> None:
        views = await self._page.read(bulk.recent_work)
        now = self._page.now()
        shown = [
            view
            for view in views
            if not view.is_over or (view.finished_at and view.finished_at > now - LINGERS)
        ]
        drawn = [(view.id, view.state) for view in shown]
        if drawn != self._drawn:
            self._drawn = drawn
            self._draw(shown)
        for view in shown:
            gauge, words = self._lines[view.id]
            handled = view.done + view.skipped_count
            gauge.show(handled, max(1, view.total), f"{number(handled)} of {number(view.total)}")
            words.set_text(_words(view))

    async def show_past(self) -> None:
        views = await self._page.read(bulk.recent_work)
        with Dialog("Bulk work", "The newest twenty, whoever started them.", wide=True) as dialog:
            with box("dbody scrolls"):
                if not views:
                    text("Nothing was done to many letters at once yet.", "quiet", tag="p")
                for view in views:
                    with box("workline"):
                        self._draw_head(view)
                        text(f"{self._page.times.short(view.started_at)} · {_words(view)}", "quiet", tag="p")
                        if self._can_undo(view):
                            button("Undo this discard", lambda v=view: dialog.close(v), small=True)
            with box("dfoot"):
                button("Close", lambda: dialog.close(None))
        answer = await dialog.answer()
        if isinstance(answer, WorkView):
            await self._undo(answer)

    def _draw(self, views: list[WorkView]) -> None:
        self._box.clear()
        self._lines = {}
        with self._box:
            for view in views:
                with box("workline"):
                    self._draw_head(view)
                    gauge = Gauge("Progress", f"Progress of {_title(view).lower()}")
                    self._lines[view.id] = (gauge, text("", "quiet", tag="p"))
                    if view.cause:
                        text(view.cause, tag="p")
                    with box("workacts"):
                        self._draw_buttons(view)
        self._box.set_visibility(bool(views))

    def _draw_head(self, view: WorkView) -> None:
        with box("badges"):
            text(_title(view), tag="b")
            badge(STATE[view.state])
            text(f"by {view.started_by_name}", "quiet")

    def _draw_buttons(self, view: WorkView) -> None:
        if self._can_undo(view):
            button("Undo", lambda: self._undo(view), icon="undo-2", small=True)
        if view.is_over or not self._page.can("dead_letters.bulk_redrive"):
            return
        if view.state is BulkState.RUNNING:
            button("Pause", lambda: self._steer(bulk.pause, view), icon="pause", small=True)
        else:
            button("Resume", lambda: self._steer(bulk.resume, view), icon="play", small=True)
        if view.verb is BulkVerb.REDRIVE:
            button("Change pace", lambda: self._repace(view), small=True)
        button("Cancel", lambda: self._cancel(view), kind="danger", small=True)

    async def _steer(self, command: Callable[[Unit, str], BulkWork], view: WorkView) -> None:
        await self._page.write(lambda unit: command(unit, view.id))
        await self.refresh()

    async def _cancel(self, view: WorkView) -> None:
        if await confirm(
            f"Cancel: {_title(view).lower()}?",
            "What was done stays done. The letters that are left stay as they are.",
            yes="Cancel the work",
            is_danger=True,
        ):
            await self._steer(bulk.cancel, view)

    async def _repace(self, view: WorkView) -> None:
        chosen = await ask_choice(
            "Change the pace",
            f"It goes at {number(view.rate_per_second)} a second now.",
            label="Pace",
            options={str(pace): words for pace, words in PACES.items()},
            yes="Change pace",
        )
        if chosen is not None:
            await self._page.write(lambda unit: bulk.set_pace(unit, view.id, rate_per_second=int(chosen)))
            await self.refresh()

    async def _undo(self, view: WorkView) -> None:
        order = Order(BulkVerb.RESTORE, wanted=LetterFilter(bulk_id=view.id))
        await self._page.write(lambda unit: bulk.start(unit, order), done="They are being restored")
        await self._changed()

    def _can_undo(self, view: WorkView) -> bool:
        return (
            view.verb is BulkVerb.DISCARD
            and view.is_over
            and view.done > 0
            and view.started_at > self._page.now() - UNDO_FOR
            and self._page.can("dead_letters.bulk_redrive")
            and self._page.can("dead_letters.discard")
        )


def _title(view: WorkView) -> str:
    return f"{VERB[view.verb]} {plural(view.total, 'dead letter')}"


def _words(view: WorkView) -> str:
    parts = [f"{number(view.done)} done"]
    if view.verb is BulkVerb.REDRIVE:
        parts += [f"{number(view.delivered)} delivered", f"{number(view.failed_again)} failed again"]
    parts += [f"{number(count)} skipped: {REASONS.get(why, why)}" for why, count in view.skipped.items()]
    if view.waits_for_canary and not view.is_over:
        parts.append(f"waits for what comes of the first {number(view.canary or 0)}")
    elif view.state is BulkState.RUNNING:
        parts.append(f"{view.per_second:.1f} a second")
        if view.remaining_s is not None:
            parts.append(f"about {duration(view.remaining_s)} left")
    return " · ".join(parts)
