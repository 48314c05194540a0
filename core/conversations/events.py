"""Which messages are events of conversations, and when they happened (B2, B3), asked of the database."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import bindparam, text
from sqlmodel import Session

from core.conversations.rules import FUTURE, QUALIFYING, STALE, Event

Pair = tuple[str, str]  # phone number id, contact id

_KINDS = ", ".join(f"'{kind}'" for kind in QUALIFYING)
# B3. A customer's message happened when Meta says, unless that is over 300 s after it reached us: then it
# happened when it reached us; one that was over 35 days old by then is not billed. A send happened at the
# earliest of its statuses, each held to the same bounds; until one arrives, when Meta accepted it.
# *Accepted at 10:00:01, reported sent at 10:00:00 → 10:00:00. The next report says 09:00 of a day 40 days ago
# → still 10:00:00.*
_EVENTS = text(
    f"""
SELECT phone_number_id, contact_id, id, 0, coalesce(wamid, id), NULL,
       CASE WHEN sent_at > created_at + {FUTURE} THEN created_at ELSE sent_at END
FROM message
WHERE contact_id IN :contacts AND direction = 'inbound' AND meta_type IN ({_KINDS})
  AND sent_at >= created_at - {STALE}
UNION ALL
SELECT phone_number_id, contact_id, id, 1, coalesce(wamid, id), sent_at,
       coalesce((
           SELECT min(CASE WHEN status.at > status.received_at + {FUTURE} THEN status.received_at
                           ELSE status.at END)
           FROM message_status AS status
           WHERE status.message_id = message.id AND status.at >= status.received_at - {STALE}
       ), sent_at)
FROM message
WHERE contact_id IN :contacts AND direction = 'outbound' AND state IN ('sent', 'delivered', 'read')
"""  # noqa: S608 - constants of ours
).bindparams(bindparam("contacts", expanding=True))


def events_of(session: Session, contacts: Collection[str]) -> dict[Pair, list[Event]]:
    """pair → its events, in no order, of every pair with one of those contacts that has any."""
    found: dict[Pair, list[Event]] = defaultdict(list)
    rows = session.connection().execute(_EVENTS, {"contacts": list(contacts)}).all()
    for phone, contact, message_id, is_outbound, provider_id, known_at, at in rows:
        found[phone, contact].append(Event(at, is_outbound, provider_id, message_id, known_at))
    return found
