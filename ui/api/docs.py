"""A page to try the API: Swagger UI from our own files, so that no other host is asked for anything."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse

from ui.api.route import open_to_all
from ui.theme import assets


def install(app: FastAPI, *, prefix: str) -> None:
    """``/docs`` beneath the prefix; and the OpenAPI file names the bearer key that calls need."""

    @app.get(f"{prefix}/docs", include_in_schema=False)
    @open_to_all
    async def docs() -> HTMLResponse:
        ours = assets()
        return get_swagger_ui_html(
            openapi_url=f"{prefix}/openapi.json",
            title=f"{app.title} API",
            swagger_js_url=ours.url("swagger/swagger-ui-bundle.js"),
            swagger_css_url=ours.url("swagger/swagger-ui.css"),
            swagger_favicon_url="/favicon.ico",
        )

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=f"{app.title} API", version=app.version, routes=app.routes)
            schema.setdefault("components", {})["securitySchemes"] = {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key: wp_…"}
            }
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
