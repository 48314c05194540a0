"""The newest requests that the sandbox got, and each in full."""

from datetime import datetime
from functools import partial

from core.contacts.rules import pretty_number
from core.errors import NotFound
from core.monitoring.sandbox import NEWEST, SandboxView
from core.ports.sandbox import SandboxRequest
from ui.format import number
from ui.page import PageContext
from ui.pages.sandbox_words import code_title, outcome_words
from ui.parts.badge import badge
from ui.parts.button import button
from ui.parts.card import card, card_title
from ui.parts.drawer import Drawer, section
from ui.parts.facts import facts
from ui.parts.json_view import json_view
from ui.parts.still import Still
from ui.parts.table import Column, Rows, Table, TableRow, badge_cell, code_cell, text_cell, when_cell
from ui.parts.text import box

COLUMNS = (
    Column("to", "Recipient", card="title", width="19%"),
    Column("message", "Message"),
    Column("outcome", "Outcome", card="foot", width="15%"),
    Column("answer", "Answer", card="line", width="28%"),
    Column("at", "Received", card="aside", width="112px", right=True),
)


class Requests:
    """``start`` once, with the first look; ``show`` with each that follows."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._view: SandboxView | None = None
        with card("tablecard", label="Received") as around:
            card_title("Received", aside=f"The newest {number(NEWEST)}")
            self._table = Table(
                page,
                COLUMNS,
                self._load,
                label="Requests that the sandbox got",
                one="request",
                on_open=self._open,
                nothing=(
                    "Nothing was received yet",
                    "Every send of Waypost appears here as Meta would get it.",
                ),
            )
        still = Still(self._table, around)
        self._drawer = Drawer(page, self._fill, label="Request", step=self._step, on_change=still.opened)

    async def start(self, view: SandboxView) -> None:
        self._view = view
        await self._table.show()
        if any(each.id == self._page.query.get("open") for each in view.requests):
            await self._drawer.restore()

    async def show(self, view: SandboxView) -> None:
        self._view = view
        await self._table.refresh()

    async def _load(self, _: str | None) -> Rows:
        found = self._view.requests if self._view else []
        return Rows([_row(self._page, each, self._names()) for each in found])

    def _names(self) -> dict[str, str]:
        phones = self._view.state.phones if self._view else ()
        return {each.phone_number_id: each.verified_name for each in phones}

    async def _open(self, request_id: str) -> None:
        await self._drawer.open(request_id)

    def _step(self, direction: int) -> str | None:
        return self._table.step(self._drawer.open_id, direction)

    async def _fill(self, request_id: str) -> None:
        found = self._view.requests if self._view else []
        request = next((each for each in found if each.id == request_id), None)
        if request is None:
            raise NotFound("The sandbox keeps only its newest requests, and this one is not among them.")
        word, doubt = outcome_words(request)
        with self._drawer.head(_to(request), "What reached Meta's place"):
            pass
        with self._drawer.body():
            with box("badges"):
                badge(word)
                if doubt:
                    badge((doubt.capitalize(), "grey"))
            with section("Request"):
                facts(self._page, self._facts(request), mono=["wamid"])
            with box("sect", tag="section"):
                json_view(request.body, title="Body")
        if request.message_id is not None:
            with self._drawer.foot():
                button("Open the message", partial(self._leave_for, request.message_id), icon="arrow-right")

    def _facts(self, request: SandboxRequest) -> list[tuple[str, str | datetime]]:
        sender = self._names().get(request.phone_number_id, request.phone_number_id)
        answer = None if request.code is None else f"{request.code}: {code_title(request.code)}"
        lines = (("Template", request.template), ("Answer", answer), ("wamid", request.wamid))
        return [("From", sender), ("Received", request.at), *((name, each) for name, each in lines if each)]

    def _leave_for(self, message_id: str) -> None:
        self._page.leave(f"/messages/{message_id}")


def _row(page: PageContext, request: SandboxRequest, names: dict[str, str]) -> TableRow:
    word, doubt = outcome_words(request)
    sender = names.get(request.phone_number_id, "")
    answer = (
        code_cell(str(request.code), code_title(request.code))
        if request.code is not None
        else text_cell(request.wamid or "–", mono=request.wamid is not None)
    )
    return TableRow(
        request.id,
        f"request to {_to(request)}",
        (
            text_cell(_to(request), f"from {sender}" if sender else ""),
            text_cell(request.template or request.kind.capitalize(), request.words),
            badge_cell(word, doubt),
            answer,
            when_cell(page, request.at),
        ),
    )


def _to(request: SandboxRequest) -> str:
    return pretty_number(request.to if request.to.startswith("+") else f"+{request.to}")
