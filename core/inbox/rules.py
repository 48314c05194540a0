"""Reading Meta's values without trusting their shape, and whether Meta signed them."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from core.inbox.updates import NotUnderstood
from core.storable import MAX_DEPTH, UNSTORABLE, storable

# Longer than any id of Meta's or ours; an index of PostgreSQL takes no more than 2,700 bytes.
ID_MAX = 512
WORD_MAX = 64
WA_ID_MAX = 20
NAME_MAX = 200
DIGITS_MAX = 4_000


def is_signed(body: bytes, header: str | None, secrets: Sequence[str]) -> bool:
    """Whether ``header`` (``sha256=<hex>``) signs these very bytes with one of the app secrets."""
    if not header or not header.startswith("sha256=") or not header.isascii():
        return False
    given = header.removeprefix("sha256=").lower()
    matches = [
        hmac.compare_digest(hmac.digest(secret.encode(), body, hashlib.sha256).hex(), given)
        for secret in secrets
    ]
    return any(matches)


def parsed(body: bytes) -> Any:
    """The JSON of a body, or ValueError or RecursionError. A whole number of more digits than Python reads
    is None, and costs nothing else that the body says.

    What the fast reader refuses (half characters, infinity, endless numbers) the patient one may take.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body, parse_int=_whole)


def written(value: Any) -> str:
    """``value`` as JSON that every database keeps. Whether it needs ``storable`` shows in how it is written,
    at a tenth of the cost of looking into it."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # half characters, numbers beyond every range
        return json.dumps(storable(value))
    may_be_deep = text.count("{") + text.count("[") > MAX_DEPTH
    return json.dumps(storable(value)) if "\\u0000" in text or may_be_deep else text


def _whole(digits: str) -> int | None:
    return int(digits) if len(digits) <= DIGITS_MAX else None


def id_in(holder: dict[str, Any], key: str) -> str | None:
    """An id as it came. One that no row could hold names nothing. Templates' ids are numbers."""
    value = holder.get(key)
    usable = isinstance(value, str) and 0 < len(value) <= ID_MAX and not UNSTORABLE.search(value)
    return value if usable else None


def word_in(holder: dict[str, Any], key: str) -> str:
    """A word of Meta's, known to us or not; NotUnderstood if there is none."""
    value = holder.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= WORD_MAX:
        raise NotUnderstood(f"{key} is missing or no word")
    return str(storable(value))


def moment_in(holder: dict[str, Any], key: str) -> datetime:
    """Meta's timestamps are seconds since 1970, as a string in messages and as a number elsewhere.
    *"1763888400" → 2025-11-23T09:00:00Z.*"""
    found = moment(holder.get(key))
    if found is None:
        raise NotUnderstood(f"{key} is missing or no number of seconds")
    return found


def moment(seconds: Any) -> datetime | None:
    if isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def wa_id_in(holder: dict[str, Any], key: str) -> str | None:
    """A WhatsApp id as digits. *"+4915112345678 " → "4915112345678".*"""
    value = holder.get(key)
    if not isinstance(value, str):
        return None
    digits = value.strip().removeprefix("+")
    return digits if digits.isascii() and digits.isdigit() and len(digits) <= WA_ID_MAX else None


def dict_in(holder: Any, key: str) -> dict[str, Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else {}
