"""Schedules: what runs by itself, how it went, when it goes on; run now, pause, resume."""

from core.schedules.queries import ScheduleView, list_schedules
from ui.page import PageContext
from ui.pages import schedule_words as words
from ui.pages.schedule_drawer import ScheduleDrawer
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.region import Region
from ui.parts.table import Cell, Column, Rows, Table, TableRow, badge_cell, text_cell, when_cell

ABOUT = "What runs by itself, for all workspaces: the failing first. One clock process decides when."
COLUMNS = (
    Column("schedule", "Schedule", card="title", width="27%"),
    Column("when", "When", card="hidden", width="18%"),
    Column("last", "Last run", card="foot", width="164px"),
    Column("result", "Result"),
    Column("next", "Next run", card="aside", width="132px", right=True),
)


async def build(page: PageContext) -> None:
    await _Schedules(page).build()


class _Schedules:
    def __init__(self, page: PageContext) -> None:
        self._page = page

    async def build(self) -> None:
        page = self._page
        page.live(self._refresh)
        with heading(page, ABOUT):
            pass
        self._silence = Region(_draw_silence, "warnings", role="status")
        with card("tablecard schedules", label="Schedules"):
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Schedules",
                one="schedule",
                on_open=lambda name: self._drawer.open(name),
                nothing=(
                    "No schedules yet",
                    "They appear once a clock runs: python main.py serve.",
                ),
                nothing_icon="alarm-clock",
                follows=True,
            )
        self._drawer = ScheduleDrawer(page, self._table)
        self._tell_silence()
        await self._table.show()
        await self._drawer.restore()

    async def _load(self, _: str | None) -> Rows:
        found = await self._page.read(list_schedules)
        return Rows([self._row(schedule) for schedule in found], total=len(found))

    def _row(self, schedule: ScheduleView) -> TableRow:
        return TableRow(
            schedule.name,
            f"schedule {schedule.name}",
            (
                text_cell(words.title(schedule.name), schedule.about, title=schedule.about),
                text_cell(words.cadence(schedule.every_s, schedule.at_s)),
                _last(schedule),
                text_cell(words.last_result(schedule), words.beneath_result(schedule)),
                self._next(schedule),
            ),
        )

    def _next(self, schedule: ScheduleView) -> Cell:
        if schedule.next_at is None or schedule.is_tick or schedule.asked_at is not None:
            return text_cell(*words.next_word(schedule))
        return when_cell(self._page, schedule.next_at)

    async def _refresh(self) -> None:
        self._tell_silence()
        await self._table.refresh()
        await self._drawer.refresh()

    def _tell_silence(self) -> None:
        self._silence.show(self._page.surroundings.health.clock == "stopped")


def _last(schedule: ScheduleView) -> Cell:
    word = words.STANDING[schedule.standing]
    if schedule.ran_at is None:
        return badge_cell(word)
    return badge_cell(word, at=schedule.ran_at, after=f" · {words.took(schedule.took_s)}")


def _draw_silence(is_silent: bool) -> None:
    if is_silent:
        callout(
            "No clock is alive, so none of this runs",
            "Retries, token renewals, alerts and billing wait. Nothing is lost: what was missed runs once.",
            advice="Start one: python main.py serve, or python main.py clock beside workers of their own.",
        )
