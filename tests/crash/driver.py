"""``python driver.py POINT [LATER_S]``: a process of ours that stops itself with SIGKILL at a named point.

It works on the database and the sandbox that the environment names, through the real code; the point is set
from outside, by wrapping. ``LATER_S`` seconds are added to its clock, for leases to run out without waiting.
"""

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import main as waypost
from core.dead_letters import bulk, releasing
from core.messaging import dispatch, send, settling
from core.messaging.requests import SendRequest, template_payload
from core.ports.bell import SilentBell
from core.ports.clock import FrozenClock
from core.ports.graph import Graph
from core.runtime import Runtime
from core.unit import Identity
from jobs.schedule import rescue_all

IDEMPOTENCY = ("crash-key", "crash-hash")


def die(*_: Any, **__: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL returned")


def then_die(work: Callable[..., Any], *, when: Callable[[Any], bool] = lambda _: True) -> Callable[..., Any]:
    """``work``, and death as soon as it has returned something that ``when`` holds for."""

    @functools.wraps(work)
    def wrapped(*args: Any, **options: Any) -> Any:
        result = work(*args, **options)
        if when(result):
            die()
        return result

    return wrapped


def then_die_async(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def wrapped(*args: Any, **options: Any) -> Any:
        await work(*args, **options)
        die()

    return wrapped


def drain(runtime: Runtime) -> None:
    """The throughput would let go of some now and of some a moment later."""
    asyncio.run(dispatch.Dispatcher(replace(runtime, throughput_lifted=True)).run())


def direct(runtime: Runtime) -> None:
    workspace_id = os.environ["CRASH_WORKSPACE"]
    words = [{"type": "text", "text": word} for word in ("Mara", "NW-20418")]
    payload = template_payload(
        "+4915112300001",
        name="order_update",
        language="en_US",
        components=[{"type": "body", "parameters": words}],
    )
    request = SendRequest(payload=payload, phone_number_id=os.environ["CRASH_PHONE"], idempotency=IDEMPOTENCY)
    asyncio.run(send.send(runtime, Identity(process="test", workspace_id=workspace_id), request))


def main(point: str, runtime: Runtime) -> None:
    drained = dispatch.Dispatcher
    match point:
        case "after the claim is on disk":
            drained._settle_and_claim = then_die(  # type: ignore[method-assign]
                drained._settle_and_claim, when=lambda cycle: bool(cycle.taken.claims)
            )
            drain(runtime)
        case "after the mark is on disk":
            drained._mark = then_die(drained._mark)  # type: ignore[method-assign]
            drain(runtime)
        case "after the answer":
            Graph.send = then_die_async(Graph.send)  # type: ignore[method-assign]
            drain(runtime)
        case "while settling":
            dispatch.settle = then_die(dispatch.settle)
            drain(runtime)
        case "while rescuing":
            settling._Changes.write = then_die(settling._Changes.write)  # type: ignore[method-assign]
            rescue_all(runtime)
        case "before a direct call":
            Graph.send = die  # type: ignore[method-assign, assignment]
            direct(runtime)
        case "after a direct answer":
            Graph.send = then_die_async(Graph.send)  # type: ignore[method-assign]
            direct(runtime)
        case "while redriving":
            releasing.act_on_all = then_die(releasing.act_on_all)
            bulk.run_due(runtime)
        case "after a step of a redrive":
            bulk.run_due(runtime)
            die()
        case _:
            raise LookupError(point)


if __name__ == "__main__":
    settings = waypost._settings()
    with waypost._runtime(settings) as composed:
        ready = replace(composed, bell=SilentBell())
        if len(sys.argv) > 2:
            later = datetime.now(UTC) + timedelta(seconds=float(sys.argv[2]))
            ready = replace(ready, clock=FrozenClock(later))
        main(sys.argv[1], ready)
