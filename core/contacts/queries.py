"""Whether a contact may be sent something now."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from core.unit import Unit
from data.columns import from_micros
from data.engine import Keyed
from data.enums import SuppressionKind
from data.messages import Contact, ServiceWindow, Suppression

SERVICE_WINDOW = timedelta(hours=24)

# Every send asks. A contact with several suppressions has a row for each.
_KNOWN_SQL = """
SELECT contact.workspace_id, contact.wa_id, survivor.id, suppression.kind
FROM contact
JOIN contact AS survivor ON survivor.id = coalesce(contact.merged_into, contact.id)
LEFT JOIN suppression ON suppression.contact_id = survivor.id AND suppression.lifted_at IS NULL
WHERE (contact.workspace_id, contact.wa_id) IN (SELECT value->>0, value->>1 FROM {pairs})
{lock}
"""
_WINDOWS = Keyed(
    "SELECT phone_number_id, contact_id, last_inbound_at FROM service_window "
    "WHERE (phone_number_id, contact_id) IN (SELECT value->>0, value->>1 FROM {pairs})"
)
_KNOWN = Keyed(_KNOWN_SQL, lock="")
_KNOWN_TO_KEEP = Keyed(_KNOWN_SQL, lock="FOR KEY SHARE OF contact, survivor")


@dataclass(frozen=True, slots=True)
class KnownContact:
    """``kinds``: of messages that it must not be sent."""

    id: str
    kinds: frozenset[SuppressionKind] = frozenset()


def known(
    session: Session, wanted: Collection[tuple[str, str]], *, to_keep: bool = False
) -> dict[tuple[str, str], KnownContact]:
    """(workspace, WhatsApp id) → that contact, the survivor where it was merged; those that were never
    written with are absent. ``to_keep``: none of them is merged away before this transaction ends
    (PostgreSQL; SQLite has one writer)."""
    asked = _KNOWN_TO_KEEP if to_keep else _KNOWN
    found: dict[tuple[str, str], KnownContact] = {}
    for workspace_id, wa_id, contact_id, kind in asked.rows(session.connection(), sorted(wanted)):
        kinds = found[workspace_id, wa_id].kinds if (workspace_id, wa_id) in found else frozenset()
        if kind is not None:
            kinds |= {SuppressionKind(kind)}
        found[workspace_id, wa_id] = KnownContact(contact_id, kinds)
    return found


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


def windows_end(session: Session, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """(phone, contact) → when their service window closes; pairs whose customer never wrote are absent."""
    rows = _WINDOWS.rows(session.connection(), pairs)
    return {(row[0], row[1]): from_micros(row[2]) + SERVICE_WINDOW for row in rows}


def contact_of(unit: Unit, *, wa_id: str) -> Contact | None:
    """Who has that WhatsApp id now."""
    found = known(unit.session, [(unit.workspace_id, wa_id)])
    return unit.session.get(Contact, next(iter(found.values())).id) if found else None
