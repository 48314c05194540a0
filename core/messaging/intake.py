"""Taking sends: each checked, then stored with everything that its call will need (Q1).

Sends that come together are stored by the same few statements: what surrounds a statement costs more than
the statement. They share nothing else, and a refused one leaves nothing behind.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from core.billing.limits import gate_of
from core.contacts import commands as contacts
from core.contacts.queries import KnownContact, known, windows_end
from core.errors import DomainError, NotFound, TooMany
from core.lanes import rules as lane_rules
from core.lanes.now import LaneNow, lanes_now, write_slots
from core.messaging.answers import SendAnswer
from core.messaging.checks import check_template, refuse
from core.messaging.claiming import Claim
from core.messaging.detours import charge, detours
from core.messaging.idempotency import KeyUse, remember, replay, uses_of
from core.messaging.requests import SendRequest, check_payload, expiry
from core.phones.queries import only_phone, open_token
from core.unit import Unit
from data.columns import to_micros
from data.enums import Direction, MessageKind, MessageState
from data.messages import Message
from data.sending import Template

_INSERT_MESSAGES = Message.__table__.insert()  # type: ignore[attr-defined]
_INSERT_ATTEMPTS = text(
    "INSERT INTO attempt (message_id, number, round, may_duplicate, claimed_at, started_at) "
    "VALUES (:id, 1, 1, FALSE, :now, :now)"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a send left in the database. With ``claim`` the caller makes the call now; else ``answer`` is
    final. ``use``: of the Idempotency-Key that it carried."""

    answer: SendAnswer
    claim: Claim | None = None
    use: KeyUse | None = None


@dataclass(eq=False, slots=True)
class _Send:
    """One send on its way through the checks, by the unit of whoever asked. ``outcome`` ends the way."""

    unit: Unit
    request: SendRequest
    lane: LaneNow | None = None
    payload: dict[str, Any] | None = None
    template: Template | None = None
    token: str | None = None
    slot: datetime | None = None
    must_wait: bool = False
    outcome: Stored | DomainError | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """A send that passed all checks, and where its message goes."""

    send: _Send
    lane: LaneNow
    payload: dict[str, Any]
    contact: tuple[str, str]

    @property
    def is_direct(self) -> bool:
        return self.send.token is not None


def store(unit: Unit, request: SendRequest) -> Stored:
    """The message is stored: on its way if it may go now, else queued.

    Refuses, before anything is written, with the codes of a send: invalid_recipient, template_*,
    window_closed, recipient_suppressed, phone_number_required, idempotency_*, throughput_exceeded.
    """
    [outcome] = store_all([(unit, request)])
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def store_all(asked: Sequence[tuple[Unit, SendRequest]]) -> list[Stored | DomainError]:
    """What ``store`` does, for each and in their order. The units share one transaction."""
    sends = [_Send(unit, request) for unit, request in asked]
    twins = _twins(sends)
    for batch in ([send for send in sends if send not in twins], *([twin] for twin in twins)):
        _store(batch)
    return [send.outcome for send in sends if send.outcome is not None]


def _twins(sends: list[_Send]) -> list[_Send]:
    """Those that carry an earlier one's Idempotency-Key: they must see what became of it."""
    seen: set[tuple[str | None, str]] = set()
    twins = []
    for send in sends:
        if send.request.idempotency is not None:
            key = (send.unit.actor.workspace_id, send.request.idempotency[0])
            if key in seen:
                twins.append(send)
            seen.add(key)
    return twins


def _store(sends: list[_Send]) -> None:
    unit = sends[0].unit
    _each(sends, lambda send: send.unit.require("messages.send"))
    _replay(unit, sends)
    _find_lanes(unit, sends)
    _each(sends, _check)
    present = _check_contacts(unit, sends)
    _check_limits(unit, sends, present)
    _send_round(unit, sends, present)
    taken = _take_slots(sends)
    places = [
        _Place(send, send.lane, send.payload, _contact(send))
        for send in sends
        if send.outcome is None and send.lane is not None and send.payload is not None
    ]
    if places:
        wanted = {place.contact for place in places}
        _write(unit, places, contacts.touch_or_add(unit, wanted, present=present))
        write_slots(unit, taken)


def _each(sends: list[_Send], step: Callable[[_Send], None]) -> None:
    """``step`` for all that are still on their way; a refusal ends that send's way and no other's."""
    for send in sends:
        if send.outcome is None:
            try:
                step(send)
            except DomainError as refusal:
                if send.lane is not None:
                    refusal.facts.setdefault("throughput", send.lane.throughput)
                send.outcome = refusal


def _replay(unit: Unit, sends: list[_Send]) -> None:
    """Those whose key was used before are answered as then (Q12)."""
    keyed = [send for send in sends if send.outcome is None and send.request.idempotency is not None]
    uses = uses_of(unit, {_key(send) for send in keyed})

    def answer(send: _Send) -> None:
        use = uses.get(_key(send))
        if use is not None and send.request.idempotency is not None:
            send.outcome = Stored(replay(send.unit, use, hashed=send.request.idempotency[1]))

    _each(keyed, answer)


def _key(send: _Send) -> tuple[str, str]:
    assert send.request.idempotency is not None
    return send.unit.workspace_id, send.request.idempotency[0]


def _find_lanes(unit: Unit, sends: list[_Send]) -> None:
    named: dict[_Send, str] = {}

    def name(send: _Send) -> None:
        named[send] = send.request.phone_number_id or only_phone(send.unit)

    _each(sends, name)
    lanes = lanes_now(unit, set(named.values()))

    def find(send: _Send) -> None:
        lane = lanes.get(named[send])
        if lane is None or lane.workspace_id != send.unit.workspace_id:
            raise NotFound.of("phone number")
        send.lane = lane

    _each(sends, find)


def _check(send: _Send) -> None:
    assert send.lane is not None
    send.payload = check_payload(send.request.payload)
    send.template = check_template(send.unit, send.payload, waba_id=send.lane.waba_id)


def _contact(send: _Send) -> tuple[str, str]:
    """Workspace and WhatsApp id of whom it goes to."""
    assert send.payload is not None
    return send.unit.workspace_id, send.payload["to"].removeprefix("+")


def _check_contacts(unit: Unit, sends: list[_Send]) -> Mapping[tuple[str, str], KnownContact]:
    """Nothing goes to someone who must not get it; returns the contacts that there are already."""
    open_sends = [send for send in sends if send.outcome is None]
    present = known(unit.session, {_contact(send) for send in open_sends}, to_keep=True)
    pairs = {
        send: (send.lane.phone_number_id, present[_contact(send)].id)
        for send in open_sends
        if send.template is None and send.lane is not None and _contact(send) in present
    }
    windows = windows_end(unit.session, set(pairs.values()))

    def check(send: _Send) -> None:
        contact = present.get(_contact(send))
        ends = windows.get(pairs[send]) if send in pairs else None
        refuse(contact.kinds if contact else frozenset(), ends, send.template, now=unit.now)

    _each(open_sends, check)
    return present


def _check_limits(unit: Unit, sends: list[_Send], present: Mapping[tuple[str, str], KnownContact]) -> None:
    """No send opens a conversation that its workspace has no room for (B7, B11)."""
    lanes = [send.lane for send in sends if send.outcome is None and send.lane is not None]
    limited = sorted({lane.workspace_id for lane in lanes if lane.is_limited})  # in order: they are locked
    gates = {workspace_id: gate_of(unit, workspace_id) for workspace_id in limited}

    def check(send: _Send) -> None:
        lane = send.lane
        if lane is None or not lane.is_limited:
            return
        gate, contact = gates[lane.workspace_id], present.get(_contact(send))
        known_as = _contact(send)[1] if contact is None else contact.id
        refusal = None if gate is None else gate.admit((lane.phone_number_id, known_as))
        if refusal is not None:
            raise refusal

    _each(sends, check)


def _send_round(unit: Unit, sends: list[_Send], present: Mapping[tuple[str, str], KnownContact]) -> None:
    """Those that may not go at once join the queue instead."""
    going = [
        (send, send.lane, present.get(_contact(send)))
        for send in sends
        if send.outcome is None and not send.request.queued and send.lane is not None
    ]
    pairs = [(lane.phone_number_id, contact.id) for _, lane, contact in going if contact is not None]
    found = detours(unit, [lane for _, lane, _ in going], pairs)
    for send, lane, contact in going:
        known_as = _contact(send)[1] if contact is None else contact.id
        send.must_wait = not lane.is_held and found.must_wait(send.template, (lane.phone_number_id, known_as))


def _take_slots(sends: list[_Send]) -> list[LaneNow]:
    """Each direct send has its token and a slot of its phone's throughput; returns the lanes they changed.
    TooMany, with the time of the next one, for those that find all slots taken by direct sends."""
    changed: dict[str, LaneNow] = {}

    def take(send: _Send) -> None:
        lane = send.lane
        if send.request.queued or send.must_wait or lane is None or lane.is_held:
            return
        token = send.unit.once("token", lane.waba_id, ask=lambda: _token(send.unit, lane))
        if not send.unit.throughput_lifted:
            send.lane = changed.get(lane.phone_number_id, lane)
            send.lane, send.slot = _with_slot_taken(send.lane)
            changed[lane.phone_number_id] = send.lane
        send.token = token

    _each(sends, take)
    return list(changed.values())


def _token(unit: Unit, lane: LaneNow) -> str:
    return open_token(unit, lane.sealed_token, workspace_id=lane.workspace_id, waba_id=lane.waba_id)


def _with_slot_taken(lane: LaneNow) -> tuple[LaneNow, datetime]:
    """The lane with one slot more taken, and the moment of that slot."""
    taken = lane_rules.take(lane.slots, limit=lane.room, now=lane.at)
    if taken is None:
        free_at = lane_rules.next_free_at(lane.slots, limit=lane.room, now=lane.at)
        raise TooMany(
            "Phone throughput limit exceeded",
            code="throughput_exceeded",
            plan=lane.plan.value,
            retry_after_s=max(1, math.ceil((free_at - lane.at).total_seconds())),
        )
    return replace(lane, slots=taken[0]), taken[1]


def _write(unit: Unit, places: list[_Place], ids: Mapping[tuple[str, str], str]) -> None:
    """Every message, its first attempt where it goes at once, and its key. ``ids``: of all their contacts."""
    rows = [_row(place, contact_id=ids[place.contact]) for place in places]
    connection = unit.session.connection()
    connection.execute(_INSERT_MESSAGES, rows)
    now = to_micros(unit.now)
    attempts = [
        {"id": row["id"], "now": now} for place, row in zip(places, rows, strict=True) if place.is_direct
    ]
    if attempts:
        connection.execute(_INSERT_ATTEMPTS, attempts)
        charge(unit, [(p.lane.phone_number_id, ids[p.contact]) for p in places if p.is_direct])
    stored = [_stored(place, row) for place, row in zip(places, rows, strict=True)]
    remember(unit, [one.use for one in stored if one.use is not None])
    for place, one in zip(places, stored, strict=True):
        place.send.outcome = one
        if one.claim is None:
            place.send.unit.ring()


def _row(place: _Place, *, contact_id: str) -> dict[str, Any]:
    unit, request, payload = place.send.unit, place.send.request, place.payload
    template = payload.get("template") or {}
    lease_until = unit.now + timedelta(seconds=unit.settings.lease_s)
    direct = place.is_direct
    return {
        "id": unit.new_id("msg"),
        "workspace_id": unit.workspace_id,
        "phone_number_id": place.lane.phone_number_id,
        "contact_id": contact_id,
        "direction": Direction.OUTBOUND,
        "kind": MessageKind.TEMPLATE if template else MessageKind.TEXT,
        "recipient": payload["to"],
        "payload": payload,
        "template_name": template.get("name"),
        "template_language": template.get("language"),
        "state": MessageState.SENDING if direct else MessageState.QUEUED,
        "due_at": None if direct else unit.now,
        "expires_at": expiry(request, now=unit.now, settings=unit.settings),
        "attempt": 1 if direct else 0,
        "round": 1,
        "rung": 0,
        "rate_waits": 0,
        "leases_lost": 0,
        "lease_until": lease_until if direct else None,
        "lease_holder": "direct" if direct else None,
        "may_duplicate": False,
        "created_at": unit.now,
        "sent_by": unit.actor.id,
    }


def _stored(place: _Place, row: dict[str, Any]) -> Stored:
    request, token = place.send.request, place.send.token
    answer = SendAnswer.at(row["id"], row["state"], due_at=row["due_at"], throughput=place.lane.throughput)
    claim = use = None
    if token is not None:
        claim = Claim(
            message_id=row["id"],
            workspace_id=row["workspace_id"],
            phone_number_id=place.lane.phone_number_id,
            attempt=1,
            payload=place.payload,
            token=token,
            slot=place.send.slot,
        )
    if request.idempotency is not None:
        key, hashed = request.idempotency
        use = KeyUse(row["workspace_id"], key, hashed, row["id"], None if claim else answer)
    return Stored(answer, claim, use)
