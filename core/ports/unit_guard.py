"""Keeps the network out of transactions: a call that waits for Meta must not hold the write lock."""

from contextvars import ContextVar

unit_is_open: ContextVar[bool] = ContextVar("unit_is_open", default=False)


def refuse_inside_unit() -> None:
    """RuntimeError when a unit is open here: a mistake of ours, found by the first test that runs it."""
    if unit_is_open.get():
        raise RuntimeError("a port was called inside a unit; close the unit first")
