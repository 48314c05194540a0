"""What a webhook says, read without trusting its shape. Unknown fields are ignored, wrong ones skipped."""

import hashlib
import hmac
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from core.messaging.statuses import StatusReport

# Longer than any id of Meta's or ours; an index of PostgreSQL takes no more than 2,700 bytes.
ID_MAX = 512
WORD_MAX = 64
WA_ID_MAX = 20
CODE_MAX = 10**9
MAX_DEPTH = 32
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One item of ``messages[]``. ``wa_id`` is digits without a plus."""

    wamid: str
    wa_id: str
    at: datetime
    kind: str
    text: str | None
    name: str | None
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PhoneUpdates:
    """What one webhook says about one of our phones."""

    phone_number_id: str
    statuses: list[StatusReport] = field(default_factory=list)
    messages: list[InboundMessage] = field(default_factory=list)


def is_signed(body: bytes, header: str | None, secrets: Sequence[str]) -> bool:
    """Whether ``header`` (``sha256=<hex>``) signs these very bytes with one of the app secrets."""
    if not header or not header.startswith("sha256=") or not header.isascii():
        return False
    given = header.removeprefix("sha256=").lower()
    matches = [
        hmac.compare_digest(hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(), given)
        for secret in secrets
    ]
    return any(matches)


def read_updates(envelope: Any) -> Iterator[PhoneUpdates]:
    """Every entry × change × update of field ``messages``."""
    for entry in _dicts(envelope, "entry"):
        for change in _dicts(entry, "changes"):
            value = change.get("value")
            if change.get("field") != "messages" or not isinstance(value, dict):
                continue
            metadata = value.get("metadata")
            phone = _id(metadata.get("phone_number_id")) if isinstance(metadata, dict) else None
            if phone is None:
                continue
            names = _names(value)
            statuses = [_status(storable(item)) for item in _dicts(value, "statuses")]
            messages = [_message(storable(item), names) for item in _dicts(value, "messages")]
            yield PhoneUpdates(
                phone_number_id=phone,
                statuses=[status for status in statuses if status is not None],
                messages=[message for message in messages if message is not None],
            )


def storable(value: Any, *, depth: int = 0) -> Any:
    """``value`` as every database keeps it, and as it can be read again.

    NUL and half characters (lone surrogates) become U+FFFD, numbers beyond every range and what is nested
    deeper than ``MAX_DEPTH`` become None. *"a\\u0000b" → "a�b"; 1e999 → None.*
    """
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {storable(key): storable(inner, depth=depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner, depth=depth + 1) for inner in value]
    return value


def _status(item: dict[str, Any]) -> StatusReport | None:
    wamid, status, at = _id(item.get("id")), item.get("status"), _moment(item.get("timestamp"))
    if wamid is None or not isinstance(status, str) or len(status) > WORD_MAX or at is None:
        return None
    error = next(iter(_dicts(item, "errors")), {})
    code, details = error.get("code"), error.get("error_data")
    detail = details.get("details") if isinstance(details, dict) else None
    return StatusReport(
        wamid=wamid,
        status=status,
        at=at,
        message_id=_id(item.get("biz_opaque_callback_data")),
        error_code=code if type(code) is int and 0 <= code < CODE_MAX else None,
        error_detail=str(detail or error.get("title") or "")[:500],
    )


def _message(item: dict[str, Any], names: dict[str, str]) -> InboundMessage | None:
    wamid, sender, at = _id(item.get("id")), item.get("from"), _moment(item.get("timestamp"))
    if wamid is None or not isinstance(sender, str) or at is None:
        return None
    wa_id = sender.strip().removeprefix("+")
    if not (wa_id.isascii() and wa_id.isdigit() and len(wa_id) <= WA_ID_MAX):
        return None
    text = item.get("text")
    body = text.get("body") if isinstance(text, dict) else None
    return InboundMessage(
        wamid=wamid,
        wa_id=wa_id,
        at=at,
        kind=str(item.get("type", "")),
        text=body if isinstance(body, str) else None,
        name=names.get(wa_id),
        raw=item,
    )


def _names(value: dict[str, Any]) -> dict[str, str]:
    names = {}
    for contact in _dicts(value, "contacts"):
        profile, wa_id = contact.get("profile"), contact.get("wa_id")
        name = profile.get("name") if isinstance(profile, dict) else None
        if isinstance(wa_id, str) and isinstance(name, str):
            names[wa_id.strip().removeprefix("+")] = storable(name[:200])
    return names


def _id(value: Any) -> str | None:
    """An id as it came. One that no row could hold names nothing."""
    usable = isinstance(value, str) and 0 < len(value) <= ID_MAX and not _UNSTORABLE.search(value)
    return value if usable else None


def _moment(seconds: Any) -> datetime | None:
    """Meta's timestamps are seconds since 1970, as a string."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _dicts(holder: Any, key: str) -> list[dict[str, Any]]:
    items = holder.get(key) if isinstance(holder, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
