"""The dead letters that match as a file, for the browser of who asked. The address has the API's words."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from core.errors import DomainError
from ui.api.letter_filters import Asked
from ui.api.route import needs, runtime_of
from ui.bare import bare_page
from ui.letter_file import letter_file
from ui.session import identity_in

PATH = "/dead-letters/export"

router = APIRouter(include_in_schema=False)


@router.get(PATH)
@needs("dead_letters.export")
async def export(
    request: Request, wanted: Asked, form: Annotated[Literal["csv", "json"], Query(alias="format")] = "csv"
) -> Response:
    """All of them, newest first, streamed. That they were taken out is in the audit log."""
    runtime, identity = runtime_of(request), identity_in(request.state)
    try:
        return await asyncio.to_thread(letter_file, runtime, identity, wanted, form)
    except DomainError as refusal:
        return bare_page("The dead letters were not exported", refusal.sentence, status=refusal.status)
