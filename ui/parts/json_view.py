"""JSON to read and to copy."""

import html
import json
import re
from typing import Any

from nicegui import ui

from ui.parts.copy import copy_button
from ui.parts.text import box, text

_STRINGS = re.compile(r"(&quot;(?:[^&\\]|\\.|&(?!quot;))*&quot;)(\s*:)?")


def json_view(value: Any, *, title: str = "Payload") -> ui.element:
    """Keys and values told apart by colour; a button copies the whole."""
    raw = json.dumps(value, indent=2, ensure_ascii=False)
    with box("jsonview") as made:
        with box("head"):
            text(title, tag="h3")
            copy_button(raw, label=f"Copy {title.lower()}")
        ui.html(
            f'<pre class="json" tabindex="0" role="group" aria-label="{html.escape(title, quote=True)}">'
            f"{highlighted(raw)}</pre>",
            sanitize=False,
        )
    return made


def highlighted(raw: str) -> str:
    """HTML in which everything of ``raw`` is escaped; strings that are keys get class ``k``, others ``s``."""

    def mark(found: re.Match[str]) -> str:
        return f'<span class="{"k" if found[2] else "s"}">{found[1]}</span>{found[2] or ""}'

    return _STRINGS.sub(mark, html.escape(raw, quote=True))
