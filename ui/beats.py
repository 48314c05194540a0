"""Heartbeats of the web process, and what it counted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from core.errors import Unavailable
from core.monitoring import commands as monitoring
from core.monitoring.queries import BEAT_EVERY_S
from core.runtime import Runtime
from core.unit import Identity

WEB = Identity(process="web")

log = structlog.get_logger()


@asynccontextmanager
async def beating(runtime: Runtime) -> AsyncIterator[None]:
    """For the life of the process; what it counted last is written at its end."""
    task = asyncio.create_task(_run(runtime))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(_write_counts, runtime)


async def _run(runtime: Runtime) -> None:
    while True:
        await asyncio.to_thread(_beat, runtime)
        await asyncio.sleep(BEAT_EVERY_S)


def _beat(runtime: Runtime) -> None:
    try:
        with runtime.unit(WEB, write=True) as unit:
            monitoring.beat(unit, kind=monitoring.WEB, holder=runtime.holder)
    except Unavailable as error:
        log.warning("no heartbeat", reason=error.sentence)
    _write_counts(runtime)


def _write_counts(runtime: Runtime) -> None:
    try:
        monitoring.write_counts(runtime)
    except Unavailable as error:
        log.warning("what was counted waits to be written", reason=error.sentence)
