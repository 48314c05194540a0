"""What every response of ours tells the browser, and which requests come from our own pages."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.settings import Settings

# NiceGUI needs inline scripts, inline styles and eval; a stricter policy breaks it.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
        "base-uri 'none'",
    )
)
_POLICY_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
HSTS = "max-age=31536000; includeSubDomains"
IMMUTABLE = "public, max-age=31536000, immutable"
_KEPT_BY_BROWSERS = ("/static/", "/_nicegui/")


class SecurityHeaders:
    """Adds the headers of the policy to every answer; only versioned files may be kept by a browser."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                secure(MutableHeaders(scope=message), path=scope["path"], settings=self._settings)
            await send(message)

        await self._app(scope, receive, with_headers)


def secure(headers: MutableHeaders, *, path: str, settings: Settings) -> None:
    """The headers of the policy are there, whatever was there of the same names. One by one they would cost
    a webhook more than its signature."""
    ours = [*_POLICY_HEADERS]
    if settings.is_public:
        ours.append((b"strict-transport-security", HSTS.encode()))
    if not path.startswith(_KEPT_BY_BROWSERS):
        ours.append((b"cache-control", b"no-store"))
    names = {name for name, _ in ours}
    headers.raw[:] = [header for header in headers.raw if header[0] not in names] + ours


def is_from_own_page(headers: Headers, settings: Settings) -> bool:
    """Whether a browser sent this from a page of ours. What sends neither header is no browser, and then
    nobody else's cookie is at stake."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    host = urlsplit(origin).netloc.lower()
    return host != "" and host in (headers.get("host", "").lower(), urlsplit(settings.public_url).netloc)
