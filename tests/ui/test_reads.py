"""What a page reads comes back in the order in which it asked."""

import asyncio
import threading
from collections.abc import Callable

from core.monitoring.changes import Changes
from core.monitoring.overview import surroundings
from core.runtime import Runtime
from core.unit import Unit
from tests.conftest import Place
from tests.ui.test_watch import open_page
from ui.live import Pulse
from ui.page import PageContext


def make_page(runtime: Runtime, place: Place) -> PageContext:
    client = open_page("reads")
    pulse = Pulse(Changes(runtime.database))
    with runtime.unit(place.owner) as unit:
        actor, around = unit.actor, surroundings(unit)

    async def prove(_: PageContext) -> bool:
        return False

    return PageContext(
        runtime=runtime,
        identity=place.owner,
        actor=actor,
        surroundings=around,
        places=[],
        title="Queue",
        path="/queue",
        query={},
        params={},
        client=client,
        pulse=pulse,
        watcher=pulse.watch(client),
        prover=prove,
    )


def test_a_slow_look_never_overwrites_what_a_later_one_shows(runtime: Runtime, place: Place) -> None:
    shown: list[str] = []
    has_begun, is_overtaken = threading.Event(), threading.Event()

    def slow(_: Unit) -> str:
        has_begun.set()
        is_overtaken.wait(0.5)  # until the later one is shown, which must not be
        return "the refresh that was under way"

    def quick(_: Unit) -> str:
        return "what the person asked for"

    async def ask() -> None:
        page = make_page(runtime, place)

        async def show(look: Callable[[Unit], str]) -> None:
            shown.append(await page.read(look))

        try:
            refresh = asyncio.create_task(show(slow))
            await asyncio.to_thread(has_begun.wait, 10)
            await show(quick)
            is_overtaken.set()
            await refresh
        finally:
            page.client.delete()

    asyncio.run(ask())
    assert shown == ["the refresh that was under way", "what the person asked for"]
