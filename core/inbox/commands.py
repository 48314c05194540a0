"""Taking in what Meta tells us: statuses of our sends, and messages from customers."""

from typing import Any

from sqlmodel import col, select

from core.contacts.commands import find_or_add
from core.inbox.rules import InboundMessage, read_updates
from core.messaging.statuses import apply_status
from core.unit import Unit
from data.enums import Direction, MessageKind, MessageState
from data.messages import Message, ServiceWindow
from data.sending import Phone


def take_in(unit: Unit, envelope: Any) -> int:
    """Everything in a webhook that concerns us is applied; the same webhook again changes nothing.

    Returns how many updates were understood. Phones of no workspace are passed over.
    """
    applied = 0
    for updates in read_updates(envelope):
        # One webhook of a phone at a time: of two that bring the same message, the second must see it.
        phone = unit.session.get(Phone, updates.phone_number_id, with_for_update={"key_share": True})
        if phone is None:
            continue
        if updates.messages:  # Meta may deliver one message twice at once; one phone's are taken in turns
            unit.session.refresh(phone, with_for_update={"key_share": True})
        for report in updates.statuses:
            applied += apply_status(unit, report, workspace_id=phone.workspace_id)
        for message in updates.messages:
            _take_in_message(unit, phone, message)
            applied += 1
    return applied


def _take_in_message(unit: Unit, phone: Phone, inbound: InboundMessage) -> None:
    known = select(Message.id).where(
        col(Message.wamid) == inbound.wamid, col(Message.direction) == Direction.INBOUND
    )
    if unit.session.exec(known).first() is not None:
        return
    contact = find_or_add(unit, workspace_id=phone.workspace_id, wa_id=inbound.wa_id, name=inbound.name)
    unit.session.add(
        Message(
            id=unit.new_id("msg"),
            workspace_id=phone.workspace_id,
            phone_number_id=phone.id,
            contact_id=contact.id,
            direction=Direction.INBOUND,
            kind=MessageKind.OTHER if inbound.text is None else MessageKind.TEXT,
            recipient=f"+{inbound.wa_id}",
            payload=inbound.raw if inbound.text is None else {"from": inbound.wa_id, "text": inbound.text},
            state=MessageState.RECEIVED,
            wamid=inbound.wamid,
            created_at=unit.now,
            sent_at=inbound.at,
        )
    )
    window = unit.session.get(ServiceWindow, (phone.id, contact.id), with_for_update=True)
    if window is None:
        window = ServiceWindow(phone_number_id=phone.id, contact_id=contact.id, last_inbound_at=inbound.at)
    window.last_inbound_at = max(window.last_inbound_at, inbound.at)
    unit.session.add(window)
    unit.session.flush()
