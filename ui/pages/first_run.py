"""The first owner of all, from the link that the terminal shows."""

import asyncio
from functools import partial
from zoneinfo import available_timezones

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from core.errors import DomainError, Gone, NotFound
from core.runtime import Runtime
from core.team.beginning import begin, look
from core.unit import ANONYMOUS
from ui.api.route import open_to_all
from ui.pages.sign_in import let_in
from ui.plain import FOREIGN, Field, form_page, note_page, read_form, runtime_of, stranger
from ui.security import is_from_own_page
from ui.session import SIGN_IN
from ui.theme import assets

FIRST_STEPS = "/first-steps"
_INTRO = (
    "Nobody is here yet. You become the owner of the first workspace and look after this installation. "
    "Connecting a number and a first message come next; you can stop at any time and go on later."
)

router = APIRouter(include_in_schema=False)


@router.get("/begin/{token}")
@open_to_all
async def show(request: Request, token: str) -> Response:
    """The form for the first owner; or why the link is used up."""
    try:
        await asyncio.to_thread(_look, runtime_of(request), token)
    except DomainError as refusal:
        return _used_up(refusal)
    return _page(token, {})


@router.post("/begin/{token}")
@open_to_all
async def take(request: Request, token: str) -> Response:
    """The owner is there and signed in; or the form again."""
    runtime = runtime_of(request)
    form = await read_form(request)
    if not is_from_own_page(request.headers, runtime.settings):
        return _page(token, form, problem=FOREIGN, status=403)
    work = partial(
        begin,
        runtime,
        stranger(request),
        token=token,
        name=form.get("name", ""),
        email=form.get("email", ""),
        password=form.get("password", ""),
        workspace_name=form.get("workspace", ""),
        timezone=form.get("timezone", "").strip(),
    )
    try:
        email = await asyncio.to_thread(work)
    except (Gone, NotFound) as refusal:
        return _used_up(refusal)
    except DomainError as refusal:
        return _page(token, form, problem=refusal.sentence, status=refusal.status)
    return await let_in(request, email=email, password=form.get("password", ""), target=FIRST_STEPS)


def _look(runtime: Runtime, token: str) -> None:
    with runtime.unit(ANONYMOUS) as unit:
        look(unit, token)


def _page(token: str, kept: dict[str, str], *, problem: str = "", status: int = 200) -> HTMLResponse:
    zones = tuple(sorted(available_timezones()))
    return form_page(
        "Set up Waypost",
        action=f"/begin/{token}",
        intro=_INTRO,
        fields=(
            Field("name", "Your name", autocomplete="name", value=kept.get("name", "")),
            Field("email", "E-mail", "email", "username", value=kept.get("email", "")),
            Field("password", "Choose a password", "password", "new-password", measured=True),
            Field(
                "workspace",
                "Workspace",
                autocomplete="organization",
                value=kept.get("workspace", ""),
                hint="Your company, or the part of it that sends.",
            ),
            Field(
                "timezone",
                "Time zone",
                value=kept.get("timezone", "UTC"),
                hint="Days and months of figures and invoices go by it.",
                choices=zones,
            ),
        ),
        button="Begin",
        problem=problem,
        foot="" if kept else f'<script defer src="{assets().url("first_run.js")}"></script>',
        status=status,
    )


def _used_up(refusal: DomainError) -> HTMLResponse:
    return note_page(
        "This link does not work", refusal.sentence, link=SIGN_IN, label="Sign in", status=refusal.status
    )
