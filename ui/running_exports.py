"""Large files on their way to a browser, so that the page they were asked for on can say how far they are."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Row = TypeVar("Row")

# A reader who stops reading tells nobody; after so long the file counts as given up.
GIVEN_UP_AFTER_S = 60.0


@dataclass(slots=True)
class RunningExport:
    total: int
    done: int = 0
    moved_at: float = field(default_factory=time.monotonic)


class RunningExports:
    """Of this process, by who asked for them."""

    def __init__(self) -> None:
        self._by_actor: dict[str, list[RunningExport]] = {}
        self._lock = threading.Lock()

    def noted(self, actor_id: str, total: int, pages: Iterator[Sequence[Row]]) -> Iterator[Sequence[Row]]:
        """The same pages; while they are read the export is under way."""
        export = RunningExport(total)
        with self._lock:
            self._by_actor.setdefault(actor_id, []).append(export)
        try:
            for page in pages:
                yield page
                export.done += len(page)
                export.moved_at = time.monotonic()
        finally:
            self._forget(actor_id, export)

    def of(self, actor_id: str) -> list[RunningExport]:
        """The oldest first."""
        now = time.monotonic()
        with self._lock:
            found = list(self._by_actor.get(actor_id, ()))
        return [each for each in found if now - each.moved_at < GIVEN_UP_AFTER_S]

    def _forget(self, actor_id: str, export: RunningExport) -> None:
        with self._lock:
            left = [each for each in self._by_actor.get(actor_id, ()) if each is not export]
            if left:
                self._by_actor[actor_id] = left
            else:
                self._by_actor.pop(actor_id, None)


EXPORTS = RunningExports()
