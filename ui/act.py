"""The one way from an event of a page to the core: off the event loop, refusals as toasts.

``act`` for what changes something, ``ask`` for what only looks; both run blocking work in a thread. Every
handler that a part of ours takes goes through ``handler``; those given to NiceGUI directly are caught by the
page (see ``ui/page.py``), so a refusal never ends in silence.
"""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar, overload

import structlog
from nicegui import ui

from core.errors import ConfirmRequired, DomainError, NotSignedIn
from ui.parts.toast import toast
from ui.session import SIGN_IN

Found = TypeVar("Found")
Prove = Callable[[], Awaitable[bool]]

CRASHED = "Something went wrong on our side. The error was logged; try again in a moment."
log = structlog.get_logger()


async def ask(work: Callable[[], Found]) -> Found:
    """What ``work`` returns, from a thread. Refusals are raised."""
    return await asyncio.to_thread(work)


@overload
async def act(
    work: Callable[[], None], *, done: str | None = None, prove: Prove | None = None
) -> Literal[True] | None: ...
@overload
async def act(
    work: Callable[[], Awaitable[Found]], *, done: str | None = None, prove: Prove | None = None
) -> Found | None: ...
@overload
async def act(
    work: Callable[[], Found], *, done: str | None = None, prove: Prove | None = None
) -> Found | None: ...
async def act(work: Callable[[], Any], *, done: str | None = None, prove: Prove | None = None) -> Any:
    """What ``work`` returns (True for work that returns nothing), or None when it was refused: then its
    sentence stands in a toast.

    ``work`` is blocking and runs in a thread, or is a coroutine function and is awaited. ``done`` is the
    toast of success. Work that wants the person's password again is tried once more after ``prove``.
    """
    try:
        try:
            found = await _run(work)
        except ConfirmRequired:
            if prove is None:
                raise
            if not await prove():
                return None
            found = await _run(work)
    except DomainError as refusal:
        show(refusal)
        return None
    if done is not None:
        toast(done, "good")
    return True if found is None else found


async def _run(work: Callable[[], Any]) -> Any:
    return await work() if inspect.iscoroutinefunction(work) else await asyncio.to_thread(work)


def handler(run: Callable[..., Any]) -> Callable[..., Awaitable[None]]:
    """``run`` as an event handler: awaited if need be, its refusals shown, its crashes logged and said."""

    @functools.wraps(run)  # NiceGUI looks at the signature to know whether to hand over the event
    async def handled(*arguments: Any) -> None:
        with ui.context.client:  # not in the place of what was clicked: the handler may take that away
            try:
                answer = run(*arguments)
                if inspect.isawaitable(answer):
                    await answer
            except DomainError as refusal:
                show(refusal)
            except Exception:  # the last place before NiceGUI, which would say nothing to the person
                log.exception("a handler of a page failed")
                toast(CRASHED, "bad")

    return handled


def show(error: Exception) -> None:
    """Tells the person of this page what was refused; one who is no longer signed in is sent to sign in."""
    if isinstance(error, NotSignedIn) and error.code == NotSignedIn.code:
        ui.navigate.to(SIGN_IN)
    elif isinstance(error, DomainError):
        toast(error.sentence, "bad")
    else:
        toast(CRASHED, "bad")
