"""The second step of signing in: a code, or setting up the authenticator that gives it."""

import asyncio
import html

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.errors import DomainError, NotSignedIn
from core.runtime import Runtime
from core.team import second_factor
from core.team.second_factor import Enrolment
from core.team.sign_in import NextStep, Pending, SignedIn, give_code, pending
from core.unit import Identity
from ui.api.route import open_to_all
from ui.pages.sign_in import welcome
from ui.plain import FOREIGN, Field, browser_or_stranger, form_page, plain_page, read_form, runtime_of
from ui.security import is_from_own_page
from ui.session import CODE, SET_UP, SIGN_IN, give_cookie, own_path, with_target

router = APIRouter(include_in_schema=False)


@router.get(CODE)
@open_to_all
async def ask_code(request: Request) -> Response:
    """The form for the code; who is not half signed in starts again."""
    target = own_path(request.query_params.get("next", "/"))
    try:
        waiting = await asyncio.to_thread(_pending, runtime_of(request), browser_or_stranger(request))
    except DomainError:
        return RedirectResponse(with_target(SIGN_IN, target), 303)
    if waiting.next_step is NextStep.SET_UP:
        return RedirectResponse(with_target(SET_UP, target), 303)
    return _code_page(target)


@router.post(CODE)
@open_to_all
async def take_code(request: Request) -> Response:
    """Signed in, under a new cookie; or the form again."""
    runtime = runtime_of(request)
    form = await read_form(request)
    target = own_path(form.get("next", "/"))
    if not is_from_own_page(request.headers, runtime.settings):
        return _code_page(target, problem=FOREIGN, status=403)
    identity, code = browser_or_stranger(request), form.get("code", "")
    try:
        signed_in = await asyncio.to_thread(give_code, runtime, identity, code=code)
    except DomainError as refusal:
        if refusal.code == "sign_in_again":
            return RedirectResponse(with_target(SIGN_IN, target), 303)
        return _code_page(target, problem=refusal.sentence, status=refusal.status)
    return welcome(runtime, signed_in, target=target)


@router.get(SET_UP)
@open_to_all
async def offer(request: Request) -> Response:
    """The QR code for the authenticator app."""
    target = own_path(request.query_params.get("next", "/"))
    try:
        enrolment = await asyncio.to_thread(_begin, runtime_of(request), browser_or_stranger(request))
    except DomainError as refusal:
        again = SIGN_IN if isinstance(refusal, NotSignedIn) else CODE
        return RedirectResponse(with_target(again, target), 303)
    return _set_up_page(enrolment, target)


@router.post(SET_UP)
@open_to_all
async def set_up(request: Request) -> Response:
    """Signed in, with the recovery codes on the page; or the form again."""
    runtime, identity = runtime_of(request), browser_or_stranger(request)
    form = await read_form(request)
    target = own_path(form.get("next", "/"))
    try:
        enrolment = await asyncio.to_thread(_begin, runtime, identity)
    except DomainError as refusal:
        again = SIGN_IN if isinstance(refusal, NotSignedIn) else CODE
        return RedirectResponse(with_target(again, target), 303)
    if not is_from_own_page(request.headers, runtime.settings):
        return _set_up_page(enrolment, target, problem=FOREIGN, status=403)
    try:
        signed_in, codes = await asyncio.to_thread(_confirm, runtime, identity, form.get("code", ""))
    except DomainError as refusal:
        return _set_up_page(enrolment, target, problem=refusal.sentence, status=refusal.status)
    response = _codes_page(codes, target)
    give_cookie(response, signed_in.token, runtime.settings)
    return response


def _pending(runtime: Runtime, identity: Identity) -> Pending:
    with runtime.unit(identity) as unit:
        return pending(unit)


def _begin(runtime: Runtime, identity: Identity) -> Enrolment:
    with runtime.unit(identity, write=True) as unit:
        return second_factor.begin_pending(unit)


def _confirm(runtime: Runtime, identity: Identity, code: str) -> tuple[SignedIn, tuple[str, ...]]:
    with runtime.unit(identity, write=True) as unit:
        return second_factor.confirm_pending(unit, code=code)


def _code_page(target: str, *, problem: str = "", status: int = 200) -> HTMLResponse:
    return form_page(
        "One more step",
        action=CODE,
        intro="Give the code that your authenticator app shows now, or one of your recovery codes.",
        fields=(Field("code", "Code", autocomplete="one-time-code"),),
        button="Go on",
        problem=problem,
        hidden={"next": target},
        foot='<p class="foot"><a href="/login">Sign in as someone else</a></p>',
        status=status,
    )


def _set_up_page(enrolment: Enrolment, target: str, *, problem: str = "", status: int = 200) -> HTMLResponse:
    return form_page(
        "Set up a second factor",
        action=SET_UP,
        intro="This workspace asks everybody for one. Scan the picture with an authenticator app, or type "
        f"{_in_fours(enrolment.secret)} into it; then give the code that it shows.",
        fields=(Field("code", "Code", autocomplete="one-time-code"),),
        button="Go on",
        problem=problem,
        hidden={"next": target},
        picture=enrolment.qr,
        status=status,
    )


def _codes_page(codes: tuple[str, ...], target: str) -> HTMLResponse:
    listed = "".join(f"<li>{code}</li>" for code in codes)
    return plain_page(
        "Keep these recovery codes",
        '<div class="card kept"><h1>Keep these recovery codes</h1><p class="intro">Each stands in once for '
        "your authenticator app, should you lose it. They are not shown again.</p>"
        f'<ul class="codes">{listed}</ul>'
        f'<a class="btnlink pri" href="{html.escape(target, quote=True)}">I have kept them</a></div>',
    )


def _in_fours(secret: str) -> str:
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
