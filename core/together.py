"""Group commit: writes that are asked for at the same time share one transaction. A commit waits for the
disk, SQLite has one writer, and most statements cost the same for many rows as for one: so twenty sends in
one transaction cost little more than one."""

import asyncio
from collections.abc import Callable
from typing import Any

from core.errors import Contended, Unavailable

Write = Callable[[list[Any]], list[Any]]

# SQLite's lock is held for about half a millisecond a send, and others wait for it meanwhile.
MOST = 50


class Together:
    """While a batch is written the next one gathers, so batches grow with the load and nobody waits for a
    timer."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Any, asyncio.Future[Any]]] = []
        self._server: asyncio.Task[None] | None = None

    async def write(self, write: Write, asked: Any) -> Any:
        """What ``write`` answered to ``asked``, once its transaction is on disk; a DomainError among the
        answers is raised for the one who asked, and for nobody else.

        ``write`` runs in a thread, with everything that was asked while the last batch was written, and
        answers in that order. Should it fail for one of them, by a crash or by another transaction that
        stands in its way, it runs again for each alone: nobody pays for another's request.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve(write))
        return await answer

    async def _serve(self, write: Write) -> None:
        while self._waiting:
            await self._gather()
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            outcomes = await _outcomes(write, [asked for asked, _ in batch])
            for (_, answer), outcome in zip(batch, outcomes, strict=True):
                if answer.done():  # whoever asked has gone
                    continue
                if isinstance(outcome, Exception):
                    answer.set_exception(outcome)
                else:
                    answer.set_result(outcome)

    async def _gather(self) -> None:
        """Whatever has arrived by now is let in: one that was first would else be written alone, and all
        others wait for its commit."""
        known = 0
        while known < len(self._waiting) < MOST:
            known = len(self._waiting)
            await asyncio.sleep(0)


async def _outcomes(write: Write, asked: list[Any]) -> list[Any]:
    try:
        return await asyncio.to_thread(write, asked)
    except Exception as failure:  # noqa: BLE001 - whoever asked gets it
        is_the_databases = isinstance(failure, Unavailable) and not isinstance(failure, Contended)
        if len(asked) == 1 or is_the_databases:
            return [failure for _ in asked]
        return [outcome for one in asked for outcome in await _outcomes(write, [one])]
