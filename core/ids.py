"""Ids: a prefix that says what it names, then 26 characters that sort by time."""

import secrets
from datetime import datetime

from data.columns import to_micros

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 74
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_LENGTH = 26


def new_id(prefix: str, now: datetime) -> str:
    """A new id such as ``msg_01k9…``: 56 bits of microseconds, then 74 random bits, in base 32.

    Ids of one prefix sort by the moment that made them, so a list newest first needs no other column.
    """
    return _written(prefix, to_micros(now), secrets.randbits(_RANDOM_BITS))


def first_id(prefix: str, moment: datetime) -> str:
    """The ids of that prefix made at ``moment`` or later are this one and those that sort after it."""
    return _written(prefix, to_micros(moment), 0)


def _written(prefix: str, micros: int, rest: int) -> str:
    number = (micros << _RANDOM_BITS) | rest
    pairs = [_PAIRS[number >> shift & 1023] for shift in range(5 * _LENGTH - 10, -1, -10)]
    return f"{prefix}_{''.join(pairs)}"
