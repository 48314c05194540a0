"""Levels, events and house rules in words."""

from core.templates.abuse import TRIED, Tally, Thresholds, percent
from core.templates.abuse_queries import EventRow
from data.enums import AbuseLevel, ChangeSource
from ui.format import number, plural
from ui.pages.template_words import REASONS
from ui.parts.badge import Tone, Word

LEVEL: dict[AbuseLevel, tuple[str, Tone, str]] = {
    AbuseLevel.OK: ("OK", "green", "circle-check"),
    AbuseLevel.WARNING: ("Warning", "amber", "triangle-alert"),
    AbuseLevel.FLAGGED: ("Flagged", "red", "octagon-alert"),
}
EVENT: dict[str, Word] = {
    "created": ("Created", "blue"),
    "approved": ("Approved", "green"),
    "rejected": ("Rejected", "red"),
    "paused": ("Paused", "amber"),
    "disabled": ("Disabled", "red"),
    TRIED: ("Send refused", "amber"),
}
SOURCE = {
    ChangeSource.API: "Told here",
    ChangeSource.SYNC: "Found by a sync",
    ChangeSource.WEBHOOK: "Told by webhook",
    ChangeSource.SEND: "Told by a refused send",
}


def of_decided(tally: Tally) -> str:
    """*2 of 5*"""
    return f"{number(tally.rejected)} of {number(tally.decided)}" if tally.decided else "None decided"


def rate(tally: Tally) -> str:
    return percent(tally.rate) if tally.decided else "–"


def our_rules(rules: Thresholds) -> list[tuple[str, str]]:
    """(what follows, when)."""
    enough = f"of at least {plural(rules.min_decided, 'verdict')}"
    return [
        ("Warning", f"More than {percent(rules.warn_rate)} {enough} are rejections."),
        (
            "Flag",
            f"More than {percent(rules.flag_rate)} {enough} are rejections; or "
            f"{plural(rules.flag_rejections, 'rejection')}; or {plural(rules.flag_sends, 'send')} of "
            "templates that Meta has rejected.",
        ),
        (
            "What a flag does",
            "The workspace cannot create or submit templates. Approved ones still send, and no other "
            "workspace notices.",
        ),
    ]


METAS_RULES = (
    (
        "Review",
        "Meta approves or rejects each template, usually within a day. It publishes no share of rejections "
        "from which it slows an account down.",
    ),
    (
        "Pauses",
        "A template that readers block is paused for 3 hours, then for 6, then disabled for good.",
    ),
)


def event_details(event: EventRow) -> tuple[str, ...]:
    """Which template, Meta's reason, how we came to know, and whether it counts."""
    named = f"{event.name}, {event.language}" if event.name else f"Template {event.template_id}, no copy here"
    reason = ""
    if event.reason:
        reason = REASONS.get(event.reason, f"Reason: {event.reason}")
    told = SOURCE[event.source] if event.source is not None else ""
    if not event.counts:
        told = f"{told}; told before, so it counts nothing"
    return tuple(filter(None, (named, reason, told)))


def advice(level: AbuseLevel) -> str:
    """What the people of the workspace can do."""
    if level is AbuseLevel.FLAGGED:
        return (
            "New templates are refused; approved ones still send. Read below why Meta rejected them, and "
            "tell your platform admin what you changed: only they can clear the flag."
        )
    return (
        "Nothing is refused yet. Mend what Meta objected to before you submit more; a rejection counts for "
        "24 hours."
    )
