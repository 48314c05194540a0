"""What a person decides about a message whose outcome nobody knows, and sending one again."""

from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from core.conversations.commands import mark_due
from core.errors import Conflict, Malformed
from core.messaging.letters import bury, close_letter, leave_redrives
from core.unit import Unit
from data.enums import LetterState, MessageState, Outcome
from data.messages import Attempt, Message


def settle_unknown(unit: Unit, message_id: str, *, outcome: str, reason: str) -> Message:
    """A person's word on an unknown outcome: ``sent``, ``retry`` or ``discard``.

    Conflict ``not_unknown`` when its outcome is known, or was settled meanwhile.
    """
    unit.require("dead_letters.discard" if outcome == "discard" else "dead_letters.redrive")
    message = unit.find(Message, message_id, called="message", lock=True)
    if message.state is not MessageState.UNKNOWN:
        raise Conflict(
            "The outcome of this message is known; there is nothing to settle.", code="not_unknown"
        )
    if outcome == "sent":
        message.state = MessageState.SENT
        message.sent_at = unit.now
        message.waiting_for = None
        message.error_code = message.error_detail = None
        unit.session.add(message)
        mark_due(unit, [(message.phone_number_id, message.contact_id)])
    elif outcome == "retry":
        send_again(unit, message, payload=message.payload, new_round=False)
    elif outcome == "discard":
        bury(unit, message_id=message.id, error_code=message.error_code or "network_timeout")
        close_letter(unit, message_id=message.id, state=LetterState.DISCARDED, at=unit.now, reason=reason)
        message.state = MessageState.DISCARDED
        unit.session.add(message)
    else:
        raise Malformed.field("outcome", "must be sent, retry or discard")
    unit.record("message.settled", f"message:{message.id}", after={"outcome": outcome, "reason": reason})
    return message


def send_again(unit: Unit, message: Message, *, payload: dict[str, Any], new_round: bool) -> None:
    """The message is due now with a fresh ladder and a new life; its attempts so far are kept and numbers go
    on (Q9)."""
    if new_round:
        leave_redrives(unit, [message.id])
        message.redrive_id = None
    message.payload = payload
    message.recipient = payload["to"]
    template = payload.get("template") or {}
    message.template_name = template.get("name")
    message.template_language = template.get("language")
    message.state = MessageState.QUEUED
    message.waiting_for = None
    message.due_at = unit.now
    message.expires_at = unit.now + timedelta(seconds=unit.settings.waypost_message_max_age)
    message.rung = message.rate_waits = message.leases_lost = 0
    message.round += 1 if new_round else 0
    message.lease_until = None
    message.error_code = message.error_detail = None
    unit.session.add(message)
    unit.ring()


def has_unknown_attempt(unit: Unit, message_id: str) -> bool:
    """Whether Meta may have taken an earlier attempt: sending again may then deliver twice."""
    statement = select(Attempt.number).where(
        col(Attempt.message_id) == message_id, col(Attempt.outcome).in_([Outcome.UNKNOWN, Outcome.LATE])
    )
    return unit.session.exec(statement).first() is not None
