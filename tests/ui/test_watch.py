"""The watch over open pages, and what pages share, while sessions end."""

import asyncio
from collections.abc import Iterator

import pytest
from nicegui import Client
from nicegui.page import page as nicegui_page
from starlette.requests import Request

from core.errors import NotSignedIn
from core.monitoring.changes import Changes
from core.runtime import Runtime
from core.unit import Identity
from tests.console import Console
from ui.guard import Watch, drop_session
from ui.live import Pulse


def open_page(session_hash: str) -> Client:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/queue",
        "query_string": b"",
        "headers": [],
        "state": {"identity": Identity(session_hash=session_hash)},
    }
    return Client(nicegui_page(""), request=Request(scope))


@pytest.fixture
def pages(console: Console) -> Iterator[list[Client]]:
    """Two open pages of two sessions that are over."""
    opened = [open_page(f"gone-{number}") for number in range(2)]
    yield opened
    for client in opened:
        if client.id in Client.instances:
            client.delete()


def test_p6_a_page_sent_away_while_the_watch_looks_costs_the_others_nothing(
    console: Console, pages: list[Client]
) -> None:
    async def look() -> None:
        await asyncio.gather(Watch(console.runtime).look(), drop_session("gone-1"))

    asyncio.run(look())
    assert not {client.id for client in pages} & Client.instances.keys()


def test_what_pages_share_fails_for_whoever_is_signed_out_alone(runtime: Runtime) -> None:
    def gone() -> str:
        raise NotSignedIn("Sign in.")

    async def ask() -> list[object]:
        pulse = Pulse(Changes(runtime.database))
        asked = (pulse.shared("key", work) for work in (gone, lambda: "mine"))
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second = asyncio.run(ask())
    assert isinstance(first, NotSignedIn)
    assert second == "mine"
