"""Taking a send: checked, then stored with everything that its call will need (Q1, Q12)."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from core.contacts.commands import find_or_add
from core.contacts.queries import suppressed, window_ends
from core.errors import Conflict, Impossible, TooMany
from core.lanes import rules as lane_rules
from core.lanes.queries import is_held, lane_limit
from core.lanes.rules import Throughput
from core.messaging.answers import SendAnswer, answer_of
from core.messaging.claiming import Claim, is_suppressed
from core.messaging.requests import SendRequest, check_payload, expiry, meta_body
from core.phones.queries import sender, token_of
from core.templates import queries as template_queries
from core.templates import rules as template_rules
from core.unit import Unit
from data.enums import Direction, MessageKind, MessageState
from data.messages import Attempt, Contact, IdempotencyKey, Message
from data.sending import Lane, Phone, Template

IDEMPOTENCY_AGE = timedelta(hours=24)


class TemplateUnknown(Impossible):
    """Not among our copies. Meta may have it: sync once, then ask again."""

    code = "template_unknown"

    def __init__(self, *, waba_id: str, name: str, language: str) -> None:
        super().__init__(
            f"There is no template “{name}” in language “{language}”. Check the name and language, or create "
            "it at Meta first."
        )
        self.waba_id = waba_id
        self.name = name


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
    payload = check_payload(request.payload)
    template = _template(unit, phone, payload)
    contact = find_or_add(unit, workspace_id=unit.workspace_id, wa_id=payload["to"].removeprefix("+"))
    _check_contact(unit, phone, contact, template)
    held = is_held(unit, phone_number_id=phone.id, workspace_id=unit.workspace_id)
    direct = not request.queued and not held
    throughput = _take_slot(unit, phone, direct=direct)
    message = _insert(unit, request, payload, phone=phone, contact=contact, direct=direct)
    answer = answer_of(message, throughput=throughput)
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


def _template(unit: Unit, phone: Phone, payload: dict[str, Any]) -> Template | None:
    wanted = payload.get("template")
    if wanted is None:
        return None
    name, language = str(wanted["name"]), str(wanted["language"])
    template = template_queries.find(unit, waba_id=phone.waba_id, name=name, language=language)
    if template is None:
        raise TemplateUnknown(waba_id=phone.waba_id, name=name, language=language)
    template_rules.check_sendable(template)
    template_rules.check_parameters(template, wanted.get("components") or [])
    return template


def _check_contact(unit: Unit, phone: Phone, contact: Contact, template: Template | None) -> None:
    kinds = suppressed(unit.session, [contact.id]).get(contact.id, frozenset())
    if is_suppressed(kinds, template):
        raise Impossible(
            "This contact must not be sent messages of this kind: they opted out or cannot be reached. "
            "A manager can lift that on the contact's page.",
            code="recipient_suppressed",
        )
    if template is None:
        ends = window_ends(unit.session, phone_number_id=phone.id, contact_id=contact.id)
        if ends is None or ends <= unit.now:
            raise Impossible(
                "The customer has not written to this number in the last 24 hours, so Meta takes only "
                "templates. Send a template instead.",
                code="window_closed",
            )


def _take_slot(unit: Unit, phone: Phone, *, direct: bool) -> Throughput:
    """The lane's throughput; with ``direct``, after taking one slot of it."""
    lane = unit.session.get(Lane, phone.id, with_for_update=direct)
    if lane is None:
        raise LookupError(f"phone {phone.id} has no lane")
    limit, plan = lane_limit(unit, phone)
    if direct and not unit.throughput_lifted:
        if lane_rules.free(lane.slots, limit=limit, now=unit.now) == 0:
            free_at = lane_rules.next_free_at(lane.slots, limit=limit, now=unit.now)
            throughput = lane_rules.measure(lane.slots, limit=limit, now=unit.now)
            raise TooMany(
                "Phone throughput limit exceeded",
                code="throughput_exceeded",
                plan=plan.value,
                retry_after_s=max(1, round((free_at - unit.now).total_seconds())),
                throughput=throughput,
            )
        lane.slots = lane_rules.take(lane.slots, count=1, now=unit.now)
        unit.session.add(lane)
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
