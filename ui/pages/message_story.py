"""What happened to a message, in words: its attempts and statuses as one story, newest first."""

from dataclasses import replace
from datetime import datetime

from core.conversations.rules import TimeFlag
from core.messaging.queries import AttemptView, MessageDetail, StatusView
from data.enums import Direction, Outcome
from ui.page import PageContext
from ui.parts.badge import Tone
from ui.parts.timeline import Happening

OUTCOMES: dict[Outcome | None, tuple[str, Tone]] = {
    Outcome.ACCEPTED: ("Meta took it", "green"),
    Outcome.REFUSED: ("Meta refused it", "red"),
    Outcome.PASSING: ("failed, but that can pass", "amber"),
    Outcome.UNKNOWN: ("nobody knows whether Meta took it", "amber"),
    Outcome.LOST: ("stopped before anything was sent", "grey"),
    Outcome.LATE: ("the answer came too late to count", "grey"),
    None: ("under way", "blue"),
}
STATUSES: dict[str, tuple[str, Tone]] = {
    "sent": ("Sent on by Meta", "grey"),
    "delivered": ("Delivered", "green"),
    "read": ("Read", "green"),
    "played": ("Played", "green"),
    "failed": ("Meta reports that it failed", "red"),
}
TIMES = {
    TimeFlag.AHEAD: "Meta reports a time over 5 minutes ahead: for billing it happened when it arrived",
    TimeFlag.STALE: "Meta reports a time over 35 days back: it counts for no conversation",
}
_ORDER = {"sent": 2, "delivered": 3, "read": 4, "played": 5, "failed": 6}


def happenings(page: PageContext, detail: MessageDetail) -> list[Happening]:
    """Newest first. Meta's times have whole seconds: a status never stands before the attempt it is about."""
    ends = {attempt.wamid: attempt.finished_at for attempt in detail.attempts if attempt.wamid}
    told: list[tuple[datetime, int, Happening]] = [_beginning(detail)]
    told += [_of_attempt(attempt) for attempt in detail.attempts]
    told += [_of_status(page, status, ends.get(status.wamid) or status.at) for status in detail.statuses]
    told.sort(key=lambda each: each[:2], reverse=True)
    newest, *earlier = (each[2] for each in told)
    return [replace(newest, is_last_word=True), *earlier]


def _beginning(detail: MessageDetail) -> tuple[datetime, int, Happening]:
    at = detail.row.created_at
    if detail.row.direction is Direction.INBOUND:
        return at, 0, Happening("Received", at, tuple(_flagged(detail.flag)), tone="green")
    who = f" by {detail.sent_by_name}" if detail.sent_by_name else ""
    return at, 0, Happening(f"Created{who}", at)


def _of_attempt(attempt: AttemptView) -> tuple[datetime, int, Happening]:
    words, tone = OUTCOMES[attempt.outcome]
    if attempt.outcome is Outcome.ACCEPTED and attempt.error_code:
        words, tone = "Meta took it, and it failed later", "red"
    at = attempt.finished_at or attempt.started_at or attempt.claimed_at
    happening = Happening(f"Attempt {attempt.number}: {words}", at, tuple(_lines(attempt)), tone)
    return at, 1, happening


def _lines(attempt: AttemptView) -> list[str]:
    lines = []
    if attempt.error_code:
        lines.append(f"{attempt.error_code.removeprefix('meta_')} {attempt.error_title}")
        if attempt.error_detail and attempt.error_detail != attempt.error_title:
            lines.append(f"“{attempt.error_detail}”")
    facts = [
        f"HTTP {attempt.http_status}" if attempt.http_status else "",
        f"took {_span(attempt.took_s)}" if attempt.took_s is not None else "",
        f"after a wait of {_span(attempt.waited_s)}" if attempt.waited_s is not None else "",
        "first of a redrive" if attempt.round > 1 and attempt.waited_s is None else "",
        "may deliver twice" if attempt.may_duplicate else "",
    ]
    lines.append(" · ".join(fact for fact in facts if fact))
    lines.append(f"Trace {attempt.trace_id}" if attempt.trace_id else "")
    lines.append(attempt.wamid or "")
    return [line for line in lines if line]


def _of_status(page: PageContext, status: StatusView, taken_at: datetime) -> tuple[datetime, int, Happening]:
    words, tone = STATUSES.get(status.status, (f"Meta reports “{status.status}”", "grey"))
    lines = [f"{status.error_code.removeprefix('meta_')} {status.error_title}" if status.error_code else ""]
    lines.append(f"“{status.error_detail}”" if status.error_detail else "")
    lines.append(f"By Meta’s clock; here {page.times.clock(status.received_at)}")
    lines += _flagged(status.flag)
    happening = Happening(words, status.at, tuple(line for line in lines if line), tone)
    return max(status.at, taken_at), _ORDER.get(status.status, 2), happening


def _flagged(flag: TimeFlag | None) -> list[str]:
    return [TIMES[flag]] if flag else []


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{round(seconds / 60)} min"
