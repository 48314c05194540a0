"""What is wrong with an installation, one sentence a part: what Health shows, and what only asking tells."""

import asyncio
from dataclasses import dataclass

from sqlmodel import select

from core.errors import DomainError
from core.moments import rfc3339
from core.monitoring.parts import Part, examine
from core.monitoring.rules import Standing
from core.ports.vault import VaultError, token_field
from core.runtime import Runtime
from core.unit import Identity, Unit
from data.sending import AccessToken

DOCTOR = Identity(process="doctor")


@dataclass(frozen=True, slots=True)
class Finding:
    part: str
    standing: Standing
    sentence: str


def diagnose(runtime: Runtime) -> list[Finding]:
    """The parts of Health, whether Meta's address answers, and whether every token can be opened."""
    parts = [_finding(part) for part in examine(runtime, DOCTOR)]
    return [*parts, _reach(runtime), _tokens(runtime)]


def _finding(part: Part) -> Finding:
    moment = f" {part.of} {rfc3339(part.at)}." if part.at else ""
    return Finding(part.key, part.standing, f"{part.said}{moment} {part.advice}".strip())


def _tokens(runtime: Runtime) -> Finding:
    try:
        with runtime.unit(DOCTOR) as unit:
            return _open_tokens(unit)
    except DomainError as error:
        return Finding("tokens", Standing.BAD, error.sentence)


def _open_tokens(unit: Unit) -> Finding:
    rows = list(unit.session.exec(select(AccessToken)))
    for row in rows:
        try:
            unit.vault.open(row.sealed, workspace_id=row.workspace_id, field=token_field(row.waba_id))
        except VaultError as error:
            return Finding("tokens", Standing.BAD, f"WABA {row.waba_id}: {error}")
        if row.expires_at is not None and row.expires_at <= unit.now:
            why = f"WABA {row.waba_id}: the token has expired; connect it again"
            return Finding("tokens", Standing.BAD, why)
    return Finding("tokens", Standing.WELL, f"{len(rows)} sealed, all can be opened")


def _reach(runtime: Runtime) -> Finding:
    async def ask() -> bool:
        try:
            return await runtime.graph.is_reachable()
        finally:
            await runtime.graph.close()

    url = runtime.settings.waypost_graph_url
    if asyncio.run(ask()):
        return Finding("meta address", Standing.WELL, url)
    return Finding("meta address", Standing.BAD, f"{url} does not answer")
