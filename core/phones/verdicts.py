"""Which changes matter: what becomes an alert, and what ends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.phones.reading import tier_size
from core.phones.verification import explain
from data.enums import NodeAspect, Severity

STOPPED_STATUSES = frozenset(
    {"RESTRICTED", "BANNED", "DELETED", "DISCONNECTED", "OFFLINE", "MIGRATED", "UNVERIFIED"}
)
SLOWED_STATUSES = frozenset({"FLAGGED", "RATE_LIMITED"})
DECLINED_NAMES = frozenset({"DECLINED", "REJECTED", "EXPIRED"})
ACCEPTED_NAMES = frozenset({"APPROVED", "AVAILABLE_WITHOUT_REVIEW"})
REFUSED_REVIEWS = frozenset({"REJECTED", "RESTRICTED", "LIMIT_REACHED"})
# What an alert of one kind is about; see core/alerts/kinds.py.
_KINDS: Mapping[NodeAspect, str] = MappingProxyType(
    {
        NodeAspect.QUALITY: "phone_quality",
        NodeAspect.TIER: "phone_tier",
        NodeAspect.NAME_STATUS: "phone_name",
        NodeAspect.NEW_NAME_STATUS: "phone_name",
        NodeAspect.STATUS: "phone_restricted",
        NodeAspect.REVIEW: "account_review",
        NodeAspect.RESTRICTION: "account_restricted",
        NodeAspect.VERIFICATION: "business_verification",
    }
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``severity`` None: the alert of that kind ends. ``happened`` goes on from the name of what it is
    about."""

    kind: str
    severity: Severity | None
    happened: str = ""


def judge(aspect: NodeAspect, before: str | None, after: str | None) -> Verdict | None:
    """What a change is worth; None when it neither begins nor ends anything.

    *Quality GREEN → RED: a warning; RED → YELLOW: nothing; YELLOW → GREEN: it ends. Tier TIER_10K → TIER_2K:
    worth knowing; TIER_2K → TIER_10K: it ends. A word that nobody knows: nothing.*
    """
    kind = _KINDS.get(aspect)
    if kind is None:
        return None
    severity, happened, is_over = _weigh(aspect, before, after)
    if severity is not None:
        return Verdict(kind, severity, happened)
    return Verdict(kind, None) if is_over else None


def _weigh(aspect: NodeAspect, before: str | None, after: str | None) -> tuple[Severity | None, str, bool]:
    """Severity of something bad, its words, and whether something bad is over."""
    said = after or ""
    plain = said.replace("_", " ").lower()
    match aspect:
        case NodeAspect.QUALITY:
            bad = Severity.WARNING if said == "RED" else None
            return bad, "has quality red", said == "GREEN"
        case NodeAspect.TIER:
            old, new = tier_size(before), tier_size(after)
            if old is None or new is None:
                return None, "", False
            return (
                Severity.INFO if new < old else None,
                f"may write first to {_people(new)} a day, no longer {_people(old)}",
                new > old,
            )
        case NodeAspect.NAME_STATUS | NodeAspect.NEW_NAME_STATUS:
            bad = Severity.WARNING if said in DECLINED_NAMES else None
            return bad, f"has a display name that is {plain}", said in ACCEPTED_NAMES
        case NodeAspect.STATUS:
            stopped = Severity.CRITICAL if said in STOPPED_STATUSES else None
            slowed = Severity.WARNING if said in SLOWED_STATUSES else None
            return stopped or slowed, f"is {plain} at Meta", said in ("CONNECTED", "ACTIVE")
        case NodeAspect.REVIEW:
            bad = Severity.CRITICAL if said in REFUSED_REVIEWS else None
            return bad, f"did not pass Meta's review: {plain}", said == "APPROVED"
        case NodeAspect.RESTRICTION:
            return (Severity.CRITICAL if said else None), f"is restricted by Meta: {plain}", not said
        case NodeAspect.VERIFICATION:
            standing = explain(after).standing
            bad = Severity.WARNING if standing == "bad" else None
            return bad, f"is no verified business: {plain}", standing == "good"
    return None, "", False


def _people(size: float) -> str:
    return "any number of people" if size == float("inf") else f"{size:,.0f} people"
