"""Whether a contact may be sent something now."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from data.enums import SuppressionKind
from data.messages import ServiceWindow, Suppression

SERVICE_WINDOW = timedelta(hours=24)


def suppressed(session: Session, contact_ids: Collection[str]) -> dict[str, frozenset[SuppressionKind]]:
    """contact id → the kinds of message it must not be sent; only contacts with any are present."""
    statement = select(Suppression).where(
        col(Suppression.contact_id).in_(contact_ids), col(Suppression.lifted_at).is_(None)
    )
    found: dict[str, frozenset[SuppressionKind]] = {}
    for row in session.exec(statement):
        found[row.contact_id] = found.get(row.contact_id, frozenset()) | {row.kind}
    return found


def window_ends(session: Session, *, phone_number_id: str, contact_id: str) -> datetime | None:
    """When Meta's service window of that pair closes: 24 hours after the customer's last message. None when
    the customer never wrote."""
    window = session.get(ServiceWindow, (phone_number_id, contact_id))
    return None if window is None else window.last_inbound_at + SERVICE_WINDOW
