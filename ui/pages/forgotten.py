"""A forgotten password: asking for a link, and choosing a new one with it."""

import asyncio

import structlog
from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import HTMLResponse, Response

from core.errors import DomainError
from core.runtime import Runtime
from core.team.own_password import ask_reset, look_reset, reset_password
from core.unit import ANONYMOUS, Identity
from ui.api.route import open_to_all
from ui.plain import FOREIGN, Field, form_page, note_page, read_form, runtime_of, stranger
from ui.security import is_from_own_page
from ui.session import SIGN_IN

router = APIRouter(include_in_schema=False)
log = structlog.get_logger()

SENT = (
    "If someone with that address is known here, a link to choose a new password is on its way. "
    "It is good for one hour."
)


@router.get("/forgot")
@open_to_all
async def show() -> Response:
    return _ask_page()


@router.post("/forgot")
@open_to_all
async def ask(request: Request) -> Response:
    """The same answer whoever is asked for. The mail is written after it, so that neither does the time
    tell."""
    runtime = runtime_of(request)
    form = await read_form(request)
    if not is_from_own_page(request.headers, runtime.settings):
        return _ask_page(problem=FOREIGN, status=403)
    answer = note_page("Look into your mail", SENT, link=SIGN_IN, label="Back to signing in")
    answer.background = BackgroundTask(_ask, runtime, stranger(request), form.get("email", ""))
    return answer


@router.get("/reset/{token}")
@open_to_all
async def choose(request: Request, token: str) -> Response:
    """The form; or why the link is used up."""
    try:
        return _reset_page(token, await asyncio.to_thread(_look, runtime_of(request), token))
    except DomainError as refusal:
        return _used_up(refusal)


@router.post("/reset/{token}")
@open_to_all
async def reset(request: Request, token: str) -> Response:
    """The new password counts, and every browser of theirs is signed out."""
    runtime = runtime_of(request)
    form = await read_form(request)
    try:
        email = await asyncio.to_thread(_look, runtime, token)
    except DomainError as refusal:
        return _used_up(refusal)
    if not is_from_own_page(request.headers, runtime.settings):
        return _reset_page(token, email, problem=FOREIGN, status=403)
    try:
        await asyncio.to_thread(_reset, runtime, stranger(request), token, form.get("password", ""))
    except DomainError as refusal:
        return _reset_page(token, email, problem=refusal.sentence, status=refusal.status)
    return note_page(
        "Your password is changed",
        "You are signed out everywhere. Sign in with the new one.",
        link=SIGN_IN,
        label="Sign in",
    )


def _ask(runtime: Runtime, identity: Identity, email: str) -> None:
    try:
        with runtime.unit(identity, write=True) as unit:
            ask_reset(unit, email=email)
    except DomainError as refusal:
        log.warning("a password reset was not written", why=refusal.sentence)


def _look(runtime: Runtime, token: str) -> str:
    with runtime.unit(ANONYMOUS) as unit:
        return look_reset(unit, token)


def _reset(runtime: Runtime, identity: Identity, token: str, password: str) -> None:
    reset_password(runtime, identity, token=token, new=password)


def _ask_page(*, problem: str = "", status: int = 200) -> HTMLResponse:
    return form_page(
        "Choose a new password",
        action="/forgot",
        intro="Give your address, and a link is mailed to you.",
        fields=(Field("email", "E-mail", "email", "username"),),
        button="Send the link",
        problem=problem,
        foot='<p class="foot"><a href="/login">Back to signing in</a></p>',
        status=status,
    )


def _reset_page(token: str, email: str, *, problem: str = "", status: int = 200) -> HTMLResponse:
    return form_page(
        "Choose a new password",
        action=f"/reset/{token}",
        intro=f"For {email}. Every browser of yours is signed out then.",
        fields=(Field("password", "New password", "password", "new-password", measured=True),),
        button="Change it",
        problem=problem,
        status=status,
    )


def _used_up(refusal: DomainError) -> HTMLResponse:
    return note_page(
        "This link does not work",
        refusal.sentence,
        link="/forgot",
        label="Ask for another",
        status=refusal.status,
    )
