"""Accepting an invitation: opening the link changes nothing, only the form does (P4)."""

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from core.errors import DomainError, Gone, NotFound
from core.runtime import Runtime
from core.team.accepting import Accepted, Offer, accept, look
from core.unit import ANONYMOUS
from ui.api.route import open_to_all
from ui.pages.sign_in import let_in
from ui.plain import FOREIGN, Field, form_page, note_page, read_form, runtime_of, stranger
from ui.security import is_from_own_page
from ui.session import SIGN_IN

router = APIRouter(include_in_schema=False)


@router.get("/invite/{token}")
@open_to_all
async def show(request: Request, token: str) -> Response:
    """What is offered, and the form; or why the link is used up."""
    try:
        return _page(token, await asyncio.to_thread(_look, runtime_of(request), token))
    except DomainError as refusal:
        return _used_up(refusal)


@router.post("/invite/{token}")
@open_to_all
async def take(request: Request, token: str) -> Response:
    """In the team and signed in; or the form again."""
    runtime = runtime_of(request)
    form = await read_form(request)
    name, password = form.get("name", ""), form.get("password", "")
    try:
        offered = await asyncio.to_thread(_look, runtime, token)
        if not is_from_own_page(request.headers, runtime.settings):
            return _page(token, offered, problem=FOREIGN, status=403)
    except DomainError as refusal:
        return _used_up(refusal)
    try:
        made = await asyncio.to_thread(_accept, request, token, name, password)
    except (Gone, NotFound) as refusal:
        return _used_up(refusal)
    except DomainError as refusal:
        return _page(token, offered, name=name, problem=refusal.sentence, status=refusal.status)
    try:
        return await let_in(request, email=made.email, password=password, target="/")
    except DomainError as refusal:
        return note_page(
            "You are in the team", refusal.sentence, link=SIGN_IN, label="Sign in", status=refusal.status
        )


def _look(runtime: Runtime, token: str) -> Offer:
    with runtime.unit(ANONYMOUS) as unit:
        return look(unit, token)


def _accept(request: Request, token: str, name: str, password: str) -> Accepted:
    return accept(runtime_of(request), stranger(request), token=token, name=name, password=password)


def _page(
    token: str, offered: Offer, *, name: str = "", problem: str = "", status: int = 200
) -> HTMLResponse:
    what = f"You are invited to join as {offered.role.value}, with the address {offered.email}."
    if offered.is_known:
        intro = f"{what} You are known here already: give your password."
        fields: tuple[Field, ...] = (Field("password", "Password", "password", "current-password"),)
    else:
        intro = what
        fields = (
            Field("name", "Your name", autocomplete="name", value=name),
            Field("password", "Choose a password", "password", "new-password", measured=True),
        )
    return form_page(
        f"Join {offered.workspace_name}",
        action=f"/invite/{token}",
        intro=intro,
        fields=fields,
        button="Join",
        problem=problem,
        status=status,
    )


def _used_up(refusal: DomainError) -> HTMLResponse:
    return note_page(
        "This link does not work", refusal.sentence, link=SIGN_IN, label="Sign in", status=refusal.status
    )
