"""Signing in and out."""

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.errors import DomainError
from core.runtime import Runtime
from core.team.owners import is_nobody_here
from core.team.sign_in import NextStep, SignedIn, sign_in, sign_out
from core.unit import ANONYMOUS, Identity
from ui.api.route import open_to_all
from ui.guard import drop_session
from ui.plain import FOREIGN, Field, form_page, read_form, runtime_of, stranger
from ui.security import is_from_own_page
from ui.session import (
    CODE,
    SET_UP,
    SIGN_IN,
    give_cookie,
    identity_of_browser,
    is_signed_in,
    own_path,
    take_cookie,
    with_target,
)

router = APIRouter(include_in_schema=False)

_STEPS = {NextStep.CODE: CODE, NextStep.SET_UP: SET_UP}
_FORGOTTEN = '<p class="foot"><a href="/forgot">Forgotten your password?</a></p>'
_EMPTY = (
    '<p class="hint">Nobody is here yet: <code>serve</code> prints a link in its terminal, with which you '
    "become the first.</p>"
)
_DEMO = '<p class="hint">Demo: address and password stand in the terminal.</p>'


@router.get(SIGN_IN)
@open_to_all
async def show(request: Request) -> Response:
    """The form; who is signed in already goes on."""
    runtime = runtime_of(request)
    target = own_path(request.query_params.get("next", "/"))
    identity = identity_of_browser(request, runtime.settings)
    if identity is not None and await asyncio.to_thread(is_signed_in, runtime, identity):
        return RedirectResponse(target, 303)
    return _page(runtime, target=target, is_empty=await asyncio.to_thread(_is_empty, runtime))


@router.post("/auth/sign-in")
@open_to_all
async def enter(request: Request) -> Response:
    """A fresh session and its cookie; or the form again, with the same sentence whatever was wrong."""
    runtime = runtime_of(request)
    form = await read_form(request)
    email, target = form.get("email", ""), own_path(form.get("next", ""))
    if not is_from_own_page(request.headers, runtime.settings):
        return _page(runtime, target=target, problem=FOREIGN, status=403)
    try:
        return await let_in(request, email=email, password=form.get("password", ""), target=target)
    except DomainError as refusal:
        return _page(runtime, target=target, email=email, problem=refusal.sentence, status=refusal.status)


@router.get("/auth/session")
@open_to_all
async def is_open(request: Request) -> Response:
    """204 while the session is live, else 401: for a page that lost its socket."""
    runtime = runtime_of(request)
    identity = identity_of_browser(request, runtime.settings)
    live = identity is not None and await asyncio.to_thread(is_signed_in, runtime, identity)
    return Response(status_code=204 if live else 401)


@router.post("/auth/sign-out")
@open_to_all
async def leave(request: Request) -> Response:
    """The session is over, on all of its pages at once."""
    runtime = runtime_of(request)
    if not is_from_own_page(request.headers, runtime.settings):
        return _page(runtime, target="/", problem=FOREIGN, status=403)
    identity = identity_of_browser(request, runtime.settings)
    if identity is not None and identity.session_hash is not None:
        await asyncio.to_thread(_end, runtime, identity)
        await drop_session(identity.session_hash)
    response = RedirectResponse(SIGN_IN, 303)
    take_cookie(response, runtime.settings)
    return response


async def let_in(request: Request, *, email: str, password: str, target: str) -> Response:
    """A fresh cookie, and on to ``target``, or to the second step that is asked for first."""
    runtime = runtime_of(request)
    agent = request.headers.get("user-agent", "")
    signed_in = await asyncio.to_thread(
        sign_in, runtime, stranger(request), email=email, password=password, agent=agent
    )
    return welcome(runtime, signed_in, target=target)


def welcome(runtime: Runtime, signed_in: SignedIn, *, target: str) -> Response:
    step = _STEPS.get(signed_in.next_step)
    response = RedirectResponse(target if step is None else with_target(step, target), 303)
    give_cookie(response, signed_in.token, runtime.settings)
    return response


def _end(runtime: Runtime, identity: Identity) -> None:
    with runtime.unit(identity, write=True) as unit:
        sign_out(unit)


def _is_empty(runtime: Runtime) -> bool:
    with runtime.unit(ANONYMOUS) as unit:
        return is_nobody_here(unit)


def _page(
    runtime: Runtime,
    *,
    target: str,
    email: str = "",
    problem: str = "",
    is_empty: bool = False,
    status: int = 200,
) -> HTMLResponse:
    hint = _EMPTY if is_empty else _DEMO if runtime.settings.waypost_demo else ""
    return form_page(
        "Sign in",
        action="/auth/sign-in",
        fields=(
            Field("email", "E-mail", "email", "username", value=email),
            Field("password", "Password", "password", "current-password"),
        ),
        button="Sign in",
        problem=problem,
        hidden={"next": target},
        foot=_FORGOTTEN + hint,
        status=status,
    )
