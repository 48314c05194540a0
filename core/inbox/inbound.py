"""What customers write: kept once each, with its contact, its service window and the sender's name."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, insert, text

from core.contacts.commands import change_number
from core.ids import new_id
from core.inbox.events import Pair
from core.inbox.preferences import fold_decisions
from core.inbox.senders import Received, contacts_of
from core.inbox.updates import InboundMessage
from core.unit import Unit
from data.columns import to_micros
from data.enums import Direction, MessageKind, MessageState
from data.messages import Message

# What Meta reports as a message although the customer wrote none: it opens no service window.
_WRITES_NOTHING = frozenset({"system", "edit", "revoke"})
_KEPT_WITH_TEXT = ("context", "referral")

_KNOWN = text(
    "SELECT wamid FROM message WHERE wamid IN :keys AND direction = 'inbound' ORDER BY wamid"
).bindparams(bindparam("keys", expanding=True))
_ADD = insert(Message.__table__)  # type: ignore[attr-defined]
_OPEN_WINDOW = text(
    "INSERT INTO service_window (phone_number_id, contact_id, last_inbound_at) "
    "VALUES (:phone_number_id, :contact_id, :at) "
    "ON CONFLICT (phone_number_id, contact_id) DO UPDATE SET last_inbound_at = excluded.last_inbound_at "
    "WHERE excluded.last_inbound_at > service_window.last_inbound_at"
)


def take_messages(unit: Unit, received: Sequence[Received]) -> set[Pair]:
    """Each message is stored, once, in the order given; after that, whoever says so has a new number. Returns
    (phone number id, contact id) of the new."""
    new = _unknown(unit, received)
    if not new:
        return set()
    senders = contacts_of(unit, new)
    connection = unit.session.connection()
    rows = [_row(one, contact_id) for one, contact_id in zip(new, senders, strict=True)]
    connection.execute(_ADD, rows)
    windows = [
        {"phone_number_id": one.phone_number_id, "contact_id": contact_id, "at": to_micros(one.message.at)}
        for one, contact_id in zip(new, senders, strict=True)
        if one.message.meta_type not in _WRITES_NOTHING
    ]
    if windows:
        connection.execute(_OPEN_WINDOW, windows)
    pairs = {(row["phone_number_id"], row["contact_id"]) for row in rows}
    return pairs | _change_numbers(unit, new)


def _unknown(unit: Unit, received: Sequence[Received]) -> list[Received]:
    """Those that are not stored yet, each once."""
    wamids = [one.message.wamid for one in received]
    if not wamids:
        return []
    known = {row[0] for row in unit.session.connection().execute(_KNOWN, {"keys": wamids})}
    by_wamid = {one.message.wamid: one for one in reversed(received) if one.message.wamid not in known}
    return list(reversed(by_wamid.values()))


def _change_numbers(unit: Unit, received: Sequence[Received]) -> set[Pair]:
    changed = set()
    for one in received:
        message = one.message
        if message.wa_id and message.new_wa_id and message.new_wa_id != message.wa_id:
            survivor = change_number(
                unit,
                workspace_id=one.workspace_id,
                old_wa_id=message.wa_id,
                new_wa_id=message.new_wa_id,
            )
            fold_decisions(unit, survivor.id)
            changed.add((one.phone_number_id, survivor.id))
    return changed


def _row(received: Received, contact_id: str) -> dict[str, Any]:
    """Ids sort by arrival, and of one delivery by their place in it."""
    message = received.message
    sender = message.wa_id or message.user_id or ""
    return {
        "id": new_id("msg", received.received_at + timedelta(microseconds=received.number)),
        "workspace_id": received.workspace_id,
        "phone_number_id": received.phone_number_id,
        "contact_id": contact_id,
        "direction": Direction.INBOUND,
        "kind": MessageKind.OTHER if message.text is None else MessageKind.TEXT,
        "meta_type": message.meta_type,
        "recipient": sender if message.wa_id is None else f"+{message.wa_id}",
        "payload": message.raw if message.text is None else _text(message, sender),
        "state": MessageState.RECEIVED,
        "wamid": message.wamid,
        "attempt": 0,
        "round": 1,
        "rung": 0,
        "rate_waits": 0,
        "leases_lost": 0,
        "may_duplicate": False,
        "created_at": received.received_at,
        "sent_at": message.at,
    }


def _text(message: InboundMessage, sender: str) -> dict[str, Any]:
    kept = {key: message.raw[key] for key in _KEPT_WITH_TEXT if message.raw.get(key)}
    return {"from": sender, "text": message.text, **kept}
