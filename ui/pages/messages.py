"""The messages of the workspace: a list that stays true while one reads it, each message in a drawer."""

from collections.abc import Awaitable, Callable
from functools import partial

from core.errors import Forbidden
from core.messaging.lists import PERIODS, error_codes, list_again, since
from core.messaging.queries import MessageFilter, MessagePage, list_messages
from core.phones.queries import PhoneChoice, choices
from core.unit import Unit
from data.enums import Direction
from ui.page import PageContext
from ui.pages.message import Acts, StoryView, look_up
from ui.pages.message_row import COLUMNS, about_of, table_row, title_of
from ui.parts.badge import MESSAGE
from ui.parts.button import button
from ui.parts.card import card, heading
from ui.parts.drawer import Drawer
from ui.parts.filters import Chips, Segment, filter_bar, search_field, select_field
from ui.parts.table import Rows, Table

DIRECTIONS = {"": "All", "outbound": "Sent", "inbound": "Received"}
TIMES = {
    "": "All time",
    "1h": "Last hour",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
}
NOTHING_YET = (
    "No messages yet",
    "What is sent from here or through the API appears here, and what customers write.",
)
NO_MATCH = ("No message matches", "Take a filter away, or look further back in time.")


async def build(page: PageContext) -> None:
    await _Messages(page).build()


class _Messages:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._phones: list[PhoneChoice] = []
        self._errors: dict[str, str] = {}

    async def build(self) -> None:
        page = self._page
        self._phones, self._errors = await page.read(lambda unit: (choices(unit), error_codes(unit)))
        page.live(self._refresh)
        with heading(page, "Everything sent and received, newest first."):
            if page.can("messages.send"):
                button("Send a message", lambda: page.leave("/send"), icon="send", kind="pri")
                page.command("Send a message", lambda: page.leave("/send"), icon="send", key="n")
        with card("tablecard messages", label="Messages"):
            self._draw_filters()
            self._chips = Chips(self._clear)
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Messages",
                one="message",
                on_open=lambda message_id: self._drawer.open(message_id),
                nothing=NOTHING_YET,
                nothing_icon="message-square",
            )
        self._drawer = Drawer(
            page,
            self._fill,
            label="Message",
            step=lambda direction: self._table.step(self._drawer.open_id, direction),
            on_change=self._table.mark_open,
        )
        await self._show()
        await self._drawer.restore()

    # ---- what narrows the list ----

    def _draw_filters(self) -> None:
        asked = self._page.query.get
        with filter_bar():
            self._search = search_field(
                "Search messages",
                asked("q", ""),
                self._on("q"),
                placeholder="Number, template, id or wamid",
            )
            self._direction = Segment("Direction", DIRECTIONS, asked("direction", ""), self._on("direction"))
            self._picks = {
                name: select_field(label, options, asked(name, ""), self._on(name))
                for name, label, options in self._choices()
            }

    def _choices(self) -> list[tuple[str, str, dict[str, str]]]:
        """(name in the address, label, value → what is shown) of each choice."""
        found = [
            ("status", "Status", {"": "All statuses"} | {key: word[0] for key, word in MESSAGE.items()}),
            ("error", "Error", {"": "All errors"} | self._error_names()),
            ("phone", "Phone", {"": "All phones"} | self._phone_names()),
            ("time", "Time", TIMES),
        ]
        return [choice for choice in found if len(choice[2]) > 2 or choice[0] in self._page.query]

    def _error_names(self) -> dict[str, str]:
        asked = self._page.query.get("error")
        known = self._errors | ({asked: "not seen now"} if asked and asked not in self._errors else {})
        return {code: f"{code.removeprefix('meta_')} · {title}" for code, title in known.items()}

    def _phone_names(self) -> dict[str, str]:
        return {phone.phone_number_id: phone.verified_name for phone in self._phones}

    def _on(self, name: str) -> Callable[[str], Awaitable[None]]:
        async def narrow(value: str) -> None:
            if self._page.query.get(name, "") != value:
                self._page.go(**{name: value})
                await self._show()

        return narrow

    async def _drop(self, *names: str) -> None:
        """Those filters are gone; from the address first, so that their controls change nothing more."""
        self._page.go(**dict.fromkeys(names))
        for name in names:
            if name in self._picks:
                self._picks[name].value = ""
        if "q" in names:
            self._search.value = ""
        if "direction" in names:
            self._direction.show("")
        await self._show()

    async def _clear(self) -> None:
        await self._drop("q", "direction", *self._picks)

    def _show_chips(self) -> None:
        query = self._page.query
        words = {name: options for name, _, options in self._choices()} | {"direction": DIRECTIONS}
        chips: dict[str, Callable[[], Awaitable[None]]] = {}
        if query.get("q"):
            chips[f"“{query['q']}”"] = partial(self._drop, "q")
        for name, options in words.items():
            if query.get(name) in options:
                chips[options[query[name]]] = partial(self._drop, name)
        self._chips.show(chips)

    # ---- the list ----

    async def _show(self) -> None:
        self._show_chips()
        is_narrowed = any(self._page.query.get(name) for name in ("q", "direction", *self._picks))
        self._table.explain_nothing(*(NO_MATCH if is_narrowed else NOTHING_YET))
        await self._table.show()

    async def _load(self, cursor: str | None) -> Rows:
        return await self._look(lambda unit: list_messages(unit, self._wanted(unit), cursor=cursor))

    async def _load_again(self, cursor: str | None) -> Rows:
        """The page that begins with the newest message that is shown, and what came before it since."""
        first = self._table.first_id
        if cursor is not None or first is None:
            return await self._load(cursor)
        return await self._look(lambda unit: list_again(unit, self._wanted(unit), first=first))

    async def _look(self, query: Callable[[Unit], MessagePage]) -> Rows:
        try:
            found = await self._page.read(query)
        except Forbidden as refusal:  # a number is searched for by someone who may not see numbers
            self._table.explain_nothing("Not for your role", refusal.sentence)
            found = MessagePage([], None)
        return Rows([table_row(self._page, row) for row in found.items], found.next_cursor)

    def _wanted(self, unit: Unit) -> MessageFilter:
        asked = self._page.query.get
        status, direction, time = asked("status"), asked("direction"), asked("time")
        return MessageFilter(
            status=status if status in MESSAGE else None,
            direction=Direction(direction) if direction in set(Direction) else None,
            phone_number_id=asked("phone") or None,
            error_code=asked("error") or None,
            since=since(unit, time if time in PERIODS else None),
            q=asked("q") or None,
        )

    async def _refresh(self) -> None:
        await self._table.refresh(self._load_again)
        await self._refresh_drawer()

    # ---- the drawer ----

    async def _fill(self, message_id: str) -> None:
        page = self._page
        story = await page.read(lambda unit: look_up(unit, message_id))
        with self._drawer.head(title_of(story.detail.row), about_of(story.detail.row)):
            pass
        with self._drawer.body():
            self._view = StoryView(page)
        with self._drawer.foot():
            self._acts = Acts(page, after=self._refresh)
            button("Open as a page", lambda: page.leave(f"/messages/{message_id}"), icon="external-link")
        self._view.show(story)
        self._acts.show(story)

    async def _refresh_drawer(self) -> None:
        """Only what changed is drawn anew: the drawer keeps its place and its focus."""
        message_id = self._drawer.open_id
        if not message_id:
            return
        story = await self._page.read(lambda unit: look_up(unit, message_id))
        if self._drawer.open_id == message_id:
            self._view.show(story)
            self._acts.show(story)
