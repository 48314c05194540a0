"""Ids: a prefix that says what it names, then 26 characters that sort by time."""

import secrets
from datetime import datetime

from data.columns import to_micros

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 74
_LENGTH = 26


def new_id(prefix: str, now: datetime) -> str:
    """A new id such as ``msg_01k9…``: 56 bits of microseconds, then 74 random bits, in base 32.

    Ids of one prefix sort by the moment that made them, so a list newest first needs no other column.
    """
    number = (to_micros(now) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    digits = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return f"{prefix}_{''.join(reversed(digits))}"
