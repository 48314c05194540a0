"""The resumable upload: a session for a file, then its bytes, then the handle that templates name it by."""

import base64
import secrets

from starlette.requests import Request
from starlette.responses import Response

from core.sandbox.access import require_access
from core.sandbox.answers import answer, sandbox_of
from core.sandbox.errors import bad_parameter, no_such_object


async def begin(request: Request) -> Response:
    require_access(request)
    sandbox, query = sandbox_of(request), request.query_params
    if request.path_params["node"] != sandbox.config.app_id:
        raise no_such_object(request.path_params["node"])
    length, kind = query.get("file_length", ""), query.get("file_type", "")
    if not length.isdigit() or "/" not in kind:
        raise bad_parameter("The parameters file_length and file_type are required.")
    session = secrets.token_urlsafe(18)
    sandbox.world.uploads[session] = (int(length), kind)
    return answer({"id": f"upload:{session}"})


async def take(request: Request) -> Response:
    """All of the file at once, from its beginning."""
    require_access(request)
    session = request.path_params["session"]
    wanted = sandbox_of(request).world.uploads.get(session)
    if wanted is None:
        raise no_such_object(f"upload:{session}")
    content = await request.body()
    if request.headers.get("file_offset") != "0" or len(content) != wanted[0]:
        raise bad_parameter("The bytes are not those that were announced.")
    kind = base64.b64encode(wanted[1].encode()).decode()
    return answer({"h": f"4::{kind}:{secrets.token_urlsafe(24)}"})
