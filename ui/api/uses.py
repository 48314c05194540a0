"""When keys were last used: gathered in memory, written once a minute for all of them, away from requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from core.errors import Unavailable
from core.runtime import Runtime
from core.team.keys import note_uses

WRITTEN_EVERY_S = 60.0
# More keys than this in a minute are made up: their requests were refused before the key was looked at.
MOST = 10_000

log = structlog.get_logger()


class Uses:
    """A request costs one entry in a set. What a crash takes with it is the last minute."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._used: set[str] = set()

    def note(self, key_hash: str | None) -> None:
        """That key, which was good, was used now."""
        if key_hash is not None and len(self._used) < MOST:
            self._used.add(key_hash)

    @asynccontextmanager
    async def noted(self) -> AsyncIterator[None]:
        """For the life of the process; the rest is written at its end."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.write()

    async def write(self) -> None:
        used, self._used = self._used, set()
        try:
            await asyncio.to_thread(note_uses, self._runtime, used)
        except Unavailable as error:
            log.warning("the use of keys could not be written down", why=error.sentence)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(WRITTEN_EVERY_S)
            await self.write()
