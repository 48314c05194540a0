"""A file that is made while it is read."""

from collections.abc import Generator
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class Streamed(StreamingResponse):
    """Nothing more of it is made once whoever asked has gone."""

    def __init__(self, lines: Generator[str, None, None], **options: Any) -> None:
        super().__init__(lines, **options)
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._lines.close()
