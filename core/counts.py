"""What this process counts, until it writes it down."""

import threading
from collections import Counter

Key = tuple[str, str]


class Counts:
    """``(what, in which way)`` → how often, since they were last taken away to be written down. What a crash
    takes with it is a few seconds."""

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()
        self._lock = threading.Lock()

    def add(self, counts: Counter[Key]) -> None:
        with self._lock:
            self._counts.update(counts)

    def take(self) -> Counter[Key]:
        """All of them; they are counted no more here."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
            return taken
