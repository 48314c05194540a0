"""Files that show Meta's reviewers what a template's header will hold."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from core.errors import Conflict, Impossible
from core.phones.queries import token_of, waba_of
from core.phones.sync import refusal
from core.ports.graph_replies import GraphError
from core.runtime import Runtime
from core.templates.guard import require_unflagged
from core.unit import Identity

# What Meta takes for a header's format.
TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "IMAGE": ("image/jpeg", "image/png"),
        "VIDEO": ("video/mp4",),
        "DOCUMENT": ("application/pdf",),
    }
)
# Far below Meta's limits: an example need not be large, and a page hands it over in one message.
BYTES_MAX = 700_000
NAME_MAX = 200


async def upload_example(
    runtime: Runtime, identity: Identity, *, waba_id: str, header: str, name: str, kind: str, content: bytes
) -> str:
    """Meta's handle of the file, which a template's header names. ``header``: its format; ``kind``: the
    file's media type. Impossible ``example_file`` for what Meta would not take, ``meta_…`` when it refuses,
    Conflict without an app of Meta's to upload with."""

    def look() -> str:
        with runtime.unit(identity) as unit:
            unit.require("templates.manage")
            require_unflagged(unit)
            _check(header, kind, content)
            return token_of(unit, waba_id=waba_of(unit, waba_id).id)

    token = await asyncio.to_thread(look)
    try:
        return await runtime.graph.upload_example(
            token=token, name=name[:NAME_MAX], kind=kind, content=content
        )
    except GraphError as error:
        raise refusal(error) from None
    except LookupError:
        raise Conflict(
            "Meta takes files only from an app: set WAYPOST_META_APP_ID and WAYPOST_META_APP_SECRET first, "
            "or paste a handle.",
            code="app_missing",
        ) from None


def _check(header: str, kind: str, content: bytes) -> None:
    wanted = TYPES.get(header, ())
    if kind not in wanted:
        named = " or ".join(each.partition("/")[2].upper() for each in wanted)
        raise Impossible(f"Choose a file of type {named}.", code="example_file")
    if not 0 < len(content) <= BYTES_MAX:
        raise Impossible(
            f"Choose a smaller file, at most {BYTES_MAX // 1000} kB: it is only an example.",
            code="example_file",
        )
