"""What Meta's words on templates mean, for a person. Unknown words are shown as they are."""

from collections.abc import Callable

from core.templates.lists import TemplateView
from core.templates.rules import DELETED
from core.templates.verdicts import VerdictView
from data.enums import ChangeSource, TemplateAspect
from ui.format import duration
from ui.pages.phone_words import plain, quality
from ui.parts.badge import Tone

# Word, tone and icon.
STATUS: dict[str, tuple[str, Tone, str]] = {
    "APPROVED": ("Approved", "green", "circle-check"),
    "REINSTATED": ("Reinstated", "green", "circle-check"),
    "FLAGGED": ("Flagged", "amber", "triangle-alert"),
    "PENDING": ("In review", "blue", "hourglass"),
    "IN_APPEAL": ("In appeal", "blue", "hourglass"),
    "PAUSED": ("Paused", "amber", "pause"),
    "REJECTED": ("Rejected", "red", "circle-x"),
    "DISABLED": ("Disabled", "red", "ban"),
    "LIMIT_EXCEEDED": ("Limit exceeded", "red", "ban"),
    "LOCKED": ("Locked", "red", "lock"),
    "ARCHIVED": ("Archived", "grey", "archive"),
    "UNARCHIVED": ("Unarchived", "grey", "archive"),
    "PENDING_DELETION": ("Being deleted", "grey", "trash-2"),
    "DELETED": ("Deleted", "grey", "trash-2"),
}
CATEGORY = {"UTILITY": "Utility", "MARKETING": "Marketing", "AUTHENTICATION": "Authentication"}
# What a status means for sending, and what to do.
MEANING: dict[str, str] = {
    "PENDING": "Meta reviews it, usually within a day. It cannot be sent until then.",
    "IN_APPEAL": "Meta looks at its rejection again. It cannot be sent meanwhile.",
    "FLAGGED": "Recipients complain about it. It can still be sent; if that goes on, Meta pauses it.",
    "PAUSED": "Meta paused it because recipients complained: 3 hours the first time, 6 the second; the third "
    "time it is disabled for good. New sends are refused; what was queued waits and goes when the pause "
    "ends.",
    "REJECTED": "It cannot be sent. Mend what Meta objects to and submit it again.",
    "DISABLED": "It can never be sent again. Make a new template under another name.",
    "LIMIT_EXCEEDED": "The account has more templates than Meta allows. Delete some that are not used.",
    "LOCKED": "Meta lets nobody change or send it now.",
    "ARCHIVED": "It cannot be sent while it is archived, and Meta deletes it after 28 days.",
    "PENDING_DELETION": "Meta is deleting it.",
    "DELETED": "Meta has it no more. Its name cannot be used again for 30 days.",
}
REASONS: dict[str, str] = {
    "ABUSIVE_CONTENT": "Meta finds the words abusive or threatening.",
    "CATEGORY_NOT_AVAILABLE": "The category may not be used in the recipient's country.",
    "INCORRECT_CATEGORY": "The words belong to another category than the one asked for.",
    "INVALID_FORMAT": "Something is wrong with its form, often a variable at the beginning or end, or one "
    "without an example.",
    "PROMOTIONAL": "It advertises, which its category does not allow. Submit it as marketing.",
    "SCAM": "Meta takes it for a fraud.",
    "TAG_CONTENT_MISMATCH": "The language or category does not fit the words.",
    "FIRST_PAUSE": "Its first pause: 3 hours.",
    "SECOND_PAUSE": "Its second pause: 6 hours.",
    "RATE_LIMITING_PAUSE": "Paused while Meta lets it out slowly. After 5 minutes, end it in WhatsApp "
    "Manager.",
    "UNPAUSE": "The pause ended.",
    "DISABLED": "It was paused too often.",
}
_SOURCES = {
    ChangeSource.API: "Submitted here",
    ChangeSource.SYNC: "Found by a sync",
    ChangeSource.WEBHOOK: "Told by webhook",
    ChangeSource.SEND: "Told by a refused send",
}


def status(word: str) -> tuple[str, Tone, str]:
    return STATUS.get(word, (plain(word), "grey", "circle-help"))


def category(word: str | None) -> str:
    return CATEGORY.get(word or "", plain(word))


def category_note(template: TemplateView) -> str:
    """What stands beneath the category: the one asked for, or the one to come."""
    if template.planned_category and template.planned_category != template.category:
        return f"becomes {category(template.planned_category).lower()}"
    return f"asked for {category(template.asked_category).lower()}" if template.asked_category else ""


def verdict_title(verdict: VerdictView) -> str:
    """*Quality went from high to low*"""
    said = verdict.said
    match verdict.aspect:
        case TemplateAspect.STATUS:
            return status(said)[0]
        case TemplateAspect.COMPONENTS:
            return "Its words changed"
        case TemplateAspect.PLANNED_CATEGORY:
            return f"Meta is going to make it {category(said).lower()}"
        case TemplateAspect.QUALITY:
            return _went("Quality", verdict, lambda word: quality(word)[0])
        case TemplateAspect.CATEGORY:
            return _went("Category", verdict, category)


def verdict_tone(verdict: VerdictView) -> Tone:
    if verdict.aspect is TemplateAspect.STATUS:
        return status(verdict.said)[1]
    if verdict.aspect is TemplateAspect.QUALITY:
        return quality(verdict.said)[1]
    return "amber" if verdict.aspect is TemplateAspect.PLANNED_CATEGORY else "blue"


def verdict_details(verdict: VerdictView) -> tuple[str, ...]:
    """Meta's reason, what it means, Meta's own sentence, and how we came to know."""
    reason = ""
    if verdict.reason:
        reason = f"{plain(verdict.reason)}. {REASONS.get(verdict.reason, '')}".strip()
    late = (verdict.noticed_at - verdict.at).total_seconds()
    by_hand = verdict.source is ChangeSource.API and verdict.said == DELETED
    told = ("Deleted here" if by_hand else _SOURCES[verdict.source]) + (
        f", {duration(late)} later" if late >= 60 else ""
    )
    return tuple(filter(None, (reason, verdict.words, told)))


def _went(of: str, verdict: VerdictView, words: Callable[[str], str]) -> str:
    said = words(verdict.said).lower()
    if verdict.before is None:
        return f"{of} is {said}"
    return f"{of} went from {words(verdict.before).lower()} to {said}"
