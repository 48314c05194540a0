"""Health: each part of Waypost, how it is, since when, and what to do."""

from core.monitoring.parts import Part, examine
from core.monitoring.rules import Standing
from ui.format import plural
from ui.page import PageContext
from ui.parts.badge import Word, badge
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.text import box, text
from ui.parts.when import when

ABOUT = "Each part of the installation, checked as you look. python main.py doctor says the same."
STANDING: dict[Standing, Word] = {
    Standing.WELL: ("Well", "green"),
    Standing.WARNING: ("Look at it", "amber"),
    Standing.BAD: ("Not working", "red"),
    Standing.OFF: ("Off", "grey"),
}
_WORST_FIRST = (Standing.BAD, Standing.WARNING, Standing.WELL, Standing.OFF)
ICONS = {
    "web": "globe",
    "worker": "send",
    "inbox": "inbox",
    "clock": "alarm-clock",
    "database": "layers",
    "queue": "list",
    "webhooks": "webhook",
    "meta": "message-circle",
    "mail": "mail",
    "disk": "archive",
    "backups": "history",
}


async def build(page: PageContext) -> None:
    health = _Health(page)
    page.live(health.refresh)
    with heading(page, ABOUT):
        pass
    await health.draw()


class _Health:
    def __init__(self, page: PageContext) -> None:
        self._page = page

    async def draw(self) -> None:
        self._verdict = Region(_draw_verdict, "warnings", role="status")
        with card("healthcard", label="Parts"):
            self._list = box("parts", tag="ul")
        self._lines: dict[str, Region] = {}
        await self.refresh()

    async def refresh(self) -> None:
        page = self._page
        looked: list[Part] = await page.pulse.shared(("health", page.actor.permissions), self._look)
        found = sorted(looked, key=lambda part: _WORST_FIRST.index(part.standing))
        self._verdict.show(*_counts(found))
        if list(self._lines) != [part.key for part in found]:
            self._list.clear()
            with self._list:
                self._lines = {part.key: Region(self._draw, tag="li") for part in found}
        for part in found:
            self._lines[part.key].show(part)

    def _look(self) -> list[Part]:
        return examine(self._page.runtime, self._page.identity)

    def _draw(self, part: Part) -> None:
        with box("mark"):
            icon(ICONS[part.key])
        with box("words"):
            text(part.title, tag="h2")
            text(part.said, tag="p")
            if part.advice:
                text(part.advice, "advice", tag="p")
        with box("moment"):
            if part.at is not None:
                text(part.of, "lbl")
                when(self._page, part.at)
        badge(STANDING[part.standing])


def _counts(parts: list[Part]) -> tuple[int, int]:
    standings = [part.standing for part in parts]
    return standings.count(Standing.BAD), standings.count(Standing.WARNING)


def _draw_verdict(bad: int, warnings: int) -> None:
    if bad:
        callout(
            f"{plural(bad, 'part does', 'parts do')} not work",
            "What depends on it waits or fails meanwhile; no message that was taken is lost.",
            advice="What to do stands below, the worst first.",
        )
    elif warnings:
        callout(
            f"{plural(warnings, 'part wants', 'parts want')} a look",
            "Everything works, and may not for long.",
            advice="What to do stands below.",
            tone="amber",
        )
    else:
        callout("All systems normal", "Every part that should run here does.", tone="green")
