"""The direct way: store, call Meta now, write down what came of it, answer."""

import asyncio
from datetime import timedelta

from core.messaging import intake
from core.messaging.answers import SendAnswer, answer_of
from core.messaging.checks import TemplateUnknown
from core.messaging.intake import Stored
from core.messaging.requests import SendRequest
from core.messaging.settling import Result, settle
from core.phones.queries import token_of, waba_of
from core.ports.graph import GraphError, Reply
from core.runtime import Runtime
from core.templates import commands as templates
from core.unit import Identity
from data.messages import Message

SYNC_AGAIN_AFTER = timedelta(seconds=10)


async def send(runtime: Runtime, identity: Identity, request: SendRequest) -> SendAnswer:
    """The message is on disk, and what Meta said to it too, before this returns (Q1).

    Refusals are DomainErrors and leave nothing behind. Once the message is stored the call and its
    settling are carried through even if whoever asked has gone.
    """
    try:
        stored = await asyncio.to_thread(_store, runtime, identity, request)
    except TemplateUnknown as unknown:
        if not await sync_templates(runtime, identity, waba_id=unknown.waba_id, name=unknown.name):
            raise
        stored = await asyncio.to_thread(_store, runtime, identity, request)
    if stored.claim is None:
        return stored.answer
    return await asyncio.shield(_carry_out(runtime, stored, request))


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


def _store(runtime: Runtime, identity: Identity, request: SendRequest) -> Stored:
    with runtime.unit(identity, write=True) as unit:
        return intake.store(unit, request)


async def _carry_out(runtime: Runtime, stored: Stored, request: SendRequest) -> SendAnswer:
    claim = stored.claim
    assert claim is not None
    reply = await runtime.graph.send(
        phone_number_id=claim.phone_number_id, token=claim.token, body=claim.body
    )
    return await asyncio.to_thread(_settle, runtime, stored, request, reply)


def _settle(runtime: Runtime, stored: Stored, request: SendRequest, reply: Reply) -> SendAnswer:
    claim = stored.claim
    assert claim is not None
    with runtime.unit(Identity(process="direct"), write=True) as unit:
        settle(unit, [Result(claim.message_id, claim.attempt, reply)])
        message = unit.session.get_one(Message, claim.message_id)
        answer = answer_of(message, throughput=stored.answer.throughput)
        if request.idempotency is not None:
            intake.remember_answer(
                unit,
                workspace_id=message.workspace_id,
                message_id=message.id,
                key=request.idempotency[0],
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
