"""What is wrong with an installation, one sentence a part."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlmodel import select

from core.errors import DomainError
from core.monitoring.queries import health
from core.ports.vault import VaultError
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.sending import AccessToken

DOCTOR = Identity(process="doctor")
TOKEN_FIELD = "access_token"  # noqa: S105 - the name of the field, sealed into the text


@dataclass(frozen=True, slots=True)
class Finding:
    part: str
    is_well: bool
    sentence: str


def examine(runtime: Runtime, *, queue_depth: Callable[[], int]) -> list[Finding]:
    """Database, queue, clock, worker, Meta, tokens: each well, or what to do."""
    return [*_database(runtime), _queue(queue_depth), _meta(runtime)]


def _database(runtime: Runtime) -> Iterator[Finding]:
    try:
        with runtime.unit(DOCTOR) as unit:
            alive = health(unit)
            tokens = _tokens(unit)
    except DomainError as error:
        yield Finding("database", False, error.sentence)
        return
    yield Finding("database", True, runtime.database.url.render_as_string(hide_password=True))
    yield _process("clock", alive.clock)
    yield _process("worker", alive.worker)
    yield tokens


def _process(part: str, word: str) -> Finding:
    sentence = (
        word if word != "stopped" else f"no {part} was seen lately; start one with: python main.py serve"
    )
    return Finding(part, word != "stopped", sentence)


def _tokens(unit: Unit) -> Finding:
    rows = list(unit.session.exec(select(AccessToken)))
    for row in rows:
        try:
            unit.vault.open(row.sealed, workspace_id=row.workspace_id, field=TOKEN_FIELD)
        except VaultError as error:
            return Finding("tokens", False, f"WABA {row.waba_id}: {error}")
        if row.expires_at is not None and row.expires_at <= unit.now:
            return Finding("tokens", False, f"WABA {row.waba_id}: the token has expired; connect it again")
    return Finding("tokens", True, f"{len(rows)} sealed, all can be opened")


def _queue(depth: Callable[[], int]) -> Finding:
    try:
        return Finding("queue", True, f"{depth()} rings waiting")
    except Exception as error:  # noqa: BLE001 - whatever the queue's storage raises is the finding
        return Finding("queue", False, f"WAYPOST_QUEUE_URL: the queue cannot be used: {error}")


def _meta(runtime: Runtime) -> Finding:
    async def ask() -> bool:
        try:
            return await runtime.graph.is_reachable()
        finally:
            await runtime.graph.close()

    url = runtime.settings.waypost_graph_url
    return (
        Finding("meta", True, url) if asyncio.run(ask()) else Finding("meta", False, f"{url} does not answer")
    )
