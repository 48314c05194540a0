"""The web process: uvicorn around the app."""

import uvicorn

from core.garbage import look_seldom
from core.runtime import Runtime
from ui.app import build

GRACE_S = 15


def run_web(runtime: Runtime, *, version: str) -> None:
    """Serves until SIGINT or SIGTERM; requests under way are finished first."""
    settings = runtime.settings
    app = build(runtime, version=version)
    look_seldom()
    uvicorn.run(
        app,
        host=settings.waypost_host,
        port=settings.waypost_port,
        access_log=False,  # addresses hold ids of pages, and numbers that were searched for
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
