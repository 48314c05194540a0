"""The direct way: store, call Meta now, write down what came of it, answer."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from core.errors import DomainError, Forbidden, Impossible, Unavailable
from core.lanes.pace import Late, Missed, move_slots
from core.lanes.rules import FARTHEST, LEAD, MARGIN, TOLERANCE, seconds_until, was_missed
from core.messaging import intake
from core.messaging.answers import SendAnswer
from core.messaging.checks import TemplateUnknown
from core.messaging.claiming import Claim
from core.messaging.idempotency import remember_answers
from core.messaging.intake import Stored
from core.messaging.requests import SendRequest
from core.messaging.settling import Result, settle
from core.phones.queries import token_of, waba_of
from core.ports.graph_replies import GraphError, Reply
from core.runtime import Runtime
from core.templates import commands as templates
from core.templates.metrics import note_rejected_send
from core.templates.rules import REJECTED
from core.unit import Identity, Unit, load_actor

DIRECT = Identity(process="direct")
SYNC_AGAIN_AFTER = timedelta(seconds=10)
# An answer that cannot be written down yet is kept for as long as the message is ours.
PAUSE_WHEN_UNAVAILABLE_S = 0.25
# It was stored since its moment came, so more passes than with a queued one; the rest is the network's.
LATE_AFTER = MARGIN / 2


@dataclass(frozen=True, slots=True)
class _Asked:
    """A send that is to be stored."""

    identity: Identity
    request: SendRequest


@dataclass(frozen=True, slots=True)
class _Answered:
    """A send that is to be settled: what was stored of it, and what Meta said."""

    stored: Stored
    claim: Claim
    reply: Reply


_KINDS = {_Asked: "asked", _Answered: "answered", Missed: "slots", Late: "slots"}


async def send(runtime: Runtime, identity: Identity, request: SendRequest) -> SendAnswer:
    """The message is on disk, and what Meta said to it too, before this returns (Q1).

    Refusals are DomainErrors and leave nothing behind. Once the message is stored the call and its
    settling are carried through even if whoever asked has gone. Sends that come together share
    transactions, not their fate.
    """
    try:
        return await asyncio.shield(_send(runtime, identity, request))
    except TemplateUnknown as unknown:
        if not await sync_templates(runtime, identity, waba_id=unknown.waba_id, name=unknown.name):
            raise
        return await asyncio.shield(_send(runtime, identity, request))
    except Impossible as refusal:
        if refusal.facts.get("templateStatus") == REJECTED:
            await asyncio.to_thread(_note_rejected, runtime, identity, request)
        raise


async def sync_templates(runtime: Runtime, identity: Identity, *, waba_id: str, name: str) -> bool:
    """Our copies of the templates of that name are Meta's; False when they were asked for just now, or Meta
    cannot be asked."""
    token = await asyncio.to_thread(_token_to_sync, runtime, identity, waba_id)
    if token is None:
        return False
    asked_at = runtime.clock.now()
    try:
        nodes = await runtime.graph.templates(waba_id=waba_id, token=token, name=name)
    except GraphError:
        return False
    await asyncio.to_thread(_store_templates, runtime, identity, waba_id, nodes, asked_at)
    return True


async def _send(runtime: Runtime, identity: Identity, request: SendRequest) -> SendAnswer:
    stored: Stored = await _written(runtime, _Asked(identity, request))
    claim = stored.claim
    if claim is None:
        return stored.answer
    reply = await _call(runtime, claim, slot=await _slot_of(runtime, claim))
    give_up = runtime.clock.monotonic() + runtime.settings.lease_s
    while True:
        try:
            answer: SendAnswer = await _written(runtime, _Answered(stored, claim, reply))
            return answer
        except Unavailable:
            if runtime.clock.monotonic() > give_up:
                raise
            await asyncio.sleep(PAUSE_WHEN_UNAVAILABLE_S)


async def _call(runtime: Runtime, claim: Claim, *, slot: datetime | None) -> Reply:
    """What Meta said. The window knows by then when the request left, if that was late."""
    corrections: list[asyncio.Task[Any]] = []

    def written() -> None:
        now = runtime.clock.now()
        if slot is not None and now - slot > TOLERANCE:
            late = Late(claim.phone_number_id, slot, now)
            corrections.append(asyncio.create_task(_written(runtime, late)))

    reply = await runtime.graph.send(
        phone_number_id=claim.phone_number_id, token=claim.token, body=claim.body, on_written=written
    )
    await asyncio.gather(*corrections, return_exceptions=True)  # without it a slot is only free too soon
    return reply


async def _slot_of(runtime: Runtime, claim: Claim) -> datetime | None:
    """The slot, once the request may be written: at once, or after what a backlog took before it. One that
    was missed is another now, and the window knows of it."""
    slot, lead = claim.slot, LEAD
    while slot is not None:
        await asyncio.sleep(seconds_until(slot, now=runtime.clock.now()))
        now = runtime.clock.now()
        if not was_missed(slot, now=now, tolerance=LATE_AFTER):
            break
        lead *= 2
        missed = Missed(claim.phone_number_id, slot, now + lead, until=now + FARTHEST)
        slot = await _written(runtime, missed)
    return slot


async def _written(runtime: Runtime, asked: _Asked | _Answered | Missed | Late) -> Any:
    """Stored for ``_Asked``, a SendAnswer for ``_Answered``, its slot now for the others; on disk.

    SQLite has one writer, so all that come together share a transaction. PostgreSQL has many: there the
    kinds do not wait for each other, and each takes its locks in one order, or two processes could wait for
    each other.
    """
    kind = "direct" if runtime.database.is_sqlite else _KINDS[type(asked)]
    return await runtime.together[kind].write(partial(_write, runtime), asked)


def _write(runtime: Runtime, asked: list[_Asked | _Answered | Missed | Late]) -> list[Any]:
    """One transaction for all: first what came back is settled, then what is new is stored."""
    if len(asked) == 1 and isinstance(asked[0], _Asked):
        with runtime.unit(asked[0].identity, write=True) as unit:
            return [intake.store(unit, asked[0].request)]
    with runtime.unit(DIRECT, write=True) as unit:
        answered = _settle(unit, [one for one in asked if isinstance(one, _Answered)])
        moved = [one for one in asked if isinstance(one, Missed | Late)]
        moments = iter(move_slots(unit, moved) if moved else [])
        stored = _store(unit, [one for one in asked if isinstance(one, _Asked)])
        outcomes = {_Answered: answered, Missed: moments, Late: moments, _Asked: stored}
        return [next(outcomes[type(one)]) for one in asked]


def _store(unit: Unit, asked: list[_Asked]) -> Iterator[Stored | DomainError]:
    """Each by its own actor. A refused one has written nothing but that it was refused."""
    sends = [(_own(unit, one.identity), one.request) for one in asked]
    outcomes = intake.store_all(sends) if sends else []
    for (own, _), outcome in zip(sends, outcomes, strict=True):
        if isinstance(outcome, Forbidden):
            own.record("refused", str(outcome.facts.get("permission", "")))
        unit.rings |= own.rings
    return iter(outcomes)


def _own(unit: Unit, identity: Identity) -> Unit:
    """The same transaction, in the name of that identity."""
    actor = unit.once(
        "actor",
        replace(identity, address=None, request_id=None),
        ask=lambda: load_actor(unit.session, identity, now=unit.now, settings=unit.settings),
    )
    return replace(unit, identity=identity, actor=actor)


def _settle(unit: Unit, answered: list[_Answered]) -> Iterator[SendAnswer]:
    """What each sender is told, in order."""
    if not answered:
        return iter(())
    settled = settle(unit, [Result(one.claim.message_id, one.claim.attempt, one.reply) for one in answered])
    answers = [
        SendAnswer.at(
            now.message_id,
            now.state,
            due_at=now.due_at,
            wamid=now.wamid,
            error_code=now.error_code,
            throughput=one.stored.answer.throughput,
        )
        for one, now in zip(answered, settled, strict=True)
    ]
    remember_answers(
        unit,
        [
            replace(one.stored.use, answer=answer)
            for one, answer in zip(answered, answers, strict=True)
            if one.stored.use is not None
        ],
    )
    return iter(answers)


def _note_rejected(runtime: Runtime, identity: Identity, request: SendRequest) -> None:
    wanted = request.payload["template"]
    with runtime.unit(identity, write=True) as unit:
        note_rejected_send(unit, name=wanted["name"], language=wanted["language"])


def _token_to_sync(runtime: Runtime, identity: Identity, waba_id: str) -> str | None:
    with runtime.unit(identity) as unit:
        waba = waba_of(unit, waba_id)
        if waba.templates_synced_at is not None and waba.templates_synced_at + SYNC_AGAIN_AFTER > unit.now:
            return None
        return token_of(unit, waba_id=waba_id)


def _store_templates(
    runtime: Runtime,
    identity: Identity,
    waba_id: str,
    nodes: list[dict[str, object]],
    asked_at: datetime,
) -> None:
    with runtime.unit(identity, write=True) as unit:
        waba = waba_of(unit, waba_id)
        templates.store(unit, waba=waba, nodes=nodes, complete=False, asked_at=asked_at)
