"""What a send will look like: on its reader's phone, to the service window, and to Meta."""

import re
from itertools import zip_longest
from typing import Any

from core.messaging.preview import Preview
from core.templates.forms import Rendered
from ui.page import PageContext
from ui.parts.card import card, card_title
from ui.parts.icon import icon
from ui.parts.json_view import json_view
from ui.parts.region import Region
from ui.parts.text import box, text
from ui.parts.when import when

# WhatsApp's own marks; none spans lines, and _ within_a_word is no mark. Beside them: a variable still open.
_MARKS = re.compile(
    r"(?P<mono>```[^`]+```)|(?P<bold>(?<!\w)\*[^*\s][^*\n]*\*(?!\w))"
    r"|(?P<italic>(?<!\w)_[^_\s][^_\n]*_(?!\w))|(?P<strike>(?<!\w)~[^~\s][^~\n]*~(?!\w))"
    r"|(?P<open>\{\{\s*\w+\s*\}\})"
)
_MARK_LENGTH = {"mono": 3, "bold": 1, "italic": 1, "strike": 1, "open": 0}
_MEDIA_ICONS = {"location": "globe"}
_BUTTON_ICONS = {
    "URL": "external-link",
    "PHONE_NUMBER": "phone",
    "COPY_CODE": "copy",
    "OTP": "copy",
    "FLOW": "square-pen",
    "CATALOG": "list",
    "MPM": "list",
}
NOTHING = "Choose a template or write a text, and it stands here."
EMPTY = Rendered(media="", header="", body="", footer="", buttons=())


class SendView:
    """``show`` brings it up to date; what did not change is left alone."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        with card("", label="Preview"):
            card_title("As the reader sees it")
            self._phone = Region(draw_phone)
            self._window = Region(self._draw_window, "window", role="status")
        with card("padded", label="Request"):
            self._body = Region(self._draw_body)

    def show(
        self, rendered: Rendered, *, sender: str, known: Preview | None, body: dict[str, Any] | None
    ) -> None:
        self._phone.show(rendered, sender)
        self._window.show(
            known and known.to_pretty, known and known.window_is_open, known and known.window_ends_at
        )
        self._body.show(body)

    def _draw_window(self, to: str | None, is_open: bool | None, ends: Any) -> None:
        """The customer's service window, in words: Meta takes free text only while it is open."""
        page = self._page
        tone = "grey" if to is None else "green" if is_open else "amber"
        with box(f"windowline tone-{tone}"):
            box("dot")
            with box("words", tag="p"):
                if to is None:
                    text("The service window shows here once the recipient is a number.")
                elif is_open:
                    text("Service window open until ", tag="b")
                    text(f"{page.times.short(ends)} (")
                    when(page, ends)
                    text("): templates and text.")
                elif ends is None:
                    text("Service window closed: only templates. ", tag="b")
                    text("This person has not written to this phone.")
                else:
                    text("Service window closed: only templates. ", tag="b")
                    text(f"It ended {page.times.short(ends)}, 24 hours after their last message.")

    def _draw_body(self, body: dict[str, Any] | None) -> None:
        if body is None:
            text("Request to Meta", "bodytitle", tag="h3")
            text("The JSON that goes to Meta stands here once there is something to send.", "hint", tag="p")
        else:
            json_view(body, title="Request to Meta")


def draw_phone(rendered: Rendered, sender: str, nothing: str = NOTHING) -> None:
    """As a phone shows it, under the sender's name; ``nothing`` is said while there is nothing to show."""
    with box("chat"):
        with box("chathead"):
            icon("user")
            text(sender, tag="b")
        with box("chatbody"):
            if rendered == EMPTY:
                text(nothing, "hint", tag="p")
                return
            with box("bubble"):
                _draw_bubble(rendered)
            for label, kind in zip_longest(rendered.buttons, rendered.kinds, fillvalue=""):
                with box("reply"):
                    icon(_BUTTON_ICONS.get(kind, "undo-2"))
                    text(label)


def _draw_bubble(rendered: Rendered) -> None:
    if rendered.media:
        with box("media"):
            icon(_MEDIA_ICONS.get(rendered.media, "file-text"))
            text(rendered.media.capitalize())
    if rendered.header:
        draw_marked(rendered.header, "header")
    draw_marked(rendered.body, "body")
    if rendered.footer:
        text(rendered.footer, "footer", tag="p")


def draw_marked(content: str, classes: str) -> None:
    """The text with WhatsApp's marks in force; always as text, never as markup."""
    with box(classes, tag="p"):
        for kind, piece in pieces(content):
            text(piece, kind)


def pieces(content: str) -> list[tuple[str, str]]:
    """(kind, text) in order; kind is empty, bold, italic, strike, mono, or open for an unfilled variable.

    *"Hi *Mara*, all_is_well" → ("", "Hi "), ("bold", "Mara"), ("", ", all_is_well")*
    """
    found: list[tuple[str, str]] = []
    at = 0
    for mark in _MARKS.finditer(content):
        kind = mark.lastgroup or ""
        cut = _MARK_LENGTH[kind]
        found += [("", content[at : mark.start()]), (kind, mark[0][cut : len(mark[0]) - cut])]
        at = mark.end()
    found.append(("", content[at:]))
    return [(kind, piece) for kind, piece in found if piece]
