"""The one kind of route: it names its permission, and checks in the order that scripts rely on."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NoReturn, TypeVar

from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from core import access
from core.errors import Malformed, NotFound, NotSignedIn, TooMany
from core.runtime import Runtime
from core.team.keys import KEY_PREFIX
from core.team.names import hash_key
from core.unit import Identity
from ui.address import client_address
from ui.api.budget import WRITES_A_MINUTE

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_PERMISSION = "__waypost_permission__"
OPEN_TO_ALL = "open to all"
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
WRITES = WITH_BODY | {"DELETE"}
SENDING = "messages.send"  # the phone's throughput is their limit
# No body of ours is deeper than a dozen levels; what is stored must be readable again without recursion
# running out.
MAX_DEPTH = 64
FIELD_MAX = 100
REFUSED = {
    "description": "Refused: a sentence for a person, a code for a script",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error", "code"],
                "properties": {"error": {"type": "string"}, "code": {"type": "string"}},
            }
        }
    },
}


def needs(permission: str) -> Callable[[Endpoint], Endpoint]:
    """Names what a caller of this endpoint must be allowed. Core checks it again, with the row at hand."""
    if not access.is_known(permission):
        raise LookupError(f"no such permission: {permission}")

    def name(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _PERMISSION, permission)
        return endpoint

    return name


def open_to_all(endpoint: Endpoint) -> Endpoint:
    """Says aloud that no key is needed."""
    setattr(endpoint, _PERMISSION, OPEN_TO_ALL)
    return endpoint


def permission_of(endpoint: Callable[..., Any]) -> str | None:
    """What the endpoint named; None for one that named nothing."""
    found: str | None = getattr(endpoint, _PERMISSION, None)
    return found


def refuse_unnamed(routes: Iterable[BaseRoute]) -> None:
    """Default deny (P2): a route that says neither who may nor that everybody may stops the start."""
    for route in routes:
        if isinstance(route, APIRoute) and permission_of(route.endpoint) is None:
            raise RuntimeError(f"{route.path} names no permission")


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


class TooManyWrites(TooMany):
    """The key has used up its budget; whose it is, is still to be checked."""

    code = "too_many_writes"


class ApiRoute(APIRoute):
    """Refuses in the order 413, 401, 403, 429 for too many writes, 415, 400: a stranger is not told what was
    wrong with the body, and for who writes too often nothing else is looked at."""

    reads_json = True

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        permission = permission_of(endpoint)
        if permission is None:
            raise RuntimeError(f"{endpoint.__module__}.{endpoint.__name__} names no permission")
        self.permission = permission
        options["responses"] = {"4XX": REFUSED, "503": REFUSED, **(options.get("responses") or {})}
        if permission != OPEN_TO_ALL:
            options["openapi_extra"] = {
                "security": [{"key": []}],
                "x-permission": permission,
                **(options.get("openapi_extra") or {}),
            }
        super().__init__(path, endpoint, **options)
        self._asked_for = frozenset(field.alias for field in get_flat_params(self.dependant))

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def in_order(request: Request) -> Response:
            await request.body()  # FastAPI would turn "too large" into 400 if it met it first
            try:
                self._refuse_too_many(request)
                if self.reads_json and request.method in WITH_BODY:
                    await _require_json(request)
                _refuse_odd(request, self._asked_for)
                return await handle(request)
            except (RequestValidationError, Malformed, NotFound, TooManyWrites, HTTPException):
                await self._check(request)
                raise

        async def counted(request: Request) -> Response:
            is_known = True
            key_hash = identity_of(request).key_hash
            try:
                return await in_order(request)
            except NotSignedIn:
                is_known = False
                if key_hash is not None:
                    request.app.state.budget.forget(key_hash)
                raise
            finally:
                if is_known:
                    request.app.state.uses.note(key_hash)

        return counted

    def _refuse_too_many(self, request: Request) -> None:
        key_hash = identity_of(request).key_hash
        if key_hash is None or request.method not in WRITES or self.permission in (SENDING, OPEN_TO_ALL):
            return
        wait_s = request.app.state.budget.take(key_hash)
        if wait_s:
            raise TooManyWrites(
                f"This key may write {WRITES_A_MINUTE} times a minute. Go on in {wait_s} s.",
                retry_after_s=wait_s,
            )

    async def _check(self, request: Request) -> None:
        if self.permission != OPEN_TO_ALL:
            await asyncio.to_thread(_require, runtime_of(request), identity_of(request), self.permission)


def _require(runtime: Runtime, identity: Identity, permission: str) -> None:
    with runtime.unit(identity) as unit:
        unit.require(permission)


async def _require_json(request: Request) -> None:
    """A body that parses as JSON is taken whatever its content type says; one that does not is refused for
    its content type where that is no JSON either."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    says_json = kind == "application/json" or kind.endswith("+json")
    body = await request.body()
    if body:
        try:
            value = json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            if not says_json:
                raise HTTPException(415) from None
            raise Malformed.field("body", _what_is_wrong(error)) from None
        _require_keepable(value)
    if kind != "application/json" or "content-type" not in request.headers:
        headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
        request.scope["headers"] = [*headers, (b"content-type", b"application/json")]
        request.__dict__.pop("_headers", None)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _what_is_wrong(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return f"must not be nested deeper than {MAX_DEPTH} levels"
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON: {error.msg} at character {error.pos}"
    return "is not JSON that can be read"


def _require_keepable(value: Any) -> None:
    """Refuses what no database keeps and no answer could repeat: endless nesting, half a character (a lone
    surrogate), a number beyond every range (1e400 reads as infinity)."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            break
    else:
        raise Malformed.field("body", f"must not be nested deeper than {MAX_DEPTH} levels")
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise Malformed.field("body", "must be whole Unicode characters") from None
    except ValueError:
        raise Malformed.field("body", "must not hold a number that is out of range") from None


def _refuse_odd(request: Request, known: frozenset[str]) -> None:
    """A filter with a typing error would answer with everything. PostgreSQL cannot even be asked for a text
    with NUL in it, so no row has one."""
    for name, text in request.query_params.multi_items():
        if name not in known:
            raise Malformed.field(name[:FIELD_MAX], "is not known here")
        if "\x00" in text:
            raise Malformed.field(name, "must not hold the character NUL")
    if any("\x00" in str(part) for part in request.path_params.values()):
        raise NotFound.of("thing")
