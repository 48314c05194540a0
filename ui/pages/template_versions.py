"""The words that a template had, newest first, with what changed from each to the next."""

from collections.abc import Sequence

from core.templates.versions import Difference, VersionView
from data.enums import ChangeSource
from ui.page import PageContext
from ui.parts.empty import empty
from ui.parts.text import box, text
from ui.parts.when import when

_SOURCES = {
    ChangeSource.API: "Submitted here",
    ChangeSource.SYNC: "Found by a sync",
    ChangeSource.WEBHOOK: "Told by webhook",
}


def draw_versions(page: PageContext, versions: Sequence[VersionView]) -> None:
    if not versions:
        empty("No version yet", "The words are kept each time they change.", icon_name="history")
        return
    with box("versions", tag="ol"):
        for number, each in zip(range(len(versions), 0, -1), versions, strict=True):
            with box(tag="li"):
                with box("r"):
                    text(_title(each, number), tag="b")
                    when(page, each.at)
                if each.is_first:
                    text("The first that is known here.", "m", tag="p")
                for difference in each.differences:
                    _draw_difference(difference)


def _title(version: VersionView, number: int) -> str:
    """*2 · Submitted by Ada Lindqvist*"""
    if version.made_by:
        return f"{number} · Submitted by {version.made_by}"
    return f"{number} · {_SOURCES.get(version.source, 'Changed at Meta')}"


def _draw_difference(difference: Difference) -> None:
    with box("difference"):
        text(difference.part, "lbl")
        if difference.before:
            text(difference.before, "before", tag="del")
        if difference.after:
            text(difference.after, "after", tag="ins")
