"""Connecting a WhatsApp Business Account: its token, numbers and templates, or a new token for it."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlmodel import col, select

from core.errors import Conflict, Malformed
from core.phones import commands as phones
from core.phones import sync
from core.phones.commands import Described
from core.ports.graph import Graph
from core.ports.graph_replies import GraphError
from core.ports.graph_tokens import TokenFacts
from core.ports.vault import token_field
from core.runtime import Runtime
from core.templates import commands as template_commands
from core.tokens.refresh import note_facts
from core.tokens.renewal import Freed, works
from core.unit import Identity, Unit
from data.sending import AccessToken, Waba

TOKEN_MAX = 4096

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ConnectedPhone:
    phone_number_id: str
    display_phone_number: str


@dataclass(frozen=True, slots=True)
class Connection:
    waba_id: str
    phones: list[ConnectedPhone]
    templates: int
    token_id: str


@dataclass(frozen=True, slots=True)
class _Read:
    described: Described
    templates: list[dict[str, Any]]
    asked_at: datetime
    facts: TokenFacts | None


async def connect(runtime: Runtime, identity: Identity, *, waba_id: str, access_token: str) -> Connection:
    """The account is connected, its token sealed and its lanes no longer held for the token.

    Everything is read from Meta before anything is stored. Impossible ``meta_…`` when Meta refuses,
    Conflict when the account belongs to another workspace.
    """
    token = access_token.strip()
    if not waba_id.isdigit():
        raise Malformed.field("wabaId", "must be Meta's id of the account: digits only")
    if not token or len(token) > TOKEN_MAX or not token.isascii() or not token.isprintable():
        raise Malformed.field("accessToken", "must be the token that Meta shows, in one line")
    await asyncio.to_thread(_check, runtime, identity, waba_id)
    read = await _read(runtime, waba_id, token)
    return await asyncio.to_thread(_store, runtime, identity, waba_id, token, read)


def _check(runtime: Runtime, identity: Identity, waba_id: str) -> None:
    with runtime.unit(identity) as unit:
        unit.require("tokens.manage")
        unit.require("phones.manage")
        unit.require_fresh()
        _refuse_foreign(unit, waba_id)


def _refuse_foreign(unit: Unit, waba_id: str) -> Waba | None:
    waba = unit.session.get(Waba, waba_id)
    if waba is not None and waba.workspace_id != unit.workspace_id:
        raise Conflict(
            "This account is connected to another workspace already.", code="waba_connected_elsewhere"
        )
    return waba


async def _read(runtime: Runtime, waba_id: str, token: str) -> _Read:
    graph = runtime.graph
    described = await sync.read_account(graph, waba_id=waba_id, token=token)
    asked_at = runtime.clock.now()
    try:
        return _Read(
            described=described,
            templates=await graph.templates(waba_id=waba_id, token=token),
            asked_at=asked_at,
            facts=await _inspect(graph, token),
        )
    except GraphError as error:
        raise sync.refusal(error) from None


async def _inspect(graph: Graph, token: str) -> TokenFacts | None:
    """None when Meta does not tell: the token has just read the account, and that is what counts."""
    try:
        return await graph.inspect_token(token=token)
    except GraphError as error:
        log.info("a token could not be inspected", reason=str(error))
        return None


def _store(runtime: Runtime, identity: Identity, waba_id: str, token: str, read: _Read) -> Connection:
    with runtime.unit(identity, write=True) as unit:
        unit.require("tokens.manage")
        unit.require("phones.manage")
        waba = _refuse_foreign(unit, waba_id) or Waba(
            id=waba_id, workspace_id=unit.workspace_id, name="", connected_at=unit.now
        )
        unit.session.add(waba)
        stored = phones.store(unit, waba=waba, described=read.described)
        count = template_commands.store(
            unit, waba=waba, nodes=read.templates, complete=True, asked_at=read.asked_at
        )
        mine = select(AccessToken).where(col(AccessToken.waba_id) == waba_id).with_for_update()
        row = unit.session.exec(mine).first()
        action = "token.replaced" if row else "waba.connected"
        row = row or AccessToken(id=unit.new_id("tok"), workspace_id=unit.workspace_id, waba_id=waba_id)
        row.sealed = unit.vault.seal(token, workspace_id=unit.workspace_id, field=token_field(waba_id))
        freed = _begin(unit, row, read.facts)
        unit.record(
            action,
            f"waba:{waba_id}",
            after={"phones": [phone.id for phone in stored], "templates": count, **freed.facts},
        )
        unit.ring()
        return Connection(
            waba_id=waba_id,
            phones=[ConnectedPhone(phone.id, phone.display_number) for phone in stored],
            templates=count,
            token_id=row.id,
        )


def _begin(unit: Unit, row: AccessToken, facts: TokenFacts | None) -> Freed:
    """Nothing that was under way with the token before it counts any more."""
    row.turn = (row.turn or 0) + 1
    row.replaced_at = row.taken_at = unit.now
    row.new_sealed = row.new_expires_at = row.refreshed_at = row.let_go = None
    row.kind = row.scopes = row.expires_at = row.inspected_at = None
    if facts is not None:
        note_facts(unit, row, facts)
    return works(unit, row)
