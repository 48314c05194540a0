"""What the browser is sent to look right: our files, their version, the two themes."""

import hashlib
import html
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from ui.api.route import open_to_all
from ui.security import IMMUTABLE

STATIC = Path(__file__).parent / "static"
# In this order: what stands later wins.
SHEETS = (
    "tokens",
    "base",
    "controls",
    "frame",
    "page",
    "table",
    "drawer",
    "overlays",
    "queue",
    "sandbox",
    "messages",
    "charts",
    "send",
    "templates",
    "dead_letters",
    "contacts",
    "people",
    "phones",
    "alerts",
    "schedules",
    "health",
    "webhooks",
    "outbox",
    "billing",
)
THEME_COOKIE = "waypost_theme"
FAVICON = STATIC / "favicon.svg"


@dataclass(frozen=True, slots=True)
class Assets:
    """Our files under an address that changes with them, so that browsers may keep them for ever."""

    version: str
    style: bytes

    def url(self, name: str) -> str:
        return f"/static/{self.version}/{name}"


@cache
def assets() -> Assets:
    """Read once a process."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    style = b"\n".join((STATIC / "css" / f"{name}.css").read_bytes() for name in SHEETS)
    return Assets(version=digest.hexdigest()[:12], style=style)


class _Kept(StaticFiles):
    """Files that never change under their address."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = IMMUTABLE
        return response


def serve_assets(app: FastAPI) -> None:
    """One style sheet, the script, fonts and icons, under the version of this build."""
    ours = assets()

    @app.get(ours.url("waypost.css"), include_in_schema=False)
    @open_to_all
    async def style() -> Response:
        return Response(ours.style, media_type="text/css", headers={"Cache-Control": IMMUTABLE})

    app.mount(f"/static/{ours.version}", GZipMiddleware(_Kept(directory=STATIC), minimum_size=1000))


def head() -> str:
    """For the head of every page. The theme is set before anything is painted."""
    ours = assets()
    return (
        f'<link rel="preload" href="{ours.url("fonts/inter-latin.woff2")}" as="font" type="font/woff2" '
        f'crossorigin><link rel="stylesheet" href="{ours.url("waypost.css")}">'
        '<meta name="color-scheme" content="light dark"><script>'
        f"(()=>{{const m=document.cookie.match(/(?:^|; ){THEME_COOKIE}=(dark|light)/);"
        "if(m?m[1]==='dark':matchMedia('(prefers-color-scheme: dark)').matches)"
        "document.documentElement.classList.add('dark')})()"
        f'</script><script defer src="{ours.url("waypost.js")}"></script>'
    )


def brand_html() -> str:
    """Our sign."""
    return f'<span class="brandmark">{icon_html("signpost")}</span>'


def icon_url(name: str) -> str:
    return f"{assets().url('icons.svg')}#{name}"


def icon_html(name: str, classes: str = "") -> str:
    """An icon in HTML of ours; ``name`` is Lucide's, and must be in ``static/icons.svg``."""
    kind = html.escape(f"i {classes}".strip())
    return f'<svg class="{kind}" aria-hidden="true"><use href="{icon_url(name)}"></use></svg>'


def quasar_icon(name: str) -> str:
    """For the icon properties of Quasar's components."""
    return f"svguse:{icon_url(name)}|0 0 24 24"
