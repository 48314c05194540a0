"""What happened to a dead letter, as lines of a timeline: its attempts, and what people did about it."""

import json
import shlex

from core.dead_letters.detail import ActionView, LetterDetail
from core.dead_letters.rows import LetterRow
from core.messaging.queries import AttemptView
from core.settings import Settings
from data.enums import Outcome
from ui.format import duration, number
from ui.pages.dead_letter_groups import code_word
from ui.parts.badge import Tone
from ui.parts.timeline import Happening

# What came of an attempt, after "Attempt 2".
OUTCOME: dict[Outcome | None, tuple[str, Tone]] = {
    Outcome.ACCEPTED: ("was taken by Meta", "green"),
    Outcome.REFUSED: ("was refused", "red"),
    Outcome.PASSING: ("failed", "red"),
    Outcome.UNKNOWN: ("got no answer", "amber"),
    Outcome.LOST: ("was cut off", "amber"),
    Outcome.LATE: ("was answered too late", "amber"),
    None: ("is under way", "blue"),
}
VERB = {
    "redrove": "sent it again",
    "edited and redrove": "edited it and sent it again",
    "discarded": "discarded it",
    "restored": "restored it",
    "noted": "noted",
}


def attempts(detail: LetterDetail) -> list[Happening]:
    """Oldest first."""
    rounds = len({attempt.round for attempt in detail.attempts})
    last = len(detail.attempts) - 1
    return [
        _attempt(attempt, detail.row, is_last=place == last, with_round=rounds > 1)
        for place, attempt in enumerate(detail.attempts)
    ]


def actions(detail: LetterDetail) -> list[Happening]:
    """Oldest first."""
    return [_action(action) for action in detail.actions]


def as_curl(detail: LetterDetail, settings: Settings) -> str:
    """The request as a person can send it from a shell. The token stays out: the shell knows it."""
    url = (
        f"{settings.waypost_graph_url}/{settings.waypost_graph_version}/{detail.row.phone_number_id}/messages"
    )
    body = json.dumps(detail.request, ensure_ascii=False)
    return (
        f"curl {shlex.quote(url)} \\\n"
        '  -H "Authorization: Bearer $WHATSAPP_TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}"
    )


def _attempt(attempt: AttemptView, row: LetterRow, *, is_last: bool, with_round: bool) -> Happening:
    words, tone = OUTCOME[attempt.outcome]
    facts_of = [
        f"round {attempt.round}" if with_round else "",
        f"HTTP {attempt.http_status}" if attempt.http_status else "",
        f"{number(round(attempt.took_s * 1000))} ms" if attempt.took_s is not None else "",
        f"after {duration(attempt.waited_s)} wait" if attempt.waited_s is not None else "first send",
    ]
    details = [" · ".join(part for part in facts_of if part)]
    if attempt.error_title and attempt.error_code != row.error_code:
        details.append(f"{attempt.error_title} ({code_word(attempt.error_code or '')})")
    if attempt.wamid:
        details.append(attempt.wamid)
    at = attempt.started_at or attempt.claimed_at
    return Happening(
        f"Attempt {attempt.number} {words}",
        at,
        tuple(details),
        tone=tone,
        is_last_word=is_last,
        to_copy=("Meta’s trace id", attempt.trace_id) if attempt.trace_id else None,
    )


def _action(action: ActionView) -> Happening:
    if action.verb == "assigned":
        return Happening(f"{action.actor} put {action.text} in charge", action.at, tone="blue")
    title = f"{action.actor} {VERB.get(action.verb, action.verb)}"
    return Happening(title, action.at, (action.text,) if action.text else (), tone="blue")
