"""Passwords: Argon2id, checked in a time that does not tell whether the address is known."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.errors import Impossible

MIN_LENGTH = 12
MAX_LENGTH = 1024

# 19 MiB, two passes, one lane: 38 ms on the machine it was chosen on, 159 ms with the library's default.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Checked against when the address is unknown, so that both answers take the same time.
_NOBODYS = _HASHER.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Takes some 40 ms of a core: never call it on an event loop."""
    if len(password) < MIN_LENGTH:
        raise Impossible(f"A password needs at least {MIN_LENGTH} characters.", code="password_too_short")
    if len(password) > MAX_LENGTH:
        raise Impossible(f"A password has at most {MAX_LENGTH} characters.", code="password_too_long")
    return _HASHER.hash(password)


def is_password(password: str, stored: str | None) -> bool:
    """As slow for an unknown person (``stored`` None) as for a known one."""
    try:
        _HASHER.verify(stored or _NOBODYS, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None
