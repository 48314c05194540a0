"""The direct way: store, call Meta now, write down what came of it, answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

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

Asked = TypeVar("Asked")
Written = TypeVar("Written")


@dataclass(frozen=True, slots=True)
class _Answered:
    """A send that is to be settled: what was stored and claimed, what was asked for, what Meta said."""

    stored: SendAnswer
    claim: Claim
    request: SendRequest
    reply: Reply


async def send(runtime: Runtime, identity: Identity, request: SendRequest) -> SendAnswer:
    """The message is on disk, and what Meta said to it too, before this returns (Q1).

    Refusals are DomainErrors and leave nothing behind. Once the message is stored the call and its
    settling are carried through even if whoever asked has gone. Sends that come together share the two
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
    stored = await _written(runtime, "store", _store, (identity, request))
    claim = stored.claim
    if claim is None:
        return stored.answer
    reply = await runtime.graph.send(
        phone_number_id=claim.phone_number_id, token=claim.token, body=claim.body
    )
    give_up = runtime.clock.monotonic() + runtime.settings.lease_s
    while True:
        try:
            return await _written(runtime, "settle", _settle, _Answered(stored.answer, claim, request, reply))
        except Unavailable:
            if runtime.clock.monotonic() > give_up:
                raise
            await asyncio.sleep(PAUSE_WHEN_UNAVAILABLE_S)


async def _written(
    runtime: Runtime,
    kind: str,
    write: Callable[[Runtime, list[Asked]], list[Written | DomainError]],
    asked: Asked,
) -> Written:
    """On PostgreSQL each in a transaction of its own: it has many writers, and groups that wait for each
    other's locks would deadlock."""
    if runtime.database.is_sqlite:
        return await runtime.together.write(kind, partial(write, runtime), asked)
    [outcome] = await asyncio.to_thread(write, runtime, [asked])
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def _store(runtime: Runtime, asked: list[tuple[Identity, SendRequest]]) -> list[Stored | DomainError]:
    if len(asked) == 1:
        [(identity, request)] = asked
        with runtime.unit(identity, write=True) as unit:
            return [intake.store(unit, request)]
    with runtime.unit(DIRECT, write=True) as unit:
        return [_store_one(unit, identity, request) for identity, request in asked]


def _store_one(unit: Unit, identity: Identity, request: SendRequest) -> Stored | DomainError:
    """One of several in this transaction, by its own actor. A refused send has written nothing."""

    def who() -> Actor:
        return load_actor(unit.session, identity, now=unit.now, settings=unit.settings)

    named = (identity.key_hash, identity.session_hash, identity.process, identity.workspace_id)
    actor = unit.once("actor", *named, ask=who)
    own = replace(unit, identity=identity, actor=actor)
    try:
        stored = intake.store(own, request)
    except Forbidden as refusal:
        own.record("refused", str(refusal.facts.get("permission", "")))
        return refusal
    except DomainError as refusal:
        return refusal
    unit.rings |= own.rings
    return stored


def _settle(runtime: Runtime, answered: list[_Answered]) -> list[SendAnswer | DomainError]:
    with runtime.unit(DIRECT, write=True) as unit:
        settle(unit, [Result(one.claim.message_id, one.claim.attempt, one.reply) for one in answered])
        found = select(Message).where(col(Message.id).in_([one.claim.message_id for one in answered]))
        messages = {message.id: message for message in unit.session.exec(found)}
        return [_answer(unit, messages[one.claim.message_id], one) for one in answered]


def _answer(unit: Unit, message: Message, answered: _Answered) -> SendAnswer:
    answer = answer_of(message, throughput=answered.stored.throughput)
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
