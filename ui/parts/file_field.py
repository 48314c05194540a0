"""A small file from the person's machine, handed over through the page's own socket."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from ui.act import handler
from ui.parts.text import box, text

# Read in the browser; one that is too large is named without its bytes.
_READ = """(event) => {{
  const file = event.target.files[0];
  if (!file) return;
  const told = {{ name: file.name, type: file.type, data: "" }};
  if (file.size > {limit}) return emit(told);
  const reader = new FileReader();
  reader.onload = () => emit({{ ...told, data: String(reader.result).split(",")[1] || "" }});
  reader.readAsDataURL(file);
}}"""


@dataclass(frozen=True, slots=True)
class ChosenFile:
    """``content`` is empty for a file that is empty or larger than the field takes."""

    name: str
    kind: str
    content: bytes


def file_field(
    label: str, on: Callable[[ChosenFile], Awaitable[Any]], *, limit: int, accept: str = ""
) -> ui.element:
    """``limit``: bytes, below what a socket carries in one message. ``accept``: media types."""
    with box("field"):
        name = text(label, tag="label")
        made = ui.element("input").props("type=file").classes("filepick")
        made.props["id"] = name.props["for"] = f"f{made.id}"
        made.props["accept"] = accept

    async def chosen(event: Any) -> None:
        told = event.args if isinstance(event.args, dict) else {}
        try:
            content = base64.b64decode(str(told.get("data", "")), validate=True)
        except (binascii.Error, ValueError):
            content = b""
        await on(ChosenFile(str(told.get("name", "")), str(told.get("type", "")), content[: limit + 1]))

    made.on("change", handler(chosen), js_handler=_READ.format(limit=limit))
    return made
