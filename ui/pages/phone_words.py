"""What Meta's words on numbers and accounts mean, for a person. Unknown words are shown as they are."""

from collections.abc import Callable

from core.messaging.senders import LaneView
from core.phones.changes import ChangeView
from core.phones.reading import tier_size
from core.phones.verification import Standing, explain
from data.enums import ChangeSource, HoldCause, HoldScope, NodeAspect, NodeKind
from ui.format import NOTHING, duration, number
from ui.page import PageContext
from ui.pages.queue_words import hold_words
from ui.parts.badge import Tone, Word

# Word, tone and icon.
QUALITY: dict[str, tuple[str, Tone, str]] = {
    "GREEN": ("High", "green", "circle-check"),
    "YELLOW": ("Medium", "amber", "triangle-alert"),
    "RED": ("Low", "red", "octagon-alert"),
    "UNKNOWN": ("Not rated yet", "grey", "circle-help"),
}
STATUS: dict[str, Word] = {
    "CONNECTED": ("Connected", "green"),
    "PENDING": ("Pending", "amber"),
    "FLAGGED": ("Flagged", "amber"),
    "RATE_LIMITED": ("Rate limited", "amber"),
    "UNKNOWN": ("Not known", "grey"),
    **{
        word: (word.capitalize(), "red")
        for word in ("RESTRICTED", "BANNED", "DELETED", "DISCONNECTED", "OFFLINE", "MIGRATED", "UNVERIFIED")
    },
}
NAME_STATUS = {
    "APPROVED": "Approved",
    "AVAILABLE_WITHOUT_REVIEW": "Accepted without review",
    "DECLINED": "Declined",
    "EXPIRED": "Expired",
    "PENDING_REVIEW": "In review",
    "NONE": "None",
}
HEALTH: dict[str, tuple[str, Tone, str]] = {
    "AVAILABLE": ("Can send", "green", "circle-check"),
    "LIMITED": ("Limited", "amber", "triangle-alert"),
    "BLOCKED": ("Blocked", "red", "octagon-alert"),
    "UNKNOWN": ("Not said", "grey", "circle-help"),
}
PARTS = {
    "PHONE_NUMBER": "This number",
    "WABA": "WhatsApp Business Account",
    "BUSINESS": "Business",
    "APP": "App",
    "MESSAGE_TEMPLATE": "Template",
}
RESTRICTIONS = {
    "DISABLE": "Meta disabled the account",
    "SCHEDULE_FOR_DISABLE": "Meta is going to disable the account",
    "ACCOUNT_DELETED": "The account was deleted",
    "ACCOUNT_OFFBOARDED": "The account was taken off the Cloud API",
    "RESTRICTED_ADD_PHONE_NUMBER_ACTION": "No number can be added",
    "RESTRICTED_BIZ_INITIATED_MESSAGING": "No conversation can be opened; replies still pass",
    "RESTRICTED_CUSTOMER_INITIATED_MESSAGING": "No customer can be answered",
    "RESTRICTED_UTILITY_TEMPLATES": "No utility template can be sent",
}
STANDING: dict[Standing, Tone] = {
    "good": "green",
    "waiting": "blue",
    "open": "amber",
    "bad": "red",
    "unknown": "grey",
}
_WEIGHTS: dict[str, Tone] = {"bad": "red", "good": "green", "plain": "grey"}
_SECURITY = {
    "PIN_CHANGED": "The two-step PIN was changed",
    "PIN_RESET_REQUEST": "Someone asked to reset the two-step PIN",
    "PIN_REQUEST_SUCCESS": "The two-step PIN was reset",
}


PLATFORMS = {"CLOUD_API": "Cloud API", "ON_PREMISE": "On-premises API"}


def plain(word: str | None) -> str:
    """*RATE_LIMITED → Rate limited*"""
    return word.replace("_", " ").strip().capitalize() if word else NOTHING


def quality(word: str) -> tuple[str, Tone, str]:
    return QUALITY.get(word, (plain(word), "grey", "circle-help"))


def status(word: str) -> Word:
    return STATUS.get(word, (plain(word), "grey"))


def name_status(word: str | None) -> str:
    return NAME_STATUS.get(word or "", plain(word))


def tier(word: str | None) -> str:
    """*TIER_2K → 2,000 people a day*"""
    size = tier_size(word)
    if size is None:
        return plain(word)
    return "No limit" if size == float("inf") else f"{number(int(size))} people a day"


def restriction(words: str) -> str:
    return "; ".join(RESTRICTIONS.get(word, plain(word)) for word in words.split(", "))


def lane_badge(lane: LaneView) -> Word:
    if lane.hold is None:
        return "Open", "green"
    if not lane.is_own:
        return "Queue paused", "amber"
    return ("Paused", "amber") if lane.hold.cause is HoldCause.PERSON else ("Held", "red")


def lane_note(page: PageContext, lane: LaneView) -> str:
    """Who or what holds it, since when, why, and how many wait."""
    if lane.hold is None:
        return ""
    whole = {HoldScope.EVERYTHING: "Everything ", HoldScope.WORKSPACE: "The queue "}
    words = whole.get(lane.hold.scope, "") + hold_words(page, lane.hold)
    waits = f" {number(lane.held)} {'waits' if lane.held == 1 else 'wait'}." if lane.held else ""
    return f"{words[0].upper()}{words[1:].rstrip('.')}.{waits}"


_ASPECTS: dict[NodeAspect, tuple[str, Callable[[str], str]]] = {
    NodeAspect.QUALITY: ("Quality", lambda word: quality(word)[0]),
    NodeAspect.TIER: ("Messaging limit", tier),
    NodeAspect.THROUGHPUT: ("Throughput level", plain),
    NodeAspect.STATUS: ("Status", lambda word: status(word)[0]),
    NodeAspect.NAME_STATUS: ("Display name", name_status),
    NodeAspect.NEW_NAME_STATUS: ("New display name", name_status),
    NodeAspect.REVIEW: ("Account review", plain),
    NodeAspect.VERIFICATION: ("Business verification", lambda word: explain(word).title),
}
_EVENTS: dict[NodeAspect, str] = {
    NodeAspect.VIOLATION: "Meta reports a violation: {}",
    NodeAspect.CAPABILITY: "Meta told the account's limits",
    NodeAspect.NOTICE: "Meta's notice: {}",
}


def change_words(change: ChangeView) -> str:
    """*Messaging limit went from 10,000 people a day to 2,000 people a day*"""
    before, after = change.before, change.after or ""
    if change.aspect in _EVENTS:
        return _EVENTS[change.aspect].format(plain(after).lower())
    match change.aspect:
        case NodeAspect.CONNECTED:
            return f"Connected as {after}"
        case NodeAspect.NAME:
            return f"Display name went from {before} to {after}" if before else f"Display name is {after}"
        case NodeAspect.RESTRICTION:
            return restriction(after) if after else "Restriction lifted"
        case NodeAspect.SECURITY:
            return _SECURITY.get(after, plain(after))
        case NodeAspect.EVENT:
            return plain(after)
    of, word = _ASPECTS[change.aspect]
    if change.aspect is NodeAspect.STATUS and change.kind is NodeKind.WABA:
        of = "Account status"
    if before is None:
        return f"{of} is {_within(word(after))}"
    return f"{of} went from {_within(word(before))} to {_within(word(after))}"


def change_details(page: PageContext, change: ChangeView) -> tuple[str, ...]:
    """Meta's reason, and how we came to know."""
    late = (change.noticed_at - change.at).total_seconds()
    told = "Found by a sync" if change.source is ChangeSource.SYNC else "Told by webhook"
    if late >= 60:
        told += f", {duration(late)} later"
    return tuple(filter(None, (plain(change.reason) if change.reason else "", told)))


def change_tone(change: ChangeView) -> Tone:
    return _WEIGHTS[change.weight]


def _within(word: str) -> str:
    """As it stands within a sentence."""
    return word[0].lower() + word[1:] if word else NOTHING
