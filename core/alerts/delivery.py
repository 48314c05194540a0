"""Takes due notices to where they go, several at once and outside every transaction."""

import asyncio

import structlog

from core.alerts.telling import NoticeClaim, claim, gather, has_due, settle
from core.ports import outward, services
from core.ports.outward import NotTold, Post
from core.ports.vault import VaultError
from core.runtime import Runtime
from core.unit import Identity
from data.enums import ChannelKind

log = structlog.get_logger()

HERALD = Identity(process="alerts")


def tell_due(runtime: Runtime) -> int:
    """What is due at this moment has had an attempt each; how many were made.

    A crash between a receiver's yes and our note of it tells it twice, under the same id. Mail is told
    once: it is handed over in the transaction that says so.
    """
    with runtime.unit(HERALD) as unit:
        if not has_due(unit):
            return 0
    with runtime.unit(HERALD, write=True) as unit:
        gather(unit)
        unit.session.flush()
        claims = claim(unit)
    if claims:
        asyncio.run(_tell_all(runtime, claims))
    return len(claims)


async def _tell_all(runtime: Runtime, claims: list[NoticeClaim]) -> None:
    await asyncio.gather(*(_tell(runtime, one) for one in claims))


async def _tell(runtime: Runtime, claimed: NoticeClaim) -> None:
    error = None
    try:
        await _carry(runtime, claimed)
    except NotTold as refusal:
        error = refusal
        log.warning("a channel was not told", notice=claimed.id, attempt=claimed.attempt, why=error.sentence)
    await asyncio.to_thread(_settle, runtime, claimed, error)


def _settle(runtime: Runtime, claimed: NoticeClaim, error: NotTold | None) -> None:
    with runtime.unit(HERALD, write=True) as unit:
        settle(unit, claimed, error=error)


async def _carry(runtime: Runtime, claimed: NoticeClaim) -> None:
    may_be_private = runtime.settings.waypost_alerts_private_targets
    url = _open(runtime, claimed, claimed.sealed_target, claimed.target_field)
    if claimed.kind is ChannelKind.SERVICE:
        await asyncio.to_thread(
            services.tell,
            url,
            subject=claimed.subject,
            text=claimed.text,
            is_urgent=claimed.is_urgent,
            may_be_private=may_be_private,
        )
        return
    secret = _open(runtime, claimed, claimed.sealed_secret or b"", claimed.secret_field)
    call = Post(
        id=claimed.id,
        url=url,
        secret=secret,
        body=claimed.body,
        at_s=int(runtime.clock.now().timestamp()),
    )
    await outward.post(call, may_be_private=may_be_private)


def _open(runtime: Runtime, claimed: NoticeClaim, sealed: bytes, field: str) -> str:
    try:
        return runtime.vault.open(sealed, workspace_id=claimed.workspace_id, field=field)
    except VaultError as error:
        raise NotTold(str(error), is_final=True) from None
