"""Reading templates from Meta: by hand, every hour, and soon after a webhook told of one."""

import asyncio

from sqlmodel import col, select

from core.phones.due import Reading
from core.phones.queries import token_of, waba_of
from core.phones.sync import refusal
from core.ports.graph_replies import GraphError
from core.runtime import Runtime
from core.templates import commands
from core.unit import Identity
from data.sending import Waba


async def sync_templates(runtime: Runtime, identity: Identity) -> int:
    """Our copies of all templates of the workspace are Meta's; returns how many Meta has. Impossible
    ``meta_…`` when Meta refuses, Conflict when an account has no token."""

    def find() -> list[str]:
        with runtime.unit(identity) as unit:
            unit.require("templates.manage")
            ids = select(Waba.id).where(col(Waba.workspace_id) == unit.workspace_id).order_by(col(Waba.id))
            return list(unit.session.exec(ids))

    count = sum([await _sync(runtime, identity, waba_id) for waba_id in await asyncio.to_thread(find)])

    def note() -> None:
        with runtime.unit(identity, write=True) as unit:
            unit.require("templates.manage")
            unit.record("templates.synced", f"workspace:{unit.workspace_id}", after={"templates": count})

    await asyncio.to_thread(note)
    return count


async def _sync(runtime: Runtime, identity: Identity, waba_id: str) -> int:
    def token() -> str:
        with runtime.unit(identity) as unit:
            return token_of(unit, waba_id=waba_of(unit, waba_id).id)

    opened = await asyncio.to_thread(token)
    asked_at = runtime.clock.now()
    try:
        nodes = await runtime.graph.templates(waba_id=waba_id, token=opened)
    except GraphError as error:
        raise refusal(error) from None

    def store() -> int:
        with runtime.unit(identity, write=True) as unit:
            waba = waba_of(unit, waba_id)
            return commands.store(unit, waba=waba, nodes=nodes, complete=True, asked_at=asked_at)

    return await asyncio.to_thread(store)


READING = Reading("templates_due_at", "templates_error", _sync)
