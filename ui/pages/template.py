"""One template: how it looks, what Meta said of it and what that means, how it is used and why it fails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from core.lanes import commands
from core.templates.figures import FailureGroup, Figures, failures, figures
from core.templates.forms import Rendered
from core.templates.lists import TemplateView, template_of
from core.templates.queries import sample
from core.templates.rules import PARKED, SENDABLE
from core.templates.verdicts import History, VerdictView, history_of
from core.templates.versions import VersionView, versions_of
from core.unit import Unit
from ui.format import number, share
from ui.page import PageContext
from ui.pages.phone_words import plain, quality
from ui.pages.send_view import draw_phone
from ui.pages.template_acts import Writing
from ui.pages.template_versions import draw_versions
from ui.pages.template_words import (
    MEANING,
    REASONS,
    category,
    category_note,
    status,
    verdict_details,
    verdict_title,
    verdict_tone,
)
from ui.pages.templates import COUNTED_FOR
from ui.parts.button import button, link
from ui.parts.callout import callout
from ui.parts.card import card, card_title, heading
from ui.parts.confirm import ask_reason
from ui.parts.empty import empty
from ui.parts.facts import Value, facts
from ui.parts.icon import icon
from ui.parts.region import Region
from ui.parts.text import box, text
from ui.parts.timeline import Happening, timeline

VERDICTS_AT_FIRST = 20
VERDICTS_AT_MOST = 500


@dataclass(frozen=True, slots=True)
class _Counted:
    figures: Figures
    failures: list[FailureGroup]
    at: datetime


@dataclass(frozen=True, slots=True)
class _View:
    template: TemplateView
    looks: Rendered
    history: History
    versions: list[VersionView]
    counted: _Counted


async def build(page: PageContext) -> None:
    template = _Template(page)
    found = await page.read(template.look_up)
    page.live(template.refresh)
    with link("", "/templates", classes="link back"):
        icon("arrow-left")
        text("All templates")
    with heading(page, f"{found.template.language} · {found.template.waba_name}", title=found.template.name):
        template.draw_acts(found.template)
    template.draw(found)


class _Template:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._id = page.params["template_id"]
        self._limit = VERDICTS_AT_FIRST
        self._counted: _Counted | None = None

    def look_up(self, unit: Unit) -> _View:
        template = template_of(unit, self._id)
        if self._counted is None or unit.now - self._counted.at > COUNTED_FOR:
            counted = figures(unit, [template])[self._id]
            self._counted = _Counted(counted, failures(unit, template), unit.now)
        return _View(
            template,
            sample(unit, self._id),
            history_of(unit, self._id, limit=self._limit),
            versions_of(unit, self._id),
            self._counted,
        )

    def draw_acts(self, template: TemplateView) -> None:
        page = self._page
        self._hold = self._release = self._send = None
        if page.can("queues.pause"):
            self._hold = button("Hold", self._do_hold, icon="pause")
            self._release = button("Release", self._do_release, icon="play")
        self._writing = Writing(page, template) if page.can("templates.manage") else None
        if page.can("messages.send"):
            asked = urlencode({"template": f"{template.name}/{template.language}"})
            self._send = button("Send", lambda: page.leave(f"/send?{asked}"), icon="send", kind="pri")

    def draw(self, found: _View) -> None:
        page = self._page
        self._warnings = Region(lambda template: _draw_warnings(page, template), "stack warnings")
        with box("phonepage template"):
            with box("stack"):
                with card(label="What Meta said"):
                    card_title("What Meta said", aside="Newest first, by Meta's time")
                    with box("cardbody"):
                        self._history = Region(lambda verdicts: _draw_history(page, verdicts))
                        self._earlier = button("Show earlier", self._show_earlier, small=True)
                with card(label="Versions"):
                    card_title("Versions", aside="What changed in its words")
                    with box("cardbody"):
                        self._versions = Region(lambda versions: draw_versions(page, versions))
                with card(label="Why messages failed"):
                    card_title("Why messages failed", aside="Last 7 days")
                    with box("cardbody"):
                        self._failures = Region(_draw_failures)
                        if page.can("dead_letters.view"):
                            link("Its dead letters", _letters(found.template.name))
            with box("stack"):
                with card(label="Preview"):
                    card_title("As the reader sees it", aside="With Meta's examples")
                    self._looks = Region(draw_phone)
                with card(label="About"):
                    card_title("About")
                    with box("cardbody"):
                        self._facts = Region(lambda *shown: _draw_facts(page, *shown))
        self._show(found)

    def _show(self, found: _View) -> None:
        template = found.template
        if self._hold is not None and self._release is not None:
            self._hold.set_visibility(template.hold is None and template.status in SENDABLE | PARKED)
            self._release.set_visibility(template.hold is not None)
        if self._writing is not None:
            self._writing.show(template)
        if self._send is not None:
            self._send.set_visibility(template.status in SENDABLE)
        self._warnings.show(template)
        self._history.show(found.history.items)
        self._earlier.set_visibility(not found.history.is_whole and self._limit < VERDICTS_AT_MOST)
        self._versions.show(found.versions)
        self._failures.show(template.name, found.counted.figures, found.counted.failures)
        self._looks.show(found.looks, template.waba_name)
        self._facts.show(template, found.counted.figures)

    async def refresh(self) -> None:
        self._show(await self._page.read(self.look_up))

    async def _show_earlier(self) -> None:
        self._limit = min(VERDICTS_AT_MOST, self._limit * 3)
        await self.refresh()

    async def _do_hold(self) -> None:
        reason = await ask_reason(
            "Hold this template?",
            "Messages of it wait here until it is released, and use up no retry. All others go on.",
            yes="Hold template",
        )
        if reason is not None:
            await self._page.write(
                lambda unit: commands.pause(unit, template_id=self._id, reason=reason),
                done="The template is held",
            )
            await self.refresh()

    async def _do_release(self) -> None:
        await self._page.write(
            lambda unit: commands.resume(unit, template_id=self._id),
            done="The template is released. What waited for it goes in order",
        )
        await self.refresh()


def _draw_warnings(page: PageContext, template: TemplateView) -> None:
    if template.hold is not None:
        hold = template.hold
        callout(
            "Held here",
            f"{hold.reason.rstrip('.')}. Since {page.times.short(hold.held_at)}.",
            advice="Its messages wait and use up no retry until it is released.",
            tone="amber",
        )
    if template.status in MEANING:
        word, tone, _ = status(template.status)
        reason = template.rejected_reason
        why = f"{plain(reason)}. {REASONS.get(reason, '')}".strip() if reason else ""
        callout(f"{word} at Meta", why, advice=MEANING[template.status], tone=tone)
    if template.planned_category and template.planned_category != template.category:
        when = f" on {page.times.short(template.planned_at)}" if template.planned_at else ""
        callout(
            f"Meta is going to make it {category(template.planned_category).lower()}{when}",
            "Its words belong to that category, Meta says.",
            advice="The price changes with it. If it is wrong, ask for a review in WhatsApp Manager.",
            tone="amber",
        )


def _draw_history(page: PageContext, verdicts: Sequence[VerdictView]) -> None:
    if not verdicts:
        empty(
            "Nothing has changed yet",
            "Verdicts, quality and categories are noted here when Meta changes them.",
            icon_name="history",
        )
        return
    timeline(
        page,
        [
            Happening(
                verdict_title(each),
                each.at,
                verdict_details(each),
                verdict_tone(each),
                is_last_word=index == 0,
            )
            for index, each in enumerate(verdicts)
        ],
    )


def _draw_failures(name: str, counted: Figures, groups: list[FailureGroup]) -> None:
    if not groups:
        empty(
            "Nothing failed",
            "Messages of this template that fail are grouped here by their cause.",
            icon_name="circle-check",
        )
        return
    with box("causes", tag="ul", label="Causes"):
        for group in groups:
            with box("", tag="li"):
                with box("r"):
                    text(group.title, tag="b")
                    text(f"{number(group.count)} · {share(group.count, counted.messages)}", "num")
                text(group.advice, "m", tag="p")
                link(group.code, _letters(name, code=group.code), classes="link mono")


def _letters(name: str, **narrower: str) -> str:
    return f"/dead-letters?{urlencode({'template': name, **narrower})}"


def _draw_facts(page: PageContext, template: TemplateView, counted: Figures) -> None:
    note = category_note(template)
    lines: list[tuple[str, Value]] = [
        ("Status", status(template.status)[0]),
        ("Category", category(template.category) + (f", {note}" if note else "")),
        ("Language", template.language),
        ("Quality", quality(template.quality or "UNKNOWN")[0]),
        ("Messages, 7 days", number(counted.messages)),
        ("Failed", number(counted.failures)),
        ("Last used", counted.last_used_at),
        ("Account", template.waba_name),
        ("Last sync", template.synced_at),
        ("Template id", template.meta_id),
    ]
    facts(page, lines, mono=("Template id",))
