"""Plain HTML forms for those who are not signed in: password managers know them, and a cookie can be set."""

import html
import json
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse

from core.runtime import Runtime
from core.team.common_passwords import COMMON
from core.team.passwords import MIN_LENGTH
from core.unit import Identity
from ui.address import client_address
from ui.session import identity_of_browser
from ui.theme import assets, brand_html, head

BRAND = "Waypost"
FOREIGN = "That form did not come from this console. Open the page again and try once more."
FIELD_MAX = 2000


@dataclass(frozen=True, slots=True)
class Field:
    """One labelled input. ``measured``: a new password, with a meter of how soon it would be guessed.
    ``choices`` are offered while one types."""

    name: str
    label: str
    kind: str = "text"
    autocomplete: str = "off"
    value: str = ""
    hint: str = ""
    measured: bool = False
    choices: tuple[str, ...] = ()


def form_page(
    title: str,
    *,
    action: str,
    fields: tuple[Field, ...],
    button: str,
    intro: str = "",
    problem: str = "",
    hidden: dict[str, str] | None = None,
    picture: str = "",
    foot: str = "",
    status: int = 200,
) -> HTMLResponse:
    """``problem`` stands above the fields and is read out with them; ``picture`` is a data URI of ours, and
    ``foot`` HTML of ours."""
    said = f'<p class="problem" role="alert" id="problem">{_text(problem)}</p>' if problem else ""
    about = f'<p class="intro">{_text(intro)}</p>' if intro else ""
    kept = "".join(
        f'<input type="hidden" name="{name}" value="{_text(value)}">'
        for name, value in (hidden or {}).items()
    )
    drawn = f'<img class="qr" src="{_text(picture)}" alt="The QR code to scan">' if picture else ""
    first_empty = next((field for field in fields if not field.value), fields[0] if fields else None)
    inputs = "".join(_input(field, bool(problem), focus=field is first_empty) for field in fields)
    scripts = _meter() if any(field.measured for field in fields) else ""
    return plain_page(
        title,
        f'<form class="card" method="post" action="{_text(action)}"><h1>{_text(title)}</h1>{said}{about}'
        f'{kept}{drawn}{inputs}<button class="btnlink pri" type="submit">{_text(button)}</button>{foot}'
        f"</form>{scripts}",
        status=status,
    )


def plain_page(title: str, body: str, *, status: int = 200) -> HTMLResponse:
    """``body`` is HTML of ours, with nobody's text in it that was not escaped."""
    return HTMLResponse(
        '<!doctype html>\n<html lang="en-GB"><head><meta charset="utf-8">'
        f"<title>{_text(title)} · {BRAND}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="/favicon.ico">{head()}</head><body class="signin"><main>'
        f'<div class="brand">{brand_html()}<span>{BRAND}</span></div>{body}</main></body></html>',
        status,
    )


def note_page(title: str, sentence: str, *, link: str, label: str, status: int = 200) -> HTMLResponse:
    """One sentence, and one way on."""
    return plain_page(
        title,
        f'<div class="card fault"><h1>{_text(title)}</h1><p>{_text(sentence)}</p>'
        f'<a class="btnlink" href="{_text(link)}">{_text(label)}</a></div>',
        status=status,
    )


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def stranger(request: Request) -> Identity:
    """Whoever sent the form, before anybody knows who they are."""
    return Identity(
        address=client_address(request), request_id=request.scope.get("state", {}).get("request_id")
    )


def browser_or_stranger(request: Request) -> Identity:
    return identity_of_browser(request, runtime_of(request).settings) or stranger(request)


async def read_form(request: Request) -> dict[str, str]:
    """name → text; files and what is too long to be meant are cut off."""
    form = await request.form()
    return {name: value[:FIELD_MAX] for name, value in form.items() if isinstance(value, str)}


def _input(field: Field, is_refused: bool, *, focus: bool) -> str:
    described = [f"{field.name}-hint"] if field.hint or field.measured else []
    is_wrong = is_refused and not field.value  # what was kept is not what was refused
    described += ["problem"] if is_wrong else []
    marked = f' aria-describedby="{" ".join(described)}"' if described else ""
    marked += ' aria-invalid="true"' if is_wrong else ""
    marked += " data-measured" if field.measured else ""
    hint = field.hint or (f"At least {MIN_LENGTH} characters." if field.measured else "")
    below = f'<p class="below" id="{field.name}-hint" aria-live="polite">{_text(hint)}</p>' if hint else ""
    meter = '<span class="meter" aria-hidden="true"><i></i></span>' if field.measured else ""
    offered = "".join(f'<option value="{_text(choice)}">' for choice in field.choices)
    offered = f'<datalist id="{field.name}-choices">{offered}</datalist>' if offered else ""
    marked += f' list="{field.name}-choices"' if offered else ""
    return (
        f'<label for="{field.name}">{_text(field.label)}</label>'
        f'<input id="{field.name}" name="{field.name}" type="{field.kind}"'
        f' autocomplete="{field.autocomplete}" required maxlength="{FIELD_MAX}"'
        f' value="{_text(field.value)}"{marked}'
        f"{' autofocus' if focus else ''}>{meter}{below}{offered}"
    )


def _meter() -> str:
    words = json.dumps(sorted(COMMON))
    return (
        f'<script type="application/json" id="common">{words}</script>'
        f'<script defer src="{assets().url("password.js")}"></script>'
    )


def _text(value: str) -> str:
    return html.escape(value, quote=True)
