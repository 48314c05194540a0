"""Reading accounts from Meta: by hand, every hour, and soon after a webhook said that something changed."""

import asyncio
from dataclasses import replace

import structlog

from core.errors import Impossible
from core.phones import commands
from core.phones.commands import Described
from core.phones.due import Reading
from core.phones.health import PhoneHealth, understand
from core.phones.queries import token_of, waba_of
from core.phones.reading import read_waba
from core.ports.graph import Graph
from core.ports.graph_replies import GraphError
from core.ports.meta_errors import ErrorClass, classify, explain
from core.runtime import Runtime
from core.unit import Identity
from data.sending import Phone

log = structlog.get_logger()


async def sync_phone(runtime: Runtime, identity: Identity, phone_number_id: str) -> None:
    """The number, its account and its business are as Meta describes them now. Impossible ``meta_…`` when
    Meta refuses."""

    def find() -> str:
        with runtime.unit(identity) as unit:
            unit.require("phones.manage")
            return unit.find(Phone, phone_number_id, called="phone number").waba_id

    waba_id = await asyncio.to_thread(find)

    def note() -> None:
        with runtime.unit(identity, write=True) as unit:
            unit.record("phone.synced", f"phone:{phone_number_id}")

    await _sync(runtime, identity, waba_id)
    await asyncio.to_thread(note)


async def read_health(runtime: Runtime, identity: Identity, phone_number_id: str) -> PhoneHealth:
    """Why the number can or cannot send, as Meta says now. Impossible ``meta_…`` when it refuses, Conflict
    when there is no token to ask with."""

    def token() -> str:
        with runtime.unit(identity) as unit:
            unit.require("phones.view")
            phone = unit.find(Phone, phone_number_id, called="phone number")
            return token_of(unit, waba_id=phone.waba_id)

    try:
        said = await runtime.graph.health(node_id=phone_number_id, token=await asyncio.to_thread(token))
    except GraphError as error:
        raise refusal(error) from None
    return understand(said)


async def read_account(graph: Graph, *, waba_id: str, token: str) -> Described:
    """All that Meta says of the account, its numbers and its business. Impossible when Meta refuses."""
    try:
        waba, phones = await asyncio.gather(
            graph.waba(waba_id=waba_id, token=token), graph.phones(waba_id=waba_id, token=token)
        )
    except GraphError as error:
        raise refusal(error) from None
    business_id = read_waba(waba).business_id
    business = None
    if business_id is not None and business_id.isdigit():
        try:
            business = await graph.business(business_id=business_id, token=token)
        except GraphError as error:  # many a token may not; the account itself says the most of it
            log.info("the business could not be read", waba=waba_id, reason=str(error))
    return Described(waba, phones, business)


def refusal(error: GraphError) -> Impossible:
    """What Meta's refusal of a call that is no send means, for a person. The advice of most codes speaks of
    messages; only what stops a whole lane says what to do here too."""
    reply = error.reply
    if reply.meta_code is not None:
        why = classify(reply.meta_code, http_status=reply.http_status or 0, is_transient=reply.is_transient)
    else:
        why = explain(reply.word or "bad_response")
    advice = why.advice if why.klass is ErrorClass.HOLD else ""
    parts = (f"Meta refused: {why.title}", reply.detail, advice)
    return Impossible(
        " ".join(f"{part.strip().rstrip('.')}." for part in parts if part.strip()), code=why.code
    )


async def _sync(runtime: Runtime, identity: Identity, waba_id: str) -> None:
    def prepare() -> tuple[str, bool]:
        with runtime.unit(identity) as unit:
            waba = waba_of(unit, waba_id)
            return token_of(unit, waba_id=waba.id), waba.restriction is not None

    token, is_restricted = await asyncio.to_thread(prepare)
    described = await read_account(runtime.graph, waba_id=waba_id, token=token)
    if is_restricted:
        described = replace(described, is_free=await _is_free(runtime.graph, waba_id=waba_id, token=token))

    def store() -> None:
        with runtime.unit(identity, write=True) as unit:
            commands.store(unit, waba=waba_of(unit, waba_id), described=described)

    await asyncio.to_thread(store)


async def _is_free(graph: Graph, *, waba_id: str, token: str) -> bool:
    """Whether Meta says that the account may send; not when it says nothing."""
    try:
        health = understand(await graph.health(node_id=waba_id, token=token))
    except GraphError as error:
        raise refusal(error) from None
    return any(part.kind == "WABA" and part.can_send == "AVAILABLE" for part in health.parts)


READING = Reading("sync_due_at", "sync_error", _sync)
