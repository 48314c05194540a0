"""Meta's descriptions of numbers, accounts and businesses, read without trusting their shape.

Words that we do not know are kept as they are; what is no word where one belongs counts as not said.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from core.storable import UNSTORABLE

WORD_MAX = 200
TEXT_MAX = 2_000
KEPT_DEPTH = 8
KEPT_LENGTH = 100

# Meta writes the same limit as a word or as a number; -1 is none.
_TIERS: Mapping[str, str] = MappingProxyType(
    {
        "50": "TIER_50",
        "250": "TIER_250",
        "1000": "TIER_1K",
        "2000": "TIER_2K",
        "10000": "TIER_10K",
        "100000": "TIER_100K",
        "-1": "TIER_UNLIMITED",
    }
)


@dataclass(frozen=True, slots=True)
class PhoneNode:
    """One number as Meta describes it. None: Meta did not say."""

    id: str
    display_number: str | None
    name: str | None
    quality: str | None
    throughput: str | None
    tier: str | None
    name_status: str | None
    new_name_status: str | None
    status: str | None
    is_on_phone_app: bool | None
    kept: dict[str, Any]


@dataclass(frozen=True, slots=True)
class WabaNode:
    """One account as Meta describes it. ``verification`` is that of its business."""

    name: str | None
    status: str | None
    review: str | None
    verification: str | None
    business_id: str | None
    business_name: str | None
    kept: dict[str, Any]


def read_phone(node: Mapping[str, Any]) -> PhoneNode | None:
    """None for one without an id: there is nothing to keep it under."""
    phone_id = word(node.get("id"))
    if not phone_id:
        return None
    return PhoneNode(
        id=phone_id,
        display_number=word(node.get("display_phone_number")),
        name=word(node.get("verified_name")),
        quality=quality_of(node.get("quality_rating")) or quality_of(node.get("quality_score")),
        throughput=shouted(inner(node.get("throughput"), "level")),
        tier=tier_of(node.get("whatsapp_business_manager_messaging_limit")),
        name_status=shouted(node.get("name_status")),
        new_name_status=shouted(node.get("new_name_status")),
        status=shouted(node.get("status")),
        is_on_phone_app=truth(node.get("is_on_biz_app")),
        kept=kept_node(node),
    )


def read_waba(node: Mapping[str, Any]) -> WabaNode:
    owner = node.get("owner_business_info")
    return WabaNode(
        name=word(node.get("name")),
        status=shouted(node.get("status")),
        review=shouted(node.get("account_review_status")),
        verification=verification_of(node.get("business_verification_status")),
        business_id=word(inner(owner, "id")),
        business_name=word(inner(owner, "name")),
        kept=kept_node(node),
    )


def word(value: Any) -> str | None:
    """A scalar as text that any database keeps, at most 200 characters; None for what is no scalar.

    *"GREEN" → GREEN; 2000 → 2000; {"a": 1} → None; "" → None.*
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return clean(str(value).strip()[:WORD_MAX]) or None


def shouted(value: Any) -> str | None:
    """One of Meta's words in capitals, however it came."""
    found = word(value)
    return found.upper() if found else None


def quality_of(value: Any) -> str | None:
    """*"GREEN" → GREEN; {"score": "red"} → RED; "NA" → UNKNOWN.*"""
    found = shouted(inner(value, "score"))
    return "UNKNOWN" if found == "NA" else found


def tier_of(value: Any) -> str | None:
    """The messaging limit as one of Meta's words, however it came.

    *"TIER_2K" → TIER_2K; 2000 → TIER_2K; -1 → TIER_UNLIMITED; 777 → 777.*
    """
    found = shouted(value)
    return _TIERS.get(found, found) if found else None


def tier_size(tier: str | None) -> float | None:
    """How many people a day the limit allows; None for a word that says no number.

    *TIER_2K → 2000; TIER_UNLIMITED → infinity; TIER_NOT_SET → None.*
    """
    sizes = {known: math.inf if size == "-1" else float(size) for size, known in _TIERS.items()}
    return sizes.get(tier or "")


def verification_of(value: Any) -> str | None:
    """Documentation and answers disagree about capitals and about one word.

    *"VERIFIED" → verified; "UNVERIFIED" → not_verified; "pending" → pending.*
    """
    found = word(value)
    if found is None:
        return None
    return "not_verified" if found.lower() == "unverified" else found.lower()


def truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def moment_of(value: Any) -> datetime | None:
    """Seconds since 1970, as number or text; None for anything else."""
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def inner(value: Any, name: str) -> Any:
    """The member of an object; what is no object stands for itself."""
    return value.get(name) if isinstance(value, dict) else value


def digits(number: Any) -> str:
    """*"+49 30 5557 0142" → 493055570142.*"""
    return re.sub(r"\D", "", str(number or ""))


def kept_node(node: Mapping[str, Any]) -> dict[str, Any]:
    """The whole description as any database keeps it."""
    found = kept(dict(node))
    return found if isinstance(found, dict) else {}


def kept(value: Any, *, depth: int = 0) -> Any:
    """``value`` as any database keeps it: no NUL, no half characters, no endless number, text, list or
    nesting."""
    if isinstance(value, str):
        return clean(value[:TEXT_MAX])
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict | list) and depth >= KEPT_DEPTH:
        return None
    if isinstance(value, dict):
        members = list(value.items())[:KEPT_LENGTH]
        return {clean(str(name)[:WORD_MAX]): kept(each, depth=depth + 1) for name, each in members}
    if isinstance(value, list):
        return [kept(each, depth=depth + 1) for each in value[:KEPT_LENGTH]]
    return value


def clean(text: str) -> str:
    return UNSTORABLE.sub("\ufffd", text)
