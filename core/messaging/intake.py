"""Taking a send: checked, then stored with everything that its call will need (Q1, Q12)."""

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from core.contacts.commands import find_or_add
from core.errors import Conflict, DomainError, Impossible, TooMany
from core.lanes import rules as lane_rules
from core.lanes.queries import is_held, lane_limit
from core.lanes.rules import Throughput
from core.messaging.answers import SendAnswer, answer_of
from core.messaging.checks import check_contact, check_template
from core.messaging.claiming import Claim
from core.messaging.requests import SendRequest, check_payload, expiry, meta_body
from core.phones.queries import sender, token_of
from core.unit import Unit
from data.enums import Direction, MessageKind, MessageState
from data.messages import Attempt, Contact, IdempotencyKey, Message
from data.sending import Lane, Phone

IDEMPOTENCY_AGE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a send left in the database. With ``claim`` the caller makes the call now; else ``answer`` is
    final."""

    answer: SendAnswer
    claim: Claim | None = None


def body_hash(body: Any) -> str:
    """Equal for bodies that are equal as JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def store(unit: Unit, request: SendRequest) -> Stored:
    """The message is stored: on its way if it may go now, else queued. Nothing is stored when it is refused.

    Refuses with the codes of a send: invalid_recipient, template_*, window_closed, recipient_suppressed,
    phone_number_required, idempotency_*, throughput_exceeded.
    """
    unit.require("messages.send")
    replay = _replay(unit, request)
    if replay is not None:
        return Stored(replay)
    phone = sender(unit, request.phone_number_id)
    try:
        return _store(unit, request, phone)
    except DomainError as refusal:
        refusal.facts.setdefault("throughput", _throughput(unit, phone))
        raise


def _store(unit: Unit, request: SendRequest, phone: Phone) -> Stored:
    payload = check_payload(request.payload)
    template = check_template(unit, phone, payload)
    contact = find_or_add(unit, workspace_id=unit.workspace_id, wa_id=payload["to"].removeprefix("+"))
    check_contact(unit, phone, contact, template)
    held = is_held(unit, phone_number_id=phone.id, workspace_id=unit.workspace_id)
    direct = not request.queued and not held
    if direct:
        _take_slot(unit, phone)
    message = _insert(unit, request, payload, phone=phone, contact=contact, direct=direct)
    answer = answer_of(message, throughput=_throughput(unit, phone))
    _remember(unit, request, message, None if direct else answer)
    if not direct:
        unit.ring()
        return Stored(answer)
    return Stored(answer, _claim(unit, message, phone))


def _replay(unit: Unit, request: SendRequest) -> SendAnswer | None:
    """The first answer to a send with this key, if there was one (Q12)."""
    if request.idempotency is None:
        return None
    key, hashed = request.idempotency
    row = unit.session.get(IdempotencyKey, (unit.workspace_id, key), with_for_update=True)
    if row is None:
        return None
    if row.created_at + IDEMPOTENCY_AGE <= unit.now:
        unit.session.delete(row)
        unit.session.flush()
        return None
    if row.body_hash != hashed:
        raise Impossible(
            "This Idempotency-Key was used with another body within the last 24 hours. Use a new key.",
            code="idempotency_key_reused",
        )
    if row.answer is not None:
        return SendAnswer.from_json(row.answer)
    message = unit.find(Message, row.message_id, called="message")
    on_the_way = message.state in (MessageState.CLAIMED, MessageState.SENDING)
    if on_the_way and message.lease_until is not None and message.lease_until > unit.now:
        raise Conflict(
            "The first send with this Idempotency-Key is still under way. Ask again in a moment.",
            code="idempotency_in_progress",
        )
    return answer_of(message, is_replay=True)


def _take_slot(unit: Unit, phone: Phone) -> None:
    """One slot of the lane's throughput is taken; TooMany, with the time of the next one, if all are."""
    if unit.throughput_lifted:
        return
    lane = unit.session.get_one(Lane, phone.id, with_for_update=True)
    limit, plan = lane_limit(unit, phone)
    if lane_rules.free(lane.slots, limit=limit, now=unit.now) == 0:
        free_at = lane_rules.next_free_at(lane.slots, limit=limit, now=unit.now)
        raise TooMany(
            "Phone throughput limit exceeded",
            code="throughput_exceeded",
            plan=plan.value,
            retry_after_s=max(1, math.ceil((free_at - unit.now).total_seconds())),
        )
    lane.slots = lane_rules.take(lane.slots, count=1, now=unit.now)
    unit.session.add(lane)


def _throughput(unit: Unit, phone: Phone) -> Throughput:
    lane = unit.session.get_one(Lane, phone.id)
    limit, _ = lane_limit(unit, phone)
    return lane_rules.measure(lane.slots, limit=limit, now=unit.now)


def _insert(
    unit: Unit, request: SendRequest, payload: dict[str, Any], *, phone: Phone, contact: Contact, direct: bool
) -> Message:
    template = payload.get("template") or {}
    lease_until = unit.now + timedelta(seconds=unit.settings.lease_s)
    message = Message(
        id=unit.new_id("msg"),
        workspace_id=unit.workspace_id,
        phone_number_id=phone.id,
        contact_id=contact.id,
        direction=Direction.OUTBOUND,
        kind=MessageKind.TEMPLATE if template else MessageKind.TEXT,
        recipient=payload["to"],
        payload=payload,
        template_name=template.get("name"),
        template_language=template.get("language"),
        state=MessageState.SENDING if direct else MessageState.QUEUED,
        due_at=None if direct else unit.now,
        expires_at=expiry(request, now=unit.now, settings=unit.settings),
        attempt=1 if direct else 0,
        lease_until=lease_until if direct else None,
        lease_holder="direct" if direct else None,
        created_at=unit.now,
        sent_by=unit.actor.id,
    )
    unit.session.add(message)
    unit.session.flush()
    if direct:
        unit.session.add(
            Attempt(message_id=message.id, number=1, round=1, claimed_at=unit.now, started_at=unit.now)
        )
    return message


def _remember(unit: Unit, request: SendRequest, message: Message, answer: SendAnswer | None) -> None:
    if request.idempotency is None:
        return
    key, hashed = request.idempotency
    try:
        with unit.session.begin_nested():
            unit.session.add(
                IdempotencyKey(
                    workspace_id=unit.workspace_id,
                    key=key,
                    body_hash=hashed,
                    message_id=message.id,
                    created_at=unit.now,
                    answer=answer.to_json() if answer else None,
                )
            )
    except IntegrityError:
        raise Conflict(
            "The first send with this Idempotency-Key is still under way. Ask again in a moment.",
            code="idempotency_in_progress",
        ) from None


def remember_answer(unit: Unit, *, workspace_id: str, message_id: str, key: str, answer: SendAnswer) -> None:
    """The first answer to that key, for those who ask again."""
    row = unit.session.exec(
        select(IdempotencyKey).where(
            col(IdempotencyKey.workspace_id) == workspace_id,
            col(IdempotencyKey.key) == key,
            col(IdempotencyKey.message_id) == message_id,
        )
    ).first()
    if row is not None:
        row.answer = answer.to_json()
        unit.session.add(row)


def _claim(unit: Unit, message: Message, phone: Phone) -> Claim:
    return Claim(
        message_id=message.id,
        phone_number_id=phone.id,
        attempt=1,
        body=meta_body(message.payload, message_id=message.id),
        token=token_of(unit, waba_id=phone.waba_id),
    )
