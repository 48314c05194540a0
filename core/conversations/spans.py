"""Counting conversations over many stretches of time in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from data.columns import to_micros

Span = tuple[datetime, datetime]  # from when, until just before when

_OWED = """
SELECT (SELECT count(*) FROM conversation
        WHERE workspace_id = :workspace_id AND opened_at >= span.start_at AND opened_at < span.end_at)
     - (SELECT count(*) FROM conversation
        WHERE workspace_id = :workspace_id AND opened_at >= span.start_at AND opened_at < span.end_at
          AND messages_in = 0 AND messages_out = 0)
FROM span ORDER BY span.number
"""
_COUNTED = """
SELECT count(conversation.id),
       coalesce(sum(CASE WHEN opened_by = 'business' THEN 1 ELSE 0 END), 0),
       coalesce(sum(messages_in), 0), coalesce(sum(messages_out), 0)
FROM span LEFT JOIN conversation
  ON conversation.workspace_id = :workspace_id
 AND conversation.opened_at >= span.start_at AND conversation.opened_at < span.end_at
 AND messages_in + messages_out > 0
GROUP BY span.number ORDER BY span.number
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Conversations that opened in one span, and the messages in them."""

    conversations: int
    customer: int
    business: int
    messages_in: int
    messages_out: int


def owed(session: Session, workspace_id: str, spans: Sequence[Span]) -> list[int]:
    """How many conversations are owed that opened in each span: asked of indexes alone, however many there
    are. Those that lost their messages are few, and are subtracted."""
    return [row[0] for row in ask(session, _OWED, workspace_id, spans)]


def counted(session: Session, workspace_id: str, spans: Sequence[Span]) -> list[Counted]:
    """The same with who opened them and their messages."""
    return [
        Counted(total, total - int(business), int(business), int(inbound), int(outbound))
        for total, business, inbound, outbound in ask(session, _COUNTED, workspace_id, spans)
    ]


def ask(session: Session, question: str, workspace_id: str, spans: Sequence[Span]) -> list[tuple[int, ...]]:
    """The answer for each span, in their order, to a question over ``span (number, start_at, end_at)``."""
    if not spans:
        return []
    rows = ", ".join(
        f"({number}, {to_micros(start)}, {to_micros(end)})" for number, (start, end) in enumerate(spans)
    )
    statement = text(f"WITH span (number, start_at, end_at) AS (VALUES {rows}) {question}")
    found = session.connection().execute(statement, {"workspace_id": workspace_id})
    return [tuple(row) for row in found]
