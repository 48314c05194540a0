"""Channels: where alerts go beside this console, what was said there last, and why it was not heard."""

from functools import partial

from core.alerts import channels
from core.alerts.channel_queries import ChannelRow, ChannelView, NoticeRow, get_channel, list_channels
from data.enums import ChannelKind
from ui.format import plural
from ui.page import PageContext
from ui.pages import channel_words as words
from ui.pages.channel_form import ChannelFields, show_secret
from ui.parts.badge import badge
from ui.parts.button import button, link
from ui.parts.callout import callout
from ui.parts.card import card, heading
from ui.parts.confirm import confirm
from ui.parts.drawer import Drawer, section
from ui.parts.facts import Value, facts
from ui.parts.table import Column, Rows, Table, TableRow, badge_cell, text_cell, when_cell
from ui.parts.text import box, text
from ui.parts.timeline import Happening, timeline

COLUMNS = (
    Column("name", "Channel", card="title", width="26%"),
    Column("where", "Leads to", card="line"),
    Column("tells", "Hears of", card="hidden", width="24%"),
    Column("state", "State", card="foot", width="140px"),
    Column("told", "Last delivery", card="aside", width="130px", right=True),
)
NOTHING = ("No channel yet", "Alerts show here and at the bell. A channel tells people who are elsewhere.")


async def build(page: PageContext) -> None:
    await _Channels(page).build()


class _Channels:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._shown: ChannelView | None = None
        self._form = ChannelFields(page, done=self._changed)

    async def build(self) -> None:
        page = self._page
        page.live(self._refresh)
        with heading(
            page, "Where alerts go beside this console: mail, webhooks, and services such as Slack."
        ):
            link("All alerts", "/alerts", classes="linkbtn")
            if page.can("settings.manage"):
                button("Add a channel", self._form.open, icon="plus", kind="pri")
                page.command("Add an alert channel", self._form.open, icon="bell", key="n")
        with card("tablecard people", label="Channels"):
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Channels",
                one="channel",
                on_open=lambda channel_id: self._drawer.open(channel_id),
                nothing=NOTHING,
                nothing_icon="send",
                follows=True,
            )
        self._drawer = Drawer(
            page,
            self._fill,
            label="Channel",
            step=lambda direction: self._table.step(self._drawer.open_id, direction),
            on_change=self._table.mark_open,
        )
        await self._table.show()
        await self._drawer.restore()

    async def _load(self, cursor: str | None) -> Rows:
        found = await self._page.read(list_channels)
        return Rows([self._row(row) for row in found], None)

    def _row(self, row: ChannelRow) -> TableRow:
        return TableRow(
            row.id,
            f"channel {row.name}",
            (
                text_cell(row.name, words.KIND[row.kind], title=row.name),
                text_cell(words.where(row), title=words.where(row)),
                text_cell(words.tells(row)),
                badge_cell(words.state(row)),
                when_cell(self._page, row.tried_at),
            ),
        )

    async def _refresh(self) -> None:
        await self._table.refresh()
        channel_id = self._drawer.open_id
        if channel_id and self._shown != await self._page.read(lambda unit: get_channel(unit, channel_id)):
            await self._drawer.redraw()

    async def _changed(self) -> None:
        await self._table.refresh()
        await self._drawer.redraw()

    async def _fill(self, channel_id: str) -> None:
        view = self._shown = await self._page.read(lambda unit: get_channel(unit, channel_id))
        row = view.channel
        with self._drawer.head(row.name, words.KIND[row.kind]):
            pass
        with self._drawer.body():
            with box("badges"):
                badge(words.state(row))
            if row.is_on and row.last_error:
                callout(
                    "The last delivery failed",
                    row.last_error,
                    advice="Mend what it names, then test the channel.",
                )
            facts(self._page, _facts(row))
            with section("What was said"):
                if view.notices:
                    timeline(self._page, [self._happening(row, one) for one in view.notices])
                else:
                    text("Nothing yet.", "quiet", tag="p")
        with self._drawer.foot():
            if row.can_change:
                self._draw_acts(row)

    def _draw_acts(self, row: ChannelRow) -> None:
        if row.is_on:
            button("Test", partial(self._test, row.id), icon="send", kind="pri")
        button("Change", lambda: self._form.open(row.id, row.form, shown=row.target), icon="pencil")
        button(
            "Switch off" if row.is_on else "Switch on",
            partial(self._switch, row.id, is_on=not row.is_on),
            icon="pause" if row.is_on else "play",
        )
        if row.kind is ChannelKind.WEBHOOK:
            button("New secret", partial(self._renew, row), icon="key-round")
        button("Delete", partial(self._delete, row), icon="trash-2", kind="danger")

    def _happening(self, row: ChannelRow, notice: NoticeRow) -> Happening:
        word, tone = words.standing(row, notice)
        details = [word]
        if notice.last_error:
            details.append(notice.last_error)
        if notice.attempts > 1:
            details.append(f"{plural(notice.attempts, 'attempt')} so far" if notice.next_at else "")
        if notice.next_at is not None and notice.attempts:
            details.append(f"Next attempt {self._page.times.clock(notice.next_at)}")
        return Happening(
            notice.subject,
            notice.sent_at or notice.created_at,
            details=tuple(line for line in details if line),
            tone=tone,
        )

    async def _test(self, channel_id: str) -> None:
        done = "A test is on its way; what came of it appears here."
        await self._page.write(lambda unit: channels.test_channel(unit, channel_id), done=done)
        await self._changed()

    async def _switch(self, channel_id: str, *, is_on: bool) -> None:
        done = "The channel is on" if is_on else "The channel is off; it hears of nothing more"
        await self._page.write(lambda unit: channels.switch_channel(unit, channel_id, is_on=is_on), done=done)
        await self._changed()

    async def _renew(self, row: ChannelRow) -> None:
        is_sure = await confirm(
            f"A new secret for “{row.name}”?",
            "Calls are signed with it from now on. Until the receiver has it too, it takes none of them.",
            yes="Make a new secret",
        )
        if not is_sure:
            return
        made = await self._page.write(lambda unit: channels.renew_secret(unit, row.id))
        if made is not None:
            await show_secret(made)

    async def _delete(self, row: ChannelRow) -> None:
        is_sure = await confirm(
            f"Delete “{row.name}”?",
            "Nobody is told of alerts this way any more. What was said through it is forgotten too.",
            yes="Delete",
            is_danger=True,
        )
        if is_sure and await self._page.write(
            lambda unit: channels.delete_channel(unit, row.id), done=f"“{row.name}” is deleted"
        ):
            self._drawer.close()
            await self._table.refresh()


def _facts(row: ChannelRow) -> list[tuple[str, Value]]:
    lines: list[tuple[str, Value]] = [
        ("Leads to", words.where(row)),
        ("Hears of", words.LEAST[row.form.least]),
        ("Kinds", words.kinds(row)),
        ("Quiet hours", words.quiet(row)),
        ("Installation", "Its alerts go here too" if row.form.of_platform else None),
        ("Last told", row.told_at or "Never"),
        ("Last tried", row.tried_at if row.tried_at != row.told_at else None),
        ("Made", row.made_at),
    ]
    return [(name, value) for name, value in lines if value is not None]
