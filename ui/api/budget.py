"""How many writes a key may make. Sends have a limiter of their own, the phone's."""

import math
import time

WRITES_A_MINUTE = 600
# Keys that wrote lately; one that has its whole budget again is not kept.
MOST = 10_000


class Budget:
    """A minute's writes at once at most, and as many again over each minute. Each web process counts for
    itself, so that counting costs no write."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key_hash: str) -> int:
        """One write less is left to that key; 0. Else nothing is taken: the seconds until one is left."""
        now = time.monotonic()
        left = self._left_to(key_hash, now)
        if left < 1:
            return math.ceil((1 - left) * 60 / WRITES_A_MINUTE)
        if len(self._left) >= MOST:
            self._forget_the_rested(now)
        self._left[key_hash] = (left - 1, now)
        return 0

    def forget(self, key_hash: str) -> None:
        """The key is none of ours."""
        self._left.pop(key_hash, None)

    def _left_to(self, key_hash: str, now: float) -> float:
        left, at = self._left.get(key_hash, (WRITES_A_MINUTE, now))
        return min(WRITES_A_MINUTE, left + (now - at) * WRITES_A_MINUTE / 60)

    def _forget_the_rested(self, now: float) -> None:
        rested = [key for key in self._left if self._left_to(key, now) >= WRITES_A_MINUTE]
        for key in rested:
            del self._left[key]
