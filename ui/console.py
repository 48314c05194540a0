"""Hangs the pages into the application: NiceGUI beneath our own frame, doors and error pages."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Request
from nicegui import Client, ui
from nicegui import app as nicegui_app
from nicegui.page import page as nicegui_page
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.errors import DomainError, Forbidden, NotFound, NotSignedIn
from core.monitoring.changes import Changes
from core.monitoring.overview import Surroundings, surroundings
from core.runtime import Runtime
from core.team.platform import record_look
from core.team.sessions import Place, own_places
from core.unit import Actor, Identity
from ui import act, frame
from ui.api.errors import refusal
from ui.bare import bare_page
from ui.frame_bell import BellMenu
from ui.guard import PAGES_AT_ONCE, Refusals, Watch, bind_events_to_sockets, has_too_many_pages
from ui.live import Pulse
from ui.page import Page, PageContext
from ui.pages import PAGES
from ui.pages.errors import draw_forbidden, draw_refused
from ui.parts.prove import prove
from ui.session import Seen
from ui.theme import FAVICON, head

BUILD_WITHIN_S = 20.0
SCRIPTED = ("/api/", "/webhooks/", "/metrics")
TOLERATED_AWAY_S = 10.0
TOO_MANY_PAGES = (
    f"This browser holds {PAGES_AT_ONCE} pages of Waypost open, which is as many as it may. "
    "Close some, then try again in a minute."
)

log = structlog.get_logger()


class Console:
    """The pages over one runtime. NiceGUI keeps its routes and clients in the process, so one process serves
    one console."""

    def __init__(
        self, runtime: Runtime, seen: Seen, refusals: Refusals, pages: Sequence[Page] = PAGES
    ) -> None:
        self._runtime = runtime
        self._pages = pages
        self._pulse = Pulse(Changes(runtime.database))
        self._watch = Watch(runtime)
        self._nicegui = FastAPI(openapi_url=None)
        bind_events_to_sockets(seen, refusals)
        for page in pages:
            self._register(page)
        nicegui_app.exception_handler(404)(self._not_found)
        nicegui_app.on_page_exception(_draw_crash)
        if nicegui_app.config.has_run_config:
            self._nicegui.mount("/", nicegui_app)
        else:
            self._run_nicegui()

    def mount(self, app: FastAPI) -> None:
        """What no route of ours answers, a page answers; scripts get their errors as JSON."""
        answer_scripts = app.router.default
        app.router.default = _Split(answer_scripts, self._nicegui)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For the life of the process: NiceGUI, the look for changes, the watch over sessions."""
        async with self._nicegui.router.lifespan_context(self._nicegui):
            tasks = [asyncio.create_task(self._pulse.run()), asyncio.create_task(self._watch.run())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _run_nicegui(self) -> None:
        ui.run_with(
            self._nicegui,
            title=frame.BRAND,
            favicon=FAVICON,
            language="en-GB",
            dark=None,
            tailwind=False,
            binding_refresh_interval=None,
            show_welcome_message=False,
            reconnect_timeout=TOLERATED_AWAY_S,
        )
        ui.add_head_html(head(), shared=True)
        # Its log would hold what people typed; ours says the same without (see `_caught`).
        nicegui_app._exception_handlers.clear()
        nicegui_app.on_exception(_log)

    def _register(self, page: Page) -> None:
        @ui.page(page.path, title=page.title, response_timeout=BUILD_WITHIN_S)
        async def built(request: Request) -> Response | None:
            return await self._build(page, request)

    async def _build(self, page: Page, request: Request) -> Response | None:
        demo = self._runtime.settings.waypost_demo
        if page.demo_only and not demo:
            return await self._not_found(request, NotFound.of("page"))
        context = await self._open(request, title=page.title, path=request.url.path)
        with ui.element("div").classes("page").props("id=content tabindex=-1") as body:
            if not context.can(page.permission):
                draw_forbidden(context, page.permission)
                ui.status_code(403)
            else:
                await self._fill(page, context, body)
        self._close(context)
        return None

    async def _fill(self, page: Page, context: PageContext, body: ui.element) -> None:
        try:
            await page.build(context)
        except NotSignedIn:
            raise
        except Forbidden as error:
            body.clear()
            permission = error.facts.get("permission")
            draw_forbidden(context, str(permission)) if permission else draw_refused(context, error)
            ui.status_code(error.status)
        except Exception as error:  # whatever a page raises, its frame stays and its words are ours
            if not isinstance(error, DomainError):
                log.exception("a page could not be built", path=page.path)
            body.clear()
            draw_refused(context, error)
            ui.status_code(error.status if isinstance(error, DomainError) else 500)

    async def _open(self, request: Request, *, title: str, path: str) -> PageContext:
        client = ui.context.client
        identity: Identity = request.scope["state"]["identity"]
        actor, around, places = await asyncio.to_thread(self._look_up, identity, path)
        request.scope["state"]["actor"] = actor
        watcher = self._pulse.watch(client)
        context = PageContext(
            runtime=self._runtime,
            identity=identity,
            actor=actor,
            surroundings=around,
            places=places,
            title=title,
            path=path,
            query=dict(request.query_params),
            params={name: str(value) for name, value in request.path_params.items()},
            client=client,
            pulse=self._pulse,
            watcher=watcher,
            prover=prove,
        )
        client.on_exception(act.show)
        frame.draw(context, self._pages)
        ui.on("page_visible", lambda event: _see(context, is_visible=event.args is True))
        return context

    def _close(self, context: PageContext) -> None:
        frame.finish(context, self._pages)
        bell = BellMenu(context) if context.surroundings.open_alerts is not None else None

        async def refresh() -> None:
            key = (context.actor.workspace_id, context.actor.permissions)
            found: Surroundings = await context.pulse.shared(key, lambda: self._look_around(context.identity))
            context.surroundings = found
            context.client.run_javascript(frame.update(found))
            if bell is not None:
                bell.show()

        context.watcher.refreshes.insert(0, refresh)  # a page may show what it finds

    def _look_up(self, identity: Identity, path: str) -> tuple[Actor, Surroundings, list[Place]]:
        with self._runtime.unit(identity) as unit:
            found = unit.actor, surroundings(unit), own_places(unit)
        if found[0].is_support:
            with self._runtime.unit(identity, write=True) as unit:
                record_look(unit, path)
        return found

    def _look_around(self, identity: Identity) -> Surroundings:
        with self._runtime.unit(identity) as unit:
            return surroundings(unit)

    async def _not_found(self, request: Request, _: Exception) -> Response:
        if "identity" not in request.scope.get("state", {}):
            return bare_page("Page not found", "There is nothing at this address.", status=404)
        with Client(nicegui_page(""), request=request) as client:
            context = await self._open(request, title="Page not found", path=request.url.path)
            with ui.element("div").classes("page").props("id=content tabindex=-1"):
                draw_refused(context, NotFound("The address may be mistyped, or the page was moved."))
            self._close(context)
        return client.build_response(request, 404)


class _Split:
    """Scripts and pages are told apart by their address. No browser gets more pages than it may hold open."""

    def __init__(self, scripts: ASGIApp, pages: ASGIApp) -> None:
        self._scripts = scripts
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_scripted = scope["type"] == "http" and scope["path"].startswith(SCRIPTED)
        identity = scope.get("state", {}).get("identity")  # a page's only
        answer = self._scripts if is_scripted else self._pages
        if identity is not None and not is_scripted and has_too_many_pages(identity):
            answer = bare_page("Too many open pages", TOO_MANY_PAGES, status=429)
        await answer(scope, receive, send)


def crash_response(request: Request) -> Response:
    """For an error that nothing else caught. The error itself is in the log, never here."""
    if request.url.path.startswith(SCRIPTED):
        answer: JSONResponse = refusal(500, act.CRASHED, "internal_error")
        return answer
    return bare_page("Something went wrong", act.CRASHED, status=500)


def _see(context: PageContext, *, is_visible: bool) -> None:
    context.watcher.is_visible = is_visible
    context.watcher.is_stale = True


def _draw_crash(_: Exception) -> None:
    """The page could not even be begun, its frame included."""
    with ui.element("div").classes("page bare"):
        draw_refused(None, RuntimeError())


def _log(error: Exception) -> None:
    if not isinstance(error, DomainError):
        log.error("a page failed", exc_info=error)
