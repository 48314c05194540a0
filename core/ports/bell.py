"""Rings wake a worker (Q1). They carry no facts: a lost ring costs one sweep, never a message."""

from typing import Protocol


class Bell(Protocol):
    def ring(self) -> None:
        """Some worker soon looks for due work. Never raises."""


class SilentBell:
    """For commands that run beside no worker, and for tests: the sweep finds the work."""

    def ring(self) -> None:
        return None
