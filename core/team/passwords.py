"""Passwords: Argon2id, checked in a time that does not tell whether the address is known."""

import re
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.errors import Impossible
from core.team.common_passwords import COMMON

MIN_LENGTH = 12
MAX_LENGTH = 1024

# 19 MiB, two passes, one lane: 38 ms on the machine it was chosen on, 159 ms with the library's default.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Checked against when the address is unknown, so that both answers take the same time.
_NOBODYS = _HASHER.hash("nobody has this password")
_ENDS = re.compile(r"^[^a-z]+|[^a-z]+$")
_WORDLIKE = re.compile(r"[^a-z]+")
_LEET = str.maketrans("013457@$!", "oleastasi")


def hash_password(password: str, *, about: Iterable[str] = ()) -> str:
    """Impossible when it is too short, too common, or made of ``about``: the person's own address or name.

    Takes some 40 ms of a core: never call it on an event loop.
    """
    if len(password) < MIN_LENGTH:
        raise Impossible(f"A password needs at least {MIN_LENGTH} characters.", code="password_too_short")
    if len(password) > MAX_LENGTH:
        raise Impossible(f"A password has at most {MAX_LENGTH} characters.", code="password_too_long")
    if is_common(password, about=about):
        raise Impossible(
            "That password is among the first that are tried. Use four or more unrelated words.",
            code="password_too_common",
        )
    return _HASHER.hash(password)


def is_password(password: str, stored: str | None) -> bool:
    """As slow for an unknown person (``stored`` None), and for one who has none yet (empty), as for a known
    one."""
    try:
        _HASHER.verify(stored or _NOBODYS, password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(stored)


def is_common(password: str, *, about: Iterable[str] = ()) -> bool:
    """Whether it is on the list of common ones, once digits and signs that stand for letters or hang on its
    ends are taken as such; or is few characters over and over; or little more than the person's own name.

    *"P@ssw0rd2024!" → common (password); "aaaaaaaaaaaa" → common; "mara.lind.2024" → common for
    mara.lind@x.example; "correct horse battery" → not.*
    """
    lowered = password.lower()
    if len(set(lowered)) < 5:
        return True
    # An address counts without its domain, and as its parts.
    own = {part for text in about for part in re.split(r"[\s@._-]+", text.lower().partition("@")[0])}
    own |= {_letters(text.partition("@")[0]) for text in about}
    bare = _ENDS.sub("", lowered)
    words = {lowered, bare, _letters(lowered), _letters(bare.translate(_LEET))}
    if words & COMMON or _repeats(lowered):
        return True
    rest = lowered
    for part in sorted((part for part in own if len(part) > 2), key=len, reverse=True):
        rest = rest.replace(part, "")
    return len(_letters(rest)) < 4 and rest != lowered


def _letters(text: str) -> str:
    return _WORDLIKE.sub("", text.lower())


def _repeats(text: str) -> bool:
    """Whether it is one short piece said again: *"abcabcabcabc"*."""
    return any(text == (text[:size] * (len(text) // size + 1))[: len(text)] for size in range(1, 7))
