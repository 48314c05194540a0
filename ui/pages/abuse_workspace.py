"""One workspace by what Meta rejects of its templates: its rate against both thresholds, what counted, which
flags it had, and clearing the one that is open."""

from datetime import timedelta

from core.templates import guard
from core.templates.abuse import Thresholds, percent
from core.templates.abuse_queries import EventRow, Risk, house_rules, risk_of
from core.templates.flags import FlagRow
from core.unit import Unit
from data.enums import AbuseLevel
from ui.format import number
from ui.page import PageContext
from ui.pages.abuse_words import EVENT, LEVEL, event_details, of_decided, rate
from ui.parts.button import button, link
from ui.parts.callout import callout
from ui.parts.card import card, card_title, heading
from ui.parts.confirm import ask_reason
from ui.parts.empty import empty
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.stat import Stat, stats
from ui.parts.step_line import Limit, Step, StepLine
from ui.parts.text import box, text
from ui.parts.timeline import Happening, timeline

HOURS = 24
LINE = "Rejected of decided"


async def build(page: PageContext) -> None:
    await _Workspace(page).build()


class _Workspace:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._id = page.params["workspace_id"]
        self._flag_id: str | None = None

    def _look_up(self, unit: Unit) -> Risk:
        return risk_of(unit, self._id)

    async def build(self) -> None:
        page = self._page
        found, rules = await page.read(lambda unit: (self._look_up(unit), house_rules(unit)))
        page.live(self._refresh)
        with link("", "/abuse", classes="link back"):
            icon("arrow-left")
            text("All workspaces")
        with heading(page, f"{found.slug} · what Meta decided of its templates", title=found.name):
            self._clear_it = button("Clear flag", self._clear, icon="shield-check", kind="pri")
        self._why = Region(_draw_why, "stack warnings")
        with stats():
            self._level = Stat("Level now")
            self._rate = Stat("Rejected, 24 hours")
            self._tried = Stat("Sends refused, 24 hours")
        with card(label="Rate"):
            card_title("Rate against the thresholds", aside="Each point looks back 24 hours")
            with box("cardbody"):
                self._line = StepLine(
                    LINE,
                    unit="rejected, %",
                    top=100,
                    hours=HOURS,
                    limits=_limits(rules),
                    heads=("From", LINE, "Rate", "Sends refused"),
                )
        with box("phonepage"):
            with card(label="What happened"):
                card_title("What happened", aside="Last 48 hours, newest first")
                with box("cardbody"):
                    self._events = Region(lambda *shown: _draw_events(page, *shown))
            with card(label="Flags"):
                card_title("Flags", aside="Who cleared them, and why")
                with box("cardbody"):
                    self._flags = Region(lambda flags: _draw_flags(page, flags))
        self._show(found)

    def _show(self, found: Risk) -> None:
        standing = found.standing
        now = next((flag for flag in found.flags if flag.cleared_at is None), None)
        self._flag_id = now.id if now is not None else None
        self._clear_it.set_visibility(now is not None and now.can_clear)
        self._why.show(standing.level, standing.reasons, now is not None and not now.can_clear)
        since = f"since {self._page.times.short(standing.since)}" if standing.since is not None else ""
        self._level.show(LEVEL[standing.level][0], "" if standing.level is AbuseLevel.OK else since)
        self._rate.show(rate(standing.tally), of_decided(standing.tally))
        self._tried.show(number(standing.tally.tried), "of rejected templates")
        self._line.show(self._steps(found))
        self._events.show(found.events, found.is_whole)
        self._flags.show(found.flags)

    def _steps(self, found: Risk) -> list[Step]:
        """By the minute: that is finer than the picture."""
        now = found.line[-1].at
        steps = []
        for point in found.line:
            minutes = (now - point.at) // timedelta(minutes=1)
            moment = "Now" if not minutes and point is found.line[-1] else self._page.times.short(point.at)
            share, tried = rate(point.tally), number(point.tally.tried)
            decided = of_decided(point.tally)
            tip = f"{moment}: {decided}" + (f", {share}" if point.tally.decided else "")
            cells = (moment, decided, share, tried)
            steps.append(Step(minutes / 60, round(point.tally.rate * 100, 1), tip, cells))
        return steps

    async def _refresh(self) -> None:
        self._show(await self._page.read(self._look_up))

    async def _clear(self) -> None:
        flag_id = self._flag_id
        if flag_id is None:
            return
        reason = await ask_reason(
            "Clear this flag?",
            "The workspace can create templates again, and what Meta rejected until now counts no more. "
            "Your reason stands in its audit log.",
            yes="Clear flag",
        )
        if reason is not None:
            await self._page.write(
                lambda unit: guard.clear(unit, flag_id, reason=reason[: guard.REASON_MAX]),
                done="The flag is cleared",
            )
            await self._refresh()


def _limits(rules: Thresholds) -> list[Limit]:
    return [
        Limit(f"Warning above {percent(rules.warn_rate)}", rules.warn_rate * 100, "amber"),
        Limit(f"Flag above {percent(rules.flag_rate)}", rules.flag_rate * 100, "red"),
    ]


def _draw_why(level: AbuseLevel, reasons: tuple[str, ...], needs_admin: bool) -> None:
    if level is AbuseLevel.OK:
        return
    word, tone, _ = LEVEL[level]
    advice = "It clears itself as rejections grow older than 24 hours."
    if level is AbuseLevel.FLAGGED:
        advice = (
            "It cannot create or submit templates; approved ones still send. Nothing but a person ends this."
        )
        if needs_admin:
            advice += " A platform admin can."
    callout(word, " ".join(reasons), advice=advice, tone=tone)


def _draw_events(page: PageContext, events: tuple[EventRow, ...], is_whole: bool) -> None:
    if not events:
        empty(
            "Nothing happened",
            "Creations, verdicts and refused sends of the last 48 hours are listed here.",
            icon_name="history",
        )
        return
    timeline(
        page,
        [
            Happening(EVENT[each.what][0], each.at, event_details(each), EVENT[each.what][1])
            for each in events
        ],
    )
    if not is_whole:
        text(f"The newest {number(len(events))} are shown.", "m", tag="p")


def _draw_flags(page: PageContext, flags: tuple[FlagRow, ...]) -> None:
    if not flags:
        empty("Never flagged", "A flag stands here with its reasons, and with who cleared it and why.",
              icon_name="shield-check")  # fmt: skip
        return
    timeline(page, [one for flag in flags for one in _story(flag)])


def _story(flag: FlagRow) -> list[Happening]:
    """Newest first."""
    opened = Happening("Flagged", flag.opened_at, flag.reasons, "red", is_last_word=flag.cleared_at is None)
    if flag.cleared_at is None:
        return [opened]
    words = (f"“{flag.cleared_reason}”",)
    return [Happening(f"Cleared by {flag.cleared_by}", flag.cleared_at, words, "green"), opened]
