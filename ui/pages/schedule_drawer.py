"""One schedule in full: when, how it went, the history of its runs, and what a person may do."""

from functools import partial

from core.schedules import commands
from core.schedules.queries import RunView, ScheduleStory, ScheduleView, story
from ui.page import PageContext
from ui.pages import schedule_words as words
from ui.parts.badge import badge
from ui.parts.button import button
from ui.parts.callout import callout
from ui.parts.confirm import ask_reason
from ui.parts.drawer import Drawer, section
from ui.parts.facts import Value, facts
from ui.parts.table import Table
from ui.parts.text import box, text
from ui.parts.timeline import Happening, timeline

OF_TICKS = "It runs so often that only the last run is kept, and those that failed or were asked for."


class ScheduleDrawer:
    def __init__(self, page: PageContext, table: Table) -> None:
        self._page = page
        self._table = table
        self._shown: ScheduleStory | None = None
        self._drawer = Drawer(
            page,
            self._fill,
            label="Schedule",
            step=lambda direction: table.step(self._drawer.open_id, direction),
            on_change=table.mark_open,
        )

    async def open(self, name: str) -> None:
        await self._drawer.open(name)

    async def restore(self) -> None:
        await self._drawer.restore()

    async def refresh(self) -> None:
        """What is open is drawn anew when it has changed."""
        name = self._drawer.open_id
        if name and self._shown != await self._look_up(name):
            await self._drawer.redraw()

    async def _look_up(self, name: str) -> ScheduleStory:
        return await self._page.read(lambda unit: story(unit, name))

    async def _fill(self, name: str) -> None:
        found = self._shown = await self._look_up(name)
        schedule = found.schedule
        with self._drawer.head(words.title(name), schedule.about):
            pass
        with self._drawer.body():
            with box("badges"):
                badge(words.STANDING[schedule.standing])
                if schedule.paused_at is not None and schedule.failures:
                    badge(("Paused", "amber"))
            self._draw_trouble(schedule)
            with section("When"):
                facts(self._page, _facts(self._page, schedule))
            self._draw_history(found)
        with self._drawer.foot():
            if schedule.can_run:
                button("Run now", partial(self._run, name), icon="play", kind="pri")
            if schedule.can_resume:
                button("Resume", partial(self._resume, name), icon="play")
            if schedule.can_pause:
                button("Pause", partial(self._pause, name), icon="pause")

    def _draw_trouble(self, schedule: ScheduleView) -> None:
        if schedule.failures:
            callout(
                schedule.result,
                words.failing(schedule, self._page.now()),
                advice="Once it is mended, run it now. The log of the clock process says more.",
            )
        if schedule.paused_at is not None:
            by = f"{schedule.paused_by}: " if schedule.paused_by else ""
            callout(
                "Paused until somebody resumes it",
                f"{by}{schedule.pause_reason}",
                advice="What it missed meanwhile is then made up for once.",
                tone="amber",
            )

    def _draw_history(self, found: ScheduleStory) -> None:
        with section("Runs"):
            if found.schedule.is_tick:
                text(OF_TICKS, "quiet", tag="p")
            elif not found.runs:
                text("None yet. The first is at its next moment, or when somebody runs it.", "quiet", tag="p")
            if found.runs:
                timeline(self._page, [self._happening(run) for run in found.runs])

    def _happening(self, run: RunView) -> Happening:
        lines = [run.result] if run.result else []
        if run.asked_by is not None:
            lines.append(f"Asked for by {run.asked_by}")
        lines.append(f"By the clock {run.holder}")
        return Happening(
            words.run_title(run), run.finished_at or run.started_at, tuple(lines), words.run_tone(run)
        )

    async def _run(self, name: str) -> None:
        done = "The clock takes it up at once"
        if await self._page.write(lambda unit: commands.run_now(unit, name), done=done):
            await self._changed()

    async def _pause(self, name: str) -> None:
        reason = await ask_reason(
            f"Pause {name}?",
            "It does not run until somebody resumes it; a run that is under way is finished.",
            yes="Pause",
        )
        if reason is None:
            return
        done = f"{words.title(name)} is paused"
        if await self._page.write(lambda unit: commands.pause(unit, name, reason=reason), done=done):
            await self._changed()

    async def _resume(self, name: str) -> None:
        if await self._page.write(lambda unit: commands.resume(unit, name), done="It runs again"):
            await self._changed()

    async def _changed(self) -> None:
        await self._drawer.redraw()
        await self._table.refresh()


def _facts(page: PageContext, schedule: ScheduleView) -> list[tuple[str, Value]]:
    if schedule.is_tick or schedule.next_at is None or schedule.asked_at is not None:
        next_run = words.next_word(schedule)[0]
    else:
        next_run = page.times.exact(schedule.next_at)
    lines: list[tuple[str, Value]] = [
        ("Runs", words.cadence(schedule.every_s, schedule.at_s)),
        ("Next run", next_run),
        ("Asked for by", schedule.asked_by),
        ("Last run", schedule.ran_at),
        ("Result", schedule.result if schedule.ran_at and not schedule.failures else None),
        ("Took", words.took(schedule.took_s) if schedule.ran_at else None),
        ("Last success", schedule.succeeded_at if schedule.failures else None),
        ("Paused", schedule.paused_at),
    ]
    return [(name, value) for name, value in lines if value is not None]
