"""Keeping a token alive, as durable work: inspect, exchange, prove, switch (K1, K2). Each step is on disk
before the next begins, and the old token is the one in use until the new one is proven: whatever process
dies, wherever it dies, a token that works remains."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar

import structlog

from core.errors import Conflict, DomainError
from core.phones.queries import open_token
from core.phones.sync import refusal
from core.ports.graph import Graph
from core.ports.graph_replies import GraphError
from core.ports.graph_tokens import NewToken, TokenFacts
from core.ports.meta_errors import ErrorClass, classify
from core.ports.vault import token_field
from core.runtime import Runtime
from core.tokens import rules
from core.tokens.due import Turn, has_due, mine, sweep_all, take_due
from core.tokens.renewal import holds_lanes, works
from core.tokens.rules import Step
from core.tokens.telling import needs_person
from core.unit import Identity, Unit
from data.columns import from_micros
from data.sending import AccessToken

Found = TypeVar("Found")
REFRESHER = Identity(process="tokens")
ERROR_MAX = 500

log = structlog.get_logger()


class Overtaken(Exception):
    """Somebody else has the token in hand now: this turn ends, and writes nothing."""


class GaveUp(Exception):
    """The attempt failed. ``is_final``: trying again would change nothing. ``drops_new``: so that the next
    attempt exchanges again."""

    def __init__(self, why: str, *, is_final: bool = False, drops_new: bool = False) -> None:
        super().__init__(why)
        self.why = why[:ERROR_MAX]
        self.is_final = is_final
        self.drops_new = drops_new


@dataclass(frozen=True, slots=True)
class _Held:
    """The token in use, and the one that was exchanged for it earlier and is still to be proven."""

    token: str = field(repr=False)
    new: str | None = field(repr=False)


def keep_alive(runtime: Runtime) -> None:
    """Every token whose time has come has had its turn; one that fails holds up no other."""
    with runtime.unit(REFRESHER) as unit:
        if not has_due(unit):
            return
    with runtime.unit(REFRESHER, write=True) as unit:
        turns = take_due(unit)
    if turns:
        asyncio.run(_take_all(replace(runtime, graph=runtime.graph.again()), turns))


def look_at_all(runtime: Runtime) -> int:
    """Every token is to be looked at soon, but for those that wait for a retry; returns how many. So it is
    several times a day (K1), and after a start: nobody knows what Meta did meanwhile."""
    with runtime.unit(REFRESHER, write=True) as unit:
        return sweep_all(unit)


async def _take_all(runtime: Runtime, turns: list[Turn]) -> None:
    try:
        await asyncio.gather(*(take(runtime, turn) for turn in turns))
    finally:
        await runtime.graph.close()


async def take(runtime: Runtime, turn: Turn) -> None:
    """One turn of one token, to its end: well, exchanged, or with a failure on record and a time for the next
    attempt."""
    work = _Work(runtime, turn)
    try:
        await work.run()
    except Overtaken:
        log.info("a token was taken up by somebody else", token=turn.token_id)
    except GaveUp as failure:
        await work.fail(failure)
    except DomainError as error:  # the database; the lease brings the token back
        log.warning("a token's turn ended early", token=turn.token_id, reason=error.sentence)


class _Work:
    def __init__(self, runtime: Runtime, turn: Turn) -> None:
        self._runtime = runtime
        self._graph: Graph = runtime.graph
        self._turn = turn
        self._identity = replace(REFRESHER, workspace_id=turn.workspace_id)

    async def run(self) -> None:
        held = await self._do(self._open)
        new = held.new
        if new is None:
            step = await self._inspect(held.token)
            if step is Step.NOTHING:
                return
            if step is Step.PROVE:
                await self._prove(held.token, is_new=False)
                await self._do(lambda unit, token: _go_on(unit, token))
                return
            new = await self._exchange(held.token)
        await self._prove(new, is_new=True)
        await self._do(_switch)

    async def fail(self, failure: GaveUp) -> None:
        try:
            await self._do(lambda unit, token: _note_failure(unit, token, failure))
        except Overtaken:
            log.info("a failure came too late to matter", token=self._turn.token_id)

    async def _inspect(self, token: str) -> Step:
        try:
            facts = await self._graph.inspect_token(token=token)
        except GraphError as error:
            raise GaveUp(_sentence(error)) from None
        return await self._do(lambda unit, row: _note_facts(unit, row, facts))

    async def _exchange(self, token: str) -> str:
        missing = self._runtime.settings.missing_app_settings
        if missing:
            raise GaveUp(missing_words(missing), is_final=True)
        try:
            made = await self._graph.exchange_token(token=token)
        except GraphError as error:
            raise GaveUp(_sentence(error)) from None
        await self._do(lambda unit, row: _keep_new(unit, row, made))
        return made.token

    async def _prove(self, token: str, *, is_new: bool) -> None:
        try:
            await self._graph.prove_token(waba_id=self._turn.waba_id, token=token)
        except GraphError as error:
            what = "The new token does not work." if is_new else "Meta says that it is valid, and refuses it."
            raise GaveUp(f"{what} {_sentence(error)}", drops_new=is_new and not _can_pass(error)) from None

    def _open(self, unit: Unit, token: AccessToken) -> _Held:
        def opened(sealed: bytes) -> str:
            return open_token(unit, sealed, workspace_id=token.workspace_id, waba_id=token.waba_id)

        try:
            return _Held(opened(token.sealed), opened(token.new_sealed) if token.new_sealed else None)
        except Conflict as error:
            raise GaveUp(error.sentence, is_final=True, drops_new=True) from None

    async def _do(self, step: Callable[[Unit, AccessToken], Found]) -> Found:
        """``step`` in a transaction of its own, on the row while it is ours. Overtaken when it is not."""

        def work() -> Found:
            with self._runtime.unit(self._identity, write=True) as unit:
                token = mine(unit, self._turn)
                if token is None:
                    raise Overtaken
                return step(unit, token)

        return await asyncio.to_thread(work)


def note_facts(unit: Unit, token: AccessToken, facts: TokenFacts) -> None:
    """What Meta says of the token is on record. Of a dead one it says nothing that was not known."""
    token.inspected_at = unit.now
    if facts.is_valid:
        token.kind = facts.kind
        token.scopes = None if facts.scopes is None else list(facts.scopes)
        token.expires_at = from_micros(facts.expires_at_s * 1_000_000) if facts.expires_at_s else None
    unit.session.add(token)


def missing_words(missing: tuple[str, ...]) -> str:
    """What to set before Meta exchanges a token."""
    are = "is" if len(missing) == 1 else "are"
    return f"{' and '.join(missing)} {are} not set, so Waypost cannot exchange the token."


def _note_facts(unit: Unit, token: AccessToken, facts: TokenFacts) -> Step:
    note_facts(unit, token, facts)
    if not facts.is_valid:
        _refuse(unit, token, facts.problem)
        return Step.NOTHING
    is_wanted = token.wants_new or token.needs_attention or holds_lanes(unit, token.waba_id)
    step = rules.next_step(expires_at=token.expires_at, is_wanted=is_wanted, now=unit.now)
    if step is Step.NOTHING:
        works(unit, token)
    return step


def _refuse(unit: Unit, token: AccessToken, problem: str) -> None:
    """Only a person can help: a dead token is exchanged for nothing."""
    why = f"Meta takes it no more: {problem}"[:ERROR_MAX]
    if token.refused_at is None:
        token.refused_at = unit.now
        unit.record("token.refused", f"token:{token.id}", after={"error": why})
    token.due_at = None
    token.wants_new = False
    token.new_sealed = None
    needs_person(unit, token, why)
    unit.session.add(token)


def _keep_new(unit: Unit, token: AccessToken, made: NewToken) -> None:
    token.new_sealed = unit.vault.seal(
        made.token, workspace_id=token.workspace_id, field=token_field(token.waba_id)
    )
    token.new_expires_at = unit.now + timedelta(seconds=made.lives_s) if made.lives_s else None
    unit.session.add(token)


def _switch(unit: Unit, token: AccessToken) -> None:
    """The proven token is the one in use from now on; the one before it is forgotten."""
    if token.new_sealed is None:
        raise Overtaken
    before = token.expires_at
    attempt = token.attempts + 1
    token.sealed, token.expires_at = token.new_sealed, token.new_expires_at
    token.new_sealed = token.new_expires_at = None
    token.refreshed_at = unit.now
    freed = works(unit, token)
    if token.expires_at is None:  # Meta did not say for how long; an inspection does
        token.due_at = unit.now
    unit.record(
        "token.refreshed",
        f"token:{token.id}",
        before={"expires_at": before.isoformat() if before else None},
        after={
            "expires_at": token.expires_at.isoformat() if token.expires_at else None,
            "attempt": attempt,
            **freed.facts,
        },
    )


def _go_on(unit: Unit, token: AccessToken) -> None:
    """It works as it is. What was held for it goes."""
    freed = works(unit, token)
    unit.record("token.proven", f"token:{token.id}", after=freed.facts)


def _note_failure(unit: Unit, token: AccessToken, failure: GaveUp) -> None:
    token.attempts += 1
    token.last_error = failure.why
    if failure.drops_new:
        token.new_sealed = token.new_expires_at = None
    wait = None if failure.is_final else _wait(unit, token)
    token.due_at = unit.now + wait if wait is not None else None
    unit.record(
        "token.refresh_failed",
        f"token:{token.id}",
        after={
            "attempt": token.attempts,
            "error": failure.why,
            "next_attempt_at": token.due_at.isoformat() if token.due_at else None,
        },
    )
    is_urgent = token.wants_new or token.needs_attention or rules.is_near(token.expires_at, now=unit.now)
    if wait is None and (is_urgent or failure.is_final):
        needs_person(unit, token, failure.why)
    unit.session.add(token)


def _wait(unit: Unit, token: AccessToken) -> timedelta | None:
    return rules.wait_after(token.attempts, delays=unit.settings.waypost_token_refresh_delays)


def _can_pass(error: GraphError) -> bool:
    reply = error.reply
    if reply.meta_code is None:
        return True
    why = classify(reply.meta_code, http_status=reply.http_status or 0, is_transient=reply.is_transient)
    return why.klass in (ErrorClass.RETRY, ErrorClass.WAIT)


def _sentence(error: GraphError) -> str:
    return refusal(error).sentence
