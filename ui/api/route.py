"""The one kind of route: it names its permission, and checks in the order that scripts rely on."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from core import access
from core.runtime import Runtime
from core.team.commands import KEY_PREFIX, hash_key
from core.unit import Identity
from ui.address import client_address
from ui.api.errors import refusal

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_PERMISSION = "__waypost_permission__"
OPEN_TO_ALL = "open to all"
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def needs(permission: str) -> Callable[[Endpoint], Endpoint]:
    """Names what a caller of this endpoint must be allowed. Core checks it again, with the row at hand."""
    if permission not in access.PERMISSIONS:
        raise LookupError(f"no such permission: {permission}")

    def name(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _PERMISSION, permission)
        return endpoint

    return name


def open_to_all(endpoint: Endpoint) -> Endpoint:
    """Says aloud that no key is needed."""
    setattr(endpoint, _PERMISSION, OPEN_TO_ALL)
    return endpoint


def runtime_of(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def identity_of(request: Request) -> Identity:
    """Who the key says it is. Cookies are never accepted here."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    known = scheme.lower() == "bearer" and key.strip().startswith(KEY_PREFIX)
    return Identity(
        key_hash=hash_key(key.strip()) if known else None,
        address=client_address(request),
        request_id=request.scope.get("state", {}).get("request_id"),
    )


class ApiRoute(APIRoute):
    """Refuses in the order 401, 403, 415, 400: a stranger is not told what was wrong with the body."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        permission = getattr(endpoint, _PERMISSION, None)
        if permission is None:
            raise RuntimeError(f"{endpoint.__module__}.{endpoint.__name__} names no permission")
        self.permission: str = permission
        if permission != OPEN_TO_ALL:
            options["openapi_extra"] = {
                "security": [{"key": []}],
                "x-permission": permission,
                **(options.get("openapi_extra") or {}),
            }
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def in_order(request: Request) -> Response:
            if request.method in WITH_BODY and not await _is_json(request):
                await self._check(request)
                return refusal(
                    415, "Send JSON, with Content-Type: application/json.", "unsupported_media_type"
                )
            try:
                return await handle(request)
            except RequestValidationError:
                await self._check(request)
                raise

        return in_order

    async def _check(self, request: Request) -> None:
        if self.permission != OPEN_TO_ALL:
            await asyncio.to_thread(_require, runtime_of(request), identity_of(request), self.permission)


def _require(runtime: Runtime, identity: Identity, permission: str) -> None:
    with runtime.unit(identity) as unit:
        unit.require(permission)


async def _is_json(request: Request) -> bool:
    """A body that parses as JSON is taken whatever its content type says; one that does not, is refused for
    its content type where that is no JSON either."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return True
    body = await request.body()
    if body:
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            return False
    headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
    request.scope["headers"] = [*headers, (b"content-type", b"application/json")]
    request.__dict__.pop("_headers", None)
    return True
