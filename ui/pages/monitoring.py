"""Monitoring: what was sent and heard over time, and how long it took."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from core.phones.queries import PhoneChoice, choices
from core.ports.meta_errors import explain
from core.traffic.measures import BUSY_MS, WEBHOOKS, Counts, Timing, errors, retries
from core.traffic.noting import TEXTS
from core.traffic.series import Series, Slot, series, templates_of
from core.unit import Unit
from ui.format import number
from ui.page import PageContext
from ui.pages.dead_letter_groups import code_word
from ui.pages.monitoring_words import (
    OUTCOME_PARTS,
    OUTCOMES,
    QUANTILES,
    TAKEN,
    change,
    milliseconds,
    seconds_of,
    slot_words,
)
from ui.parts.card import card, card_title, heading
from ui.parts.empty import empty
from ui.parts.filters import Chips, Segment, filter_bar, select_field
from ui.parts.stat import Stat, stats
from ui.parts.text import box
from ui.parts.time_chart import Kind, Part, Point, TimeChart

SPANS = {
    "1h": ("1 hour", timedelta(hours=1)),
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
    "1y": ("12 months", timedelta(days=365)),
}
STANDARD = "24h"
CODES_SHOWN = 4
CODE_TONES = ("red", "amber", "blue", "brand")
RUNGS = ("First retry", "Second", "Third", "Fourth or later")
Values = Callable[[Counts], tuple[float | None, ...]]


async def build(page: PageContext) -> None:
    await _Monitoring(page).build()


class _Monitoring:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._phones: dict[str, str] = {}
        self._charts: dict[str, TimeChart] = {}
        self._slots: tuple[Slot, ...] = ()
        self._width = timedelta(minutes=1)

    async def build(self) -> None:
        page = self._page
        phones, templates, found = await page.read(self._first_look)
        self._phones = {phone.phone_number_id: phone.verified_name for phone in phones}
        with heading(page, "What was sent and heard over time. Click on a bar to look at it closely."):
            pass
        with box("card"):
            self._draw_filters(templates)
        with stats().classes("six"):
            self._stats = {
                "taken": Stat("Taken by Meta", tone="brand"),
                "failed": Stat("Tries that failed", tone="red"),
                "speed": Stat("95 % taken within", tone="blue"),
                "delivered": Stat("95 % delivered within", tone="green"),
                "lag": Stat("Webhook lag, 95 %", tone="amber"),
                "busy": Stat("In flight on average", tone="grey"),
            }
        with box("card") as self._nothing:
            empty(
                "Nothing was counted in this span.",
                "What is sent from now on appears within seconds. Look further back, or take a filter away.",
                icon_name="activity",
            )
        with box("charts") as self._pictures:
            self._draw_charts()
        self._show(found)
        page.live(self._refresh)

    def _first_look(self, unit: Unit) -> tuple[list[PhoneChoice], list[str], Series]:
        return choices(unit), templates_of(unit), self._look(unit)

    def _look(self, unit: Unit) -> Series:
        since, until = self._span()
        query = self._page.query
        return series(
            unit,
            since=since,
            until=until,
            phone_number_id=query.get("phone", ""),
            template_name=query.get("template", ""),
        )

    # ---- what is asked for ----

    def _span_key(self) -> str:
        wanted = self._page.query.get("span", "")
        return wanted if wanted in SPANS else STANDARD

    def _zoomed(self) -> tuple[datetime, datetime] | None:
        """The part of time that the address names, if it names one."""
        try:
            since, until = (int(self._page.query.get(name, "")) for name in ("from", "until"))
            span = datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC)
        except (ValueError, OverflowError, OSError):
            return None
        return span if timedelta(0) < span[1] - span[0] <= timedelta(days=366) else None

    def _span(self) -> tuple[datetime, datetime]:
        until = self._page.now()
        return self._zoomed() or (until - SPANS[self._span_key()][1], until)

    async def _narrow(self, **changes: str) -> None:
        if all(self._page.query.get(name, "") == value for name, value in changes.items()):
            return  # a field that follows the address
        self._page.go(**changes)
        self._chosen_span.show("" if self._zoomed() else self._span_key())
        self._phone.set_value(self._page.query.get("phone", ""))
        self._template.set_value(self._page.query.get("template", ""))
        await self._refresh()

    async def _zoom(self, place: int) -> None:
        if not 0 <= place < len(self._slots) or self._width <= timedelta(minutes=1):
            return
        since = self._slots[place].at
        edges = (int(moment.timestamp()) for moment in (since, since + self._width))
        await self._narrow(**dict(zip(("from", "until"), map(str, edges), strict=True)))

    # ---- drawing ----

    def _draw_filters(self, templates: list[str]) -> None:
        query = self._page.query
        with filter_bar():
            self._chosen_span = Segment(
                "Span",
                {key: words for key, (words, _) in SPANS.items()},
                "" if self._zoomed() else self._span_key(),
                lambda key: self._narrow(span="" if key == STANDARD else key, **{"from": "", "until": ""}),
            )
            self._phone = select_field(
                "Phone",
                {"": "All phones", **self._phones},
                query.get("phone", ""),
                lambda value: self._narrow(phone=value),
            )
            self._template = select_field(
                "Template",
                {"": "All templates", **dict(zip(templates, templates, strict=True)), TEXTS: "Texts"},
                query.get("template", ""),
                lambda value: self._narrow(template=value),
            )
        self._chips = Chips(lambda: self._narrow(**{"from": "", "until": "", "phone": "", "template": ""}))

    def _draw_charts(self) -> None:
        quantiles = [Part(name, tone) for name, _, tone in QUANTILES]
        self._chart("sends", "Tries to send, by outcome", OUTCOME_PARTS, "Tries")
        self._chart("errors", "Errors, by code", [], "Errors")
        self._chart("taken", "From given to us until Meta took it", quantiles, "Seconds", "lines")
        self._chart("delivered", "From given to us until delivered", quantiles, "Seconds", "lines")
        rungs = [Part(name, tone) for name, tone in zip(RUNGS, CODE_TONES[::-1], strict=True)]
        self._chart("retries", "Retries, by rung of the ladder", rungs, "Retries")
        self._chart("waited", "Wait for a free place in the lane", quantiles, "Seconds", "lines")
        self._chart("webhooks", "Webhooks that came", [Part("Webhooks", "blue")], "Webhooks")
        self._chart("applied", "From a webhook's arrival until it counted", quantiles, "Seconds", "lines")
        self._chart("busy", "Sends in flight, on average", [Part("In flight", "brand")], "Sends", "lines")

    def _chart(self, key: str, title: str, parts: list[Part], unit: str, kind: Kind = "bars") -> None:
        with card(label=title):
            card_title(title)
            with box("cardbody"):
                self._charts[key] = TimeChart(
                    title,
                    parts,
                    unit=unit,
                    kind=kind,
                    words=(lambda value: f"{value:,.2f}")
                    if kind == "lines"
                    else lambda value: number(int(value)),
                    on_choose=self._zoom,
                )

    # ---- showing ----

    async def _refresh(self) -> None:
        self._show(await self._page.read(self._look))

    def _show(self, found: Series) -> None:
        self._slots, self._width = found.slots, found.width
        self._show_chips()
        self._show_stats(found)
        self._nothing.set_visibility(not found.total)
        self._pictures.set_visibility(bool(found.total))
        if not found.total:
            return
        self._draw("sends", lambda counts: tuple(counts[name] for name, _, _ in OUTCOMES))
        codes = _commonest(found.total)
        names = [
            Part(f"{code_word(code)} {explain(code).title}", tone)
            for code, tone in zip(codes, CODE_TONES, strict=False)
        ]
        self._draw("errors", lambda counts: _errors(counts, codes), [*names, Part("Others", "grey")])
        self._draw("retries", _retries)
        self._draw("webhooks", lambda counts: (counts[WEBHOOKS],))
        for timing in Timing:
            self._draw(timing.value, partial(seconds_of, timing))
        span_ms = found.width.total_seconds() * 1000
        self._draw("busy", lambda counts: (round(counts[BUSY_MS] / span_ms, 2),))

    def _draw(self, key: str, values: Values, parts: list[Part] | None = None) -> None:
        points = []
        for slot in self._slots:
            title, mark = slot_words(self._page.times, slot.at, self._width)
            points.append(Point(title, mark, values(slot.counts)))
        self._charts[key].show(points, parts)

    def _show_stats(self, found: Series) -> None:
        now, before = found.total, found.before
        taken, were = now[TAKEN], before[TAKEN]
        self._stats["taken"].show(number(taken), change(taken, were))
        failed, had = _failed(now), _failed(before)
        self._stats["failed"].show(number(failed), change(failed, had))
        for key, timing in (
            ("speed", Timing.TAKEN),
            ("delivered", Timing.DELIVERED),
            ("lag", Timing.APPLIED),
        ):
            self._stats[key].show(milliseconds(now, timing), f"{milliseconds(before, timing)} before")
        span_ms = found.width.total_seconds() * 1000 * len(found.slots)
        self._stats["busy"].show(f"{now[BUSY_MS] / span_ms:.2f}", f"{before[BUSY_MS] / span_ms:.2f} before")

    def _show_chips(self) -> None:
        query, chips = self._page.query, {}
        if zoomed := self._zoomed():
            since, until = (self._page.times.short(moment) for moment in zoomed)
            chips[f"{since} to {until}"] = lambda: self._narrow(**{"from": "", "until": ""})
        if phone := query.get("phone"):
            chips[self._phones.get(phone, phone)] = lambda: self._narrow(phone="")
        if template := query.get("template"):
            words = "Texts" if template == TEXTS else f"Template {template}"
            chips[words] = lambda: self._narrow(template="")
        self._chips.show(chips)


def _commonest(counts: Counts) -> list[str]:
    found = errors(counts)
    return sorted(found, key=lambda code: (-found[code], code))[:CODES_SHOWN]


def _errors(counts: Counts, codes: list[str]) -> tuple[int, ...]:
    found = errors(counts)
    shown = [found[code] for code in codes]
    return (*shown, found.total() - sum(shown))


def _retries(counts: Mapping[str, int]) -> tuple[int, ...]:
    rungs = retries(counts)
    return (*(rungs.get(n, 0) for n in (1, 2, 3)), sum(count for rung, count in rungs.items() if rung > 3))


def _failed(counts: Counts) -> int:
    return sum(counts[name] for name, _, _ in OUTCOMES if name != TAKEN)
