"""Which workspace this browser works in, and as what: forms of the frame, which leave every page behind."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from core.errors import DomainError
from core.runtime import Runtime
from core.team.platform import leave_support
from core.team.sessions import switch_workspace, view_as, view_as_self
from core.unit import Identity, Unit
from data.enums import Role
from ui.api.route import open_to_all, runtime_of
from ui.bare import bare_page
from ui.security import is_from_own_page
from ui.session import SIGN_IN, identity_of_browser

SWITCH = "/auth/switch"
VIEW_AS = "/auth/view-as"
LEAVE_SUPPORT = "/auth/leave-support"
FOREIGN = "That form did not come from this console. Go back, reload the page and try again."

router = APIRouter(include_in_schema=False)


@router.post(SWITCH)
@open_to_all
async def switch(request: Request) -> Response:
    """To another workspace of one's own."""
    workspace_id = await _field(request, "workspace")
    return await _do(request, lambda unit: switch_workspace(unit, workspace_id))


@router.post(VIEW_AS)
@open_to_all
async def look_as(request: Request) -> Response:
    """As a lesser role sees it; without a role as oneself again."""
    role = await _field(request, "role")
    if role not in list(Role):
        return await _do(request, view_as_self)
    return await _do(request, lambda unit: view_as(unit, Role(role)))


@router.post(LEAVE_SUPPORT)
@open_to_all
async def go_back(request: Request) -> Response:
    """Out of a workspace that one looked into for the platform."""
    return await _do(request, leave_support, to="/workspaces")


async def _do(request: Request, command: Callable[[Unit], None], *, to: str = "/") -> Response:
    runtime = runtime_of(request)
    identity = identity_of_browser(request, runtime.settings)
    if not is_from_own_page(request.headers, runtime.settings):
        return bare_page("Nothing was changed", FOREIGN, status=403)
    if identity is None:
        return RedirectResponse(SIGN_IN, 303)
    try:
        await asyncio.to_thread(_write, runtime, identity, command)
    except DomainError as refusal:
        return bare_page("Nothing was changed", refusal.sentence, status=refusal.status)
    return RedirectResponse(to, 303)


def _write(runtime: Runtime, identity: Identity, command: Callable[[Unit], None]) -> None:
    with runtime.unit(identity, write=True) as unit:
        command(unit)


async def _field(request: Request, name: str) -> str:
    value = (await request.form()).get(name)
    return value[:200] if isinstance(value, str) else ""
