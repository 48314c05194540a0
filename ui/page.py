"""What a page is declared with, and what its builder is handed.

A page is one line in ``ui/pages/__init__.py`` and one coroutine, ``async def build(page: PageContext)``:

- ``await page.read(query)``: what ``query(unit)`` returns. A refusal is raised: while the page is being
  built it becomes the 403 or 404 page, in a handler a toast. One read of a page follows the other, so an
  earlier look never overwrites what a later one shows.
- ``await page.write(command, done="Saved")``: what ``command(unit)`` returned (True for one that returns
  nothing), or None when it was refused; the refusal is in a toast then.
- ``await page.act(work, done=…)``: the same for work that opens its own units, such as ``messaging.send``.
- ``page.can("dead_letters.discard")``: for showing a button; core checks again.
- ``page.times``, ``page.now()``: moments in the workspace's zone.
- ``page.query``: the address's parameters; ``page.go(state="open", q=None)`` changes some, and Back undoes
  it; ``page.amend(…)`` does it in place, for what is no step of its own.
- ``page.live(refresh)``: awaited after changes, at most once a second, while someone looks.
- ``page.command(label, run)``, ``page.hotkey(key, label, run)``: for the palette and the keyboard.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar, overload
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from nicegui import Client, ui

from core import access
from core.monitoring.overview import Surroundings
from core.runtime import Runtime
from core.team.sessions import Place
from core.unit import Actor, Identity, Unit
from ui import act as acting
from ui.act import handler
from ui.format import Times
from ui.live import Pulse, Refresh, Watcher

Found = TypeVar("Found")
Run = Callable[[], Any]

# Parameters that people type.
TYPED = {"q", "target", "contact"}


@dataclass(frozen=True, slots=True)
class Command:
    """Something that a person can do from the palette, or with a key."""

    label: str
    run: Callable[[], Awaitable[None]]
    icon: str = "zap"
    key: str = ""


@dataclass(slots=True)
class PageContext:
    """A page that is being built, and later its handlers' way to everything."""

    runtime: Runtime
    identity: Identity
    actor: Actor
    surroundings: Surroundings
    places: list[Place]
    title: str
    path: str
    query: dict[str, str]
    params: dict[str, str]
    client: Client
    pulse: Pulse
    watcher: Watcher
    prover: Callable[["PageContext"], Awaitable[bool]]
    commands: list[Command] = field(default_factory=list)
    is_live: bool = False
    _reads: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def workspace_name(self) -> str:
        return self.surroundings.workspace_name

    @property
    def times(self) -> Times:
        return Times(ZoneInfo(self.surroundings.timezone))

    def now(self) -> datetime:
        return self.runtime.clock.now()

    def can(self, permission: str) -> bool:
        return self.actor.can(permission)

    async def read(self, query: Callable[[Unit], Found]) -> Found:
        """What ``query`` returns, from one read unit in a thread, after the page's reads before it."""

        def work() -> Found:
            with self.runtime.unit(self.identity) as unit:
                return query(unit)

        async with self._reads:
            return await asyncio.to_thread(work)

    @overload
    async def write(
        self, command: Callable[[Unit], None], *, done: str | None = None
    ) -> Literal[True] | None: ...
    @overload
    async def write(self, command: Callable[[Unit], Found], *, done: str | None = None) -> Found | None: ...
    async def write(self, command: Callable[[Unit], Any], *, done: str | None = None) -> Any:
        """What ``command`` returns, from one write unit in a thread; None when it was refused."""

        def work() -> Any:
            with self.runtime.unit(self.identity, write=True) as unit:
                return command(unit)

        return await acting.act(work, done=done, prove=self.prove)

    @overload
    async def act(self, work: Callable[[], None], *, done: str | None = None) -> Literal[True] | None: ...
    @overload
    async def act(self, work: Callable[[], Awaitable[Found]], *, done: str | None = None) -> Found | None: ...
    @overload
    async def act(self, work: Callable[[], Found], *, done: str | None = None) -> Found | None: ...
    async def act(self, work: Callable[[], Any], *, done: str | None = None) -> Any:
        """As ``write``, for work that opens its own units: blocking, or a coroutine function."""
        return await acting.act(work, done=done, prove=self.prove)

    async def prove(self) -> bool:
        """Asks the person to prove again who they are; whether they did."""
        return await self.prover(self)

    def live(self, refresh: Refresh) -> None:
        """``refresh`` is awaited whenever something was committed; see ``ui/live.py``."""
        self.is_live = True
        self.watcher.refreshes.append(refresh)

    def go(self, **changes: str | None) -> None:
        """The address carries these parameters from now on; an empty one is left out. Nothing is loaded.
        Back leads to how it was. A search that is typed on is one step."""
        before = self.address()
        types_on = TYPED >= changes.keys() <= self.query.keys()
        self._change(changes)
        if types_on or self.address() == before:
            ui.navigate.history.replace(self.address())
        else:
            ui.navigate.history.push(self.address())

    def amend(self, **changes: str | None) -> None:
        """As ``go``, in place: for an address that was wrong, and for what a form holds."""
        self._change(changes)
        ui.navigate.history.replace(self.address())

    def leave(self, target: str) -> None:
        """To another page of ours."""
        ui.navigate.to(target)

    def address(self, **changes: str | None) -> str:
        """Where this page is, with those parameters changed."""
        wanted = {name: value for name, value in {**self.query, **changes}.items() if value}
        return f"{self.path}?{urlencode(wanted)}" if wanted else self.path

    def _change(self, changes: dict[str, str | None]) -> None:
        for name, value in changes.items():
            if value:
                self.query[name] = value
            else:
                self.query.pop(name, None)

    def command(self, label: str, run: Run, *, icon: str = "zap", key: str = "") -> None:
        """A line in the command palette; with ``key``, a shortcut too (one letter, not in fields)."""
        self.commands.append(Command(label, handler(run), icon, key))

    def hotkey(self, key: str, label: str, run: Run) -> None:
        self.command(label, run, icon="keyboard", key=key)


Build = Callable[[PageContext], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Page:
    """A line of the table of pages.

    ``icon`` is Lucide's name. ``group`` is its heading in the navigation: ``""`` the first, None for a page
    that is not in it. ``count`` names the number beside it: ``waiting`` or ``open_letters``. ``keywords`` are
    further words under which the palette finds it.
    """

    path: str
    title: str
    icon: str
    group: str | None
    permission: str
    build: Build
    count: str = ""
    demo_only: bool = False
    keywords: str = ""

    def __post_init__(self) -> None:
        if not access.is_known(self.permission):
            raise LookupError(f"{self.path} names no permission of ours: {self.permission!r}")
