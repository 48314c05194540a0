"""Rings wake a worker (Q1). They carry no facts: a lost ring costs one sweep, never a message."""

from enum import StrEnum
from typing import Protocol


class Due(StrEnum):
    """What a worker is woken to look for."""

    SENDS = "sends"
    WEBHOOKS = "webhooks"


class QueueUnreachable(Exception):
    """The queue's storage cannot be used. Rings are lost meanwhile; no message is."""


class Bell(Protocol):
    def ring(self, due: Due = Due.SENDS) -> None:
        """Some worker soon looks for due work of that kind. Never raises."""

    def waiting(self) -> int:
        """How many rings no worker has heard yet, asked of the queue's storage. QueueUnreachable."""


class SilentBell:
    """For commands that run beside no worker, and for tests: the sweep finds the work."""

    def ring(self, due: Due = Due.SENDS) -> None:
        return None

    def waiting(self) -> int:
        return 0
