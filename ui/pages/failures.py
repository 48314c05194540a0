"""What ran out of attempts, whatever it was, as one list: messages, webhooks, token refreshes, mails."""

from core.contacts.rules import pretty_number
from core.dead_letters.exhausted import PERMISSIONS, Exhausted, Kind, exhausted
from ui.page import PageContext
from ui.parts.card import card, heading
from ui.parts.filters import Segment, filter_bar
from ui.parts.table import Column, Rows, Table, TableRow, badge_cell, number_cell, text_cell, when_cell

# kind → what one is called, what they are called, and where each is dealt with.
KINDS: dict[Kind, tuple[str, str, str]] = {
    Kind.MESSAGE: ("Message", "Messages", "/dead-letters?id={id}"),
    Kind.WEBHOOK: ("Webhook", "Webhooks", "/webhooks?open={id}"),
    Kind.TOKEN: ("Token", "Tokens", "/tokens"),
    Kind.MAIL: ("Mail", "Mails", "/alerts"),
}
COLUMNS = (
    Column("subject", "About", card="title", width="28%"),
    Column("kind", "Kind", card="foot", width="110px"),
    Column("error", "Why"),
    Column("attempts", "Attempts", card="hidden", width="96px", right=True),
    Column("at", "When", card="aside", width="124px", right=True),
)
NOTHING = (
    "Nothing ran out of attempts",
    "A message, webhook, token refresh or mail that was given up appears here.",
)


async def build(page: PageContext) -> None:
    await _Failures(page).build()


class _Failures:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._kinds = [kind for kind in Kind if page.can(PERMISSIONS[kind])]
        self._targets: dict[str, str] = {}

    async def build(self) -> None:
        page = self._page
        with heading(
            page, "What was tried as often as it may be and given up. Each opens where it is dealt with."
        ):
            pass
        with card("tablecard", label="Failures"):
            with filter_bar():
                names = {"": "All"} | {kind.value: KINDS[kind][1] for kind in self._kinds}
                Segment("Kind", names, self._kind() or "", self._narrow)
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Failures",
                one="failure",
                on_open=lambda failure_id: page.leave(self._targets[failure_id]),
                nothing=NOTHING,
                nothing_icon="circle-check",
            )
        await self._table.show()
        page.live(self._table.refresh)

    async def _narrow(self, kind: str) -> None:
        self._page.go(kind=kind)
        await self._table.show()

    def _kind(self) -> Kind | None:
        wanted = self._page.query.get("kind", "")
        return next((kind for kind in self._kinds if kind == wanted), None)

    async def _load(self, cursor: str | None) -> Rows:
        kind = self._kind()
        kinds = self._kinds if kind is None else [kind]
        found = await self._page.read(lambda unit: exhausted(unit, kinds=kinds, cursor=cursor))
        self._targets |= {one.id: KINDS[one.kind][2].format(id=one.id) for one in found.items}
        return Rows([self._row(one) for one in found.items], found.next_cursor)

    def _row(self, one: Exhausted) -> TableRow:
        subject = pretty_number(one.subject) if one.kind is Kind.MESSAGE else one.subject
        return TableRow(
            one.id,
            f"{KINDS[one.kind][0].lower()}: {subject}",
            (
                text_cell(subject),
                badge_cell((KINDS[one.kind][0], "grey")),
                text_cell(one.error, title=one.error),
                number_cell(one.attempts),
                when_cell(self._page, one.at),
            ),
        )
