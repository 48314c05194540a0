"""Connecting a WhatsApp Business Account: its token, numbers and templates, or a new token for it."""

import asyncio
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from core.errors import Conflict, Impossible, Malformed
from core.lanes import commands as lanes
from core.phones import commands as phones
from core.phones.queries import TOKEN_FIELD
from core.ports.graph import GraphError
from core.ports.meta_errors import classify, explain
from core.runtime import Runtime
from core.templates import commands as template_commands
from core.unit import Identity, Unit
from data.columns import from_micros
from data.enums import HoldCause, HoldScope
from data.sending import AccessToken, Waba

TOKEN_MAX = 4096


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
    waba: dict[str, Any]
    phones: list[dict[str, Any]]
    templates: list[dict[str, Any]]
    expires_at_s: int | None


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
    try:
        return _Read(
            waba=await graph.waba(waba_id=waba_id, token=token),
            phones=await graph.phones(waba_id=waba_id, token=token),
            templates=await graph.templates(waba_id=waba_id, token=token),
            expires_at_s=await graph.token_expiry(token=token),
        )
    except GraphError as error:
        reply = error.reply
        if reply.meta_code is not None:
            why = classify(
                reply.meta_code, http_status=reply.http_status or 0, is_transient=reply.is_transient
            )
        else:
            why = explain(reply.word or "bad_response")
        raise Impossible(
            f"Meta refused: {why.title}. {reply.detail} {why.advice}".replace("  ", " "), code=why.code
        ) from None


def _store(runtime: Runtime, identity: Identity, waba_id: str, token: str, read: _Read) -> Connection:
    with runtime.unit(identity, write=True) as unit:
        unit.require("tokens.manage")
        unit.require("phones.manage")
        waba = _refuse_foreign(unit, waba_id) or Waba(
            id=waba_id, workspace_id=unit.workspace_id, name="", connected_at=unit.now
        )
        waba.name = str(read.waba.get("name") or waba_id)
        unit.session.add(waba)
        unit.session.flush()
        stored = phones.store(unit, waba=waba, nodes=read.phones)
        count = template_commands.store(unit, waba=waba, nodes=read.templates, complete=True)
        row = unit.session.exec(select(AccessToken).where(col(AccessToken.waba_id) == waba_id)).first()
        action = "token.replaced" if row else "waba.connected"
        row = row or AccessToken(id=unit.new_id("tok"), workspace_id=unit.workspace_id, waba_id=waba_id)
        row.sealed = unit.vault.seal(token, workspace_id=unit.workspace_id, field=TOKEN_FIELD)
        row.expires_at = from_micros(read.expires_at_s * 1_000_000) if read.expires_at_s else None
        row.replaced_at = unit.now
        unit.session.add(row)
        for phone in stored:
            lanes.release(unit, scope=HoldScope.LANE, subject=phone.id, cause=HoldCause.TOKEN)
        unit.record(action, f"waba:{waba_id}", after={"phones": [p.id for p in stored], "templates": count})
        unit.ring()
        return Connection(
            waba_id=waba_id,
            phones=[ConnectedPhone(phone.id, phone.display_number) for phone in stored],
            templates=count,
            token_id=row.id,
        )
