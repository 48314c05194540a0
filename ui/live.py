"""Live pages: one look at the database a process, told only to pages that someone is looking at."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import structlog
from nicegui import Client, background_tasks

from core.errors import DomainError, NotSignedIn, Unavailable
from core.monitoring.changes import Changes
from ui.act import show
from ui.guard import identity_of

LOOK_EVERY_S = 0.5
# Ages and heartbeats change without a commit, and the browser must hear that updates have not stopped.
AT_LEAST_EVERY_S = 3.0
REDRAW_EVERY_S = 1.0

Refresh = Callable[[], Awaitable[None]]
log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class Watcher:
    """One open page: what it redraws, and whether it should."""

    client: Client
    refreshes: list[Refresh] = field(default_factory=list)
    is_visible: bool = True
    is_stale: bool = False
    is_busy: bool = False
    drawn_at: float = 0.0

    def is_due(self, now: float) -> bool:
        return (
            self.is_stale
            and self.is_visible
            and not self.is_busy
            and self.client.has_socket_connection
            and identity_of(self.client) is not None  # else it was sent away, and shows nothing any more
            and now - self.drawn_at >= REDRAW_EVERY_S
        )

    async def redraw(self) -> None:
        """Everything that the page registered has run, in order. One refusal is shown to nobody twice."""
        self.is_busy, self.is_stale = True, False
        try:
            with self.client:
                for refresh in self.refreshes:
                    await refresh()
        except Unavailable as error:
            log.warning("a page could not be refreshed", why=error.sentence)  # its "updates stopped" shows
        except DomainError as error:
            with self.client:
                show(error)
        finally:
            self.is_busy, self.drawn_at = False, time.monotonic()


class Pulse:
    """Looks for changes, and has stale pages redraw themselves at most once a second."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._watchers: set[Watcher] = set()
        self._mark = ""
        self._beat = 0
        self._shared: dict[Hashable, tuple[int, asyncio.Task[Any]]] = {}

    def watch(self, client: Client) -> Watcher:
        """A watcher for the page, until the page is gone."""
        watcher = Watcher(client)
        self._watchers.add(watcher)
        client.on_delete(lambda: self._watchers.discard(watcher))
        return watcher

    async def run(self) -> None:
        """For the life of the process."""
        marked_at = 0.0
        try:
            while True:
                now = time.monotonic()
                if await self._has_changed() or now - marked_at >= AT_LEAST_EVERY_S:
                    marked_at = now
                    self._beat += 1
                    for watcher in self._watchers:
                        watcher.is_stale = True
                for watcher in [each for each in self._watchers if each.is_due(now)]:
                    watcher.is_busy = True
                    background_tasks.create(watcher.redraw(), name="redraw a page")
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self._changes.close()

    async def shared(self, key: Hashable, work: Callable[[], Any]) -> Any:
        """What ``work`` returns, computed once for all pages until the next change. Should whoever asked
        first be signed out meanwhile, that is theirs alone."""
        beat, task = self._shared.get(key, (-1, None))
        if task is None or beat != self._beat:
            self._shared = {k: v for k, v in self._shared.items() if v[0] == self._beat}
            task = asyncio.ensure_future(asyncio.to_thread(work))
            self._shared[key] = (self._beat, task)
        try:
            return await asyncio.shield(task)
        except NotSignedIn:
            return await asyncio.to_thread(work)

    async def _has_changed(self) -> bool:
        try:
            mark = await asyncio.to_thread(self._changes.mark)
        except Unavailable:
            return False
        changed, self._mark = mark != self._mark, mark
        return changed
