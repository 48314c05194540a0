"""Sending one message by hand."""

from ui.page import PageContext
from ui.parts.card import heading


async def build(page: PageContext) -> None:
    with heading(page, ""):
        pass
