"""Signing in and out: plain forms, so that password managers work and a fresh cookie can be set."""

import asyncio
import html

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.errors import DomainError
from core.runtime import Runtime
from core.team.commands import sign_in, sign_out
from core.unit import Identity
from ui.address import client_address
from ui.frame import BRAND
from ui.guard import drop_session
from ui.security import is_from_own_page
from ui.session import (
    SIGN_IN,
    give_cookie,
    identity_of_browser,
    is_signed_in,
    own_path,
    take_cookie,
)
from ui.theme import brand_html, head

FOREIGN = "That form did not come from this console. Open the sign-in page and try again."
FIELD_MAX = 2000

router = APIRouter(include_in_schema=False)


@router.get(SIGN_IN)
async def show(request: Request) -> Response:
    """The form; who is signed in already goes on."""
    runtime = _runtime(request)
    target = own_path(request.query_params.get("next", "/"))
    identity = identity_of_browser(request, runtime.settings)
    if identity is not None and await asyncio.to_thread(is_signed_in, runtime, identity):
        return RedirectResponse(target, 303)
    return _page(runtime, target=target)


@router.post("/auth/sign-in")
async def enter(request: Request) -> Response:
    """A fresh session and its cookie; or the form again, with the same sentence whatever was wrong."""
    runtime = _runtime(request)
    form = await request.form()
    email, password = _field(form.get("email")), _field(form.get("password"))
    target = own_path(_field(form.get("next")))
    if not is_from_own_page(request.headers, runtime.settings):
        return _page(runtime, target=target, problem=FOREIGN, status=403)
    identity = Identity(address=client_address(request), request_id=request.scope["state"].get("request_id"))
    agent = request.headers.get("user-agent", "")
    try:
        signed_in = await asyncio.to_thread(
            sign_in, runtime, identity, email=email, password=password, agent=agent
        )
    except DomainError as refusal:
        return _page(runtime, target=target, email=email, problem=refusal.sentence, status=refusal.status)
    response = RedirectResponse(target, 303)
    give_cookie(response, signed_in.token, runtime.settings)
    return response


@router.get("/auth/session")
async def is_open(request: Request) -> Response:
    """204 while the session is live, else 401: for a page that lost its socket."""
    runtime = _runtime(request)
    identity = identity_of_browser(request, runtime.settings)
    live = identity is not None and await asyncio.to_thread(is_signed_in, runtime, identity)
    return Response(status_code=204 if live else 401)


@router.post("/auth/sign-out")
async def leave(request: Request) -> Response:
    """The session is over, on all of its pages at once."""
    runtime = _runtime(request)
    if not is_from_own_page(request.headers, runtime.settings):
        return _page(runtime, target="/", problem=FOREIGN, status=403)
    identity = identity_of_browser(request, runtime.settings)
    if identity is not None and identity.session_hash is not None:
        await asyncio.to_thread(_end, runtime, identity)
        await drop_session(identity.session_hash)
    response = RedirectResponse(SIGN_IN, 303)
    take_cookie(response, runtime.settings)
    return response


def _end(runtime: Runtime, identity: Identity) -> None:
    with runtime.unit(identity, write=True) as unit:
        sign_out(unit)


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _field(value: object) -> str:
    return value[:FIELD_MAX] if isinstance(value, str) else ""


def _page(
    runtime: Runtime, *, target: str, email: str = "", problem: str = "", status: int = 200
) -> HTMLResponse:
    said = f'<p class="problem" role="alert" id="problem">{html.escape(problem)}</p>' if problem else ""
    marked = ' aria-describedby="problem" aria-invalid="true"' if problem else ""
    demo = (
        '<p class="hint">Demo: address and password stand in the terminal.</p>'
        if runtime.settings.waypost_demo
        else ""
    )
    focus = ("", " autofocus") if email else (" autofocus", "")
    body = f"""<!doctype html>
<html lang="en-GB"><head><meta charset="utf-8"><title>Sign in · {BRAND}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon.ico">
{head()}</head><body class="signin"><main>
<div class="brand">{brand_html()}<span>{BRAND}</span></div>
<form class="card" method="post" action="/auth/sign-in"><h1>Sign in</h1>{said}
<input type="hidden" name="next" value="{html.escape(target, quote=True)}">
<label for="email">E-mail</label>
<input id="email" name="email" type="email" autocomplete="username" required maxlength="320"
 value="{html.escape(email, quote=True)}"{marked}{focus[0]}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required
 {marked}{focus[1]}>
<button class="btnlink pri" type="submit">Sign in</button>{demo}</form></main></body></html>"""
    return HTMLResponse(body, status)
