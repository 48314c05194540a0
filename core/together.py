"""Group commit: writes that are asked for at the same time share one transaction. A commit waits for the disk
and SQLite has one writer, so twenty sends in one transaction cost little more than one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from core.errors import DomainError

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")
Write = Callable[[list[Asked]], list[Answered | DomainError]]

# The write lock is held for about a millisecond a send, and others wait for it meanwhile.
MOST = 50


@dataclass(slots=True)
class _Line:
    """Those who wait for one kind of write, and the task that serves them."""

    waiting: list[tuple[Any, asyncio.Future[Any]]] = field(default_factory=list)
    server: asyncio.Task[None] | None = None


class Together:
    """One a runtime. While a batch is written the next one gathers, so batches grow with the load and nobody
    waits for a timer."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    async def write(self, kind: str, write: Write[Asked, Answered], asked: Asked) -> Answered:
        """What ``write`` answered to ``asked``, once its transaction is on disk; a DomainError among the
        answers is raised for the one who asked, and for nobody else.

        ``write`` runs in a thread, once for everything of its ``kind`` that came while the last batch was
        written. Should it crash, it runs again for each alone, so that nobody pays for another's request.
        """
        line = self._lines.setdefault(kind, _Line())
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        line.waiting.append((asked, answer))
        if line.server is None or line.server.done():
            line.server = asyncio.create_task(_serve(line, write))
        return await answer


async def _serve(line: _Line, write: Write[Any, Any]) -> None:
    while line.waiting:
        batch, line.waiting = line.waiting[:MOST], line.waiting[MOST:]
        outcomes = await _outcomes(write, [asked for asked, _ in batch])
        for (_, answer), outcome in zip(batch, outcomes, strict=True):
            if answer.done():  # whoever asked has gone
                continue
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)


async def _outcomes(write: Write[Any, Any], asked: list[Any]) -> list[Any]:
    try:
        return await asyncio.to_thread(write, asked)
    except DomainError as refusal:  # of the database, so of all: nothing was written
        return [refusal for _ in asked]
    except Exception as crash:  # noqa: BLE001 - whoever asked gets it, and only they
        if len(asked) == 1:
            return [crash]
        return [outcome for one in asked for outcome in await _outcomes(write, [one])]
