"""Taking a send: checked, then stored with everything that its call will need (Q1, Q12)."""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, text
from sqlmodel import col, select

from core.contacts import commands as contacts
from core.errors import Conflict, DomainError, Impossible, TooMany
from core.lanes import rules as lane_rules
from core.lanes.now import LaneNow, lane_now, write_slots
from core.messaging.answers import SendAnswer, answer_of
from core.messaging.checks import check_contact, check_template
from core.messaging.claiming import Claim
from core.messaging.requests import SendRequest, check_payload, expiry
from core.phones.queries import sender, token_of
from core.unit import Unit
from data.columns import to_micros
from data.enums import Direction, MessageKind, MessageState
from data.messages import Contact, IdempotencyKey, Message
from data.sending import Phone

IDEMPOTENCY_AGE = timedelta(hours=24)
_INSERT_MESSAGE = Message.__table__.insert()  # type: ignore[attr-defined]
_INSERT_ATTEMPT = text(
    "INSERT INTO attempt (message_id, number, round, may_duplicate, claimed_at, started_at) "
    "VALUES (:id, 1, 1, FALSE, :now, :now)"
)
_KEYS = IdempotencyKey.__table__  # type: ignore[attr-defined]
_REMEMBER = text(
    "INSERT INTO idempotency_key (workspace_id, key, body_hash, message_id, created_at, answer) "
    "VALUES (:workspace_id, :key, :body_hash, :message_id, :created_at, :answer) ON CONFLICT DO NOTHING"
).bindparams(*(bindparam(name, type_=_KEYS.c[name].type) for name in ("created_at", "answer")))


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
    """The message is stored: on its way if it may go now, else queued. It is refused before anything is
    written, so a refusal leaves other sends in the same transaction as they are.

    Refuses with the codes of a send: invalid_recipient, template_*, window_closed, recipient_suppressed,
    phone_number_required, idempotency_*, throughput_exceeded.
    """
    unit.require("messages.send")
    replay = _replay(unit, request)
    if replay is not None:
        return Stored(replay)
    phone = unit.once(
        "sender",
        unit.workspace_id,
        request.phone_number_id,
        ask=lambda: sender(unit, request.phone_number_id),
    )
    lane = lane_now(unit, phone)
    try:
        return _store(unit, request, phone, lane)
    except DomainError as refusal:
        refusal.facts.setdefault("throughput", lane.throughput)
        raise


def _store(unit: Unit, request: SendRequest, phone: Phone, lane: LaneNow) -> Stored:
    payload = check_payload(request.payload)
    template = check_template(unit, phone, payload)
    wa_id = payload["to"].removeprefix("+")
    contact = contacts.find(unit, workspace_id=unit.workspace_id, wa_id=wa_id)
    check_contact(unit, phone, contact, template)
    if request.queued or lane.is_held:
        message = _insert(unit, request, payload, phone=phone, contact=contact, direct=False)
        answer = answer_of(message, throughput=lane.throughput)
        _remember(unit, request, message, answer)
        unit.ring()
        return Stored(answer)
    token = unit.once("token", phone.waba_id, ask=lambda: token_of(unit, waba_id=phone.waba_id))
    if not unit.throughput_lifted:
        lane = _take_slot(unit, lane)
    message = _insert(unit, request, payload, phone=phone, contact=contact, direct=True)
    _remember(unit, request, message, None)
    claim = Claim(
        message_id=message.id,
        phone_number_id=phone.id,
        attempt=1,
        payload=payload,
        token=token,
    )
    return Stored(answer_of(message, throughput=lane.throughput), claim)


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


def _take_slot(unit: Unit, lane: LaneNow) -> LaneNow:
    """The lane with one slot of its throughput taken; TooMany, with the time of the next one, if all are."""
    if lane_rules.free(lane.slots, limit=lane.limit, now=unit.now) == 0:
        free_at = lane_rules.next_free_at(lane.slots, limit=lane.limit, now=unit.now)
        raise TooMany(
            "Phone throughput limit exceeded",
            code="throughput_exceeded",
            plan=lane.plan.value,
            retry_after_s=max(1, math.ceil((free_at - unit.now).total_seconds())),
        )
    taken = replace(lane, slots=lane_rules.take(lane.slots, count=1, now=unit.now))
    write_slots(unit, taken)
    return taken


def _insert(
    unit: Unit,
    request: SendRequest,
    payload: dict[str, Any],
    *,
    phone: Phone,
    contact: Contact | None,
    direct: bool,
) -> Message:
    if contact is None:
        wa_id = payload["to"].removeprefix("+")
        contact = contacts.add(unit, workspace_id=unit.workspace_id, wa_id=wa_id)
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
    connection = unit.session.connection()
    connection.execute(_INSERT_MESSAGE, message.__dict__)
    if direct:
        connection.execute(_INSERT_ATTEMPT, {"id": message.id, "now": to_micros(unit.now)})
    return message


def _remember(unit: Unit, request: SendRequest, message: Message, answer: SendAnswer | None) -> None:
    if request.idempotency is None:
        return
    key, hashed = request.idempotency
    remembered = unit.session.connection().execute(
        _REMEMBER,
        {
            "workspace_id": unit.workspace_id,
            "key": key,
            "body_hash": hashed,
            "message_id": message.id,
            "created_at": unit.now,
            "answer": answer.to_json() if answer else None,
        },
    )
    if remembered.rowcount == 0:  # on PostgreSQL, where another transaction can be first
        raise Conflict(
            "The first send with this Idempotency-Key is still under way. Ask again in a moment.",
            code="idempotency_in_progress",
        )


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
