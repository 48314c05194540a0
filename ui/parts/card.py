"""Cards, and the head of a page."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from ui.page import PageContext
from ui.parts.text import box, text


@contextmanager
def heading(page: PageContext, about: str = "", *, title: str = "") -> Iterator[None]:
    """The page's h1 with a line about it; what is put into it stands at the right, as its actions. On a live
    page the mark of how fresh it is stands there too: call ``page.live`` first, or leave it out."""
    with box("pagehead", tag="div"):
        with box("titles"):
            text(title or page.title, tag="h1")
            with box("about", tag="p"):
                text(about)
        with box("acts"):
            ui.html('<span data-fresh class="fresh">Live</span>', sanitize=False, tag="span")
            yield


def card(classes: str = "", *, label: str = "") -> ui.element:
    """A raised surface. With ``label`` it is a section that can be found by name."""
    return box(f"card {classes}".strip(), tag="section" if label else "div", label=label, role="")


def card_title(title: str, *, aside: str = "") -> None:
    with box("cardhead"):
        text(title, tag="h2")
        if aside:
            text(aside, "aside")
