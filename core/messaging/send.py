"""The direct way: store, call Meta now, write down what came of it, answer."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from sqlmodel import col, select

from core.errors import DomainError, Forbidden, Unavailable
from core.messaging import intake
from core.messaging.answers import SendAnswer, answer_of
from core.messaging.checks import TemplateUnknown
from core.messaging.claiming import Claim
from core.messaging.intake import Stored
from core.messaging.requests import SendRequest
from core.messaging.settling import Result, settle
from core.phones.queries import token_of, waba_of
from core.ports.graph import GraphError, Reply
from core.runtime import Runtime
from core.templates import commands as templates
from core.unit import Actor, Identity, Unit, load_actor
from data.messages import Message

DIRECT = Identity(process="direct")
SYNC_AGAIN_AFTER = timedelta(seconds=10)
# An answer that cannot be written down yet is kept for as long as the message is ours.
PAUSE_WHEN_UNAVAILABLE_S = 0.25


@dataclass(frozen=True, slots=True)
class _Asked:
    """A send that is to be stored."""

    identity: Identity
    request: SendRequest


@dataclass(frozen=True, slots=True)
class _Answered:
    """A send that is to be settled: what was asked for, claimed and first answered, and what Meta said."""

    request: SendRequest
    claim: Claim
    answer: SendAnswer
    reply: Reply


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


async def sync_templates(runtime: Runtime, identity: Identity, *, waba_id: str, name: str) -> bool:
    """Our copies of the templates of that name are Meta's; False when they were asked for just now, or Meta
    cannot be asked."""
    token = await asyncio.to_thread(_token_to_sync, runtime, identity, waba_id)
    if token is None:
        return False
    try:
        nodes = await runtime.graph.templates(waba_id=waba_id, token=token, name=name)
    except GraphError:
        return False
    await asyncio.to_thread(_store_templates, runtime, identity, waba_id, nodes)
    return True


async def _send(runtime: Runtime, identity: Identity, request: SendRequest) -> SendAnswer:
    stored: Stored = await _written(runtime, _Asked(identity, request))
    claim = stored.claim
    if claim is None:
        return stored.answer
    reply = await runtime.graph.send(
        phone_number_id=claim.phone_number_id, token=claim.token, body=claim.body
    )
    give_up = runtime.clock.monotonic() + runtime.settings.lease_s
    while True:
        try:
            answer: SendAnswer = await _written(runtime, _Answered(request, claim, stored.answer, reply))
            return answer
        except Unavailable:
            if runtime.clock.monotonic() > give_up:
                raise
            await asyncio.sleep(PAUSE_WHEN_UNAVAILABLE_S)


async def _written(runtime: Runtime, asked: _Asked | _Answered) -> Any:
    """Stored for ``_Asked``, a SendAnswer for ``_Answered``; on disk.

    On PostgreSQL each has a transaction of its own: it has many writers, and groups that wait for each
    other's locks would deadlock.
    """
    if runtime.database.is_sqlite:
        return await runtime.together.write(partial(_write, runtime), asked)
    [outcome] = await asyncio.to_thread(_write, runtime, [asked])
    return outcome


def _write(runtime: Runtime, asked: list[_Asked | _Answered]) -> list[Any]:
    """One transaction for all: first what came back is settled, then what is new is stored."""
    if len(asked) == 1 and isinstance(asked[0], _Asked):
        with runtime.unit(asked[0].identity, write=True) as unit:
            return [intake.store(unit, asked[0].request)]
    with runtime.unit(DIRECT, write=True) as unit:
        answers = _settle(unit, [one for one in asked if isinstance(one, _Answered)])
        return [
            answers[one.claim.message_id] if isinstance(one, _Answered) else _store(unit, one)
            for one in asked
        ]


def _store(unit: Unit, asked: _Asked) -> Stored | DomainError:
    """One of several in this transaction, by its own actor. A refused send has written nothing."""
    identity = asked.identity
    own = replace(unit, identity=identity, actor=_actor(unit, identity))
    try:
        stored = intake.store(own, asked.request)
    except Forbidden as refusal:
        own.record("refused", str(refusal.facts.get("permission", "")))
        return refusal
    except DomainError as refusal:
        return refusal
    unit.rings |= own.rings
    return stored


def _actor(unit: Unit, identity: Identity) -> Actor:
    return unit.once(
        "actor",
        replace(identity, address=None, request_id=None),
        ask=lambda: load_actor(unit.session, identity, now=unit.now, settings=unit.settings),
    )


def _settle(unit: Unit, answered: list[_Answered]) -> dict[str, SendAnswer]:
    """message id → what its sender is told."""
    if not answered:
        return {}
    settle(unit, [Result(one.claim.message_id, one.claim.attempt, one.reply) for one in answered])
    found = select(Message).where(col(Message.id).in_([one.claim.message_id for one in answered]))
    messages = {message.id: message for message in unit.session.exec(found)}
    return {one.claim.message_id: _answer(unit, messages[one.claim.message_id], one) for one in answered}


def _answer(unit: Unit, message: Message, answered: _Answered) -> SendAnswer:
    answer = answer_of(message, throughput=answered.answer.throughput)
    if answered.request.idempotency is not None:
        intake.remember_answer(
            unit,
            workspace_id=message.workspace_id,
            message_id=message.id,
            key=answered.request.idempotency[0],
            answer=answer,
        )
    return answer


def _token_to_sync(runtime: Runtime, identity: Identity, waba_id: str) -> str | None:
    with runtime.unit(identity) as unit:
        waba = waba_of(unit, waba_id)
        if waba.templates_synced_at is not None and waba.templates_synced_at + SYNC_AGAIN_AFTER > unit.now:
            return None
        return token_of(unit, waba_id=waba_id)


def _store_templates(
    runtime: Runtime, identity: Identity, waba_id: str, nodes: list[dict[str, object]]
) -> None:
    with runtime.unit(identity, write=True) as unit:
        templates.store(unit, waba=waba_of(unit, waba_id), nodes=nodes, complete=False)
