"""What stands in place of a page that cannot be shown."""

from core import access
from core.errors import DomainError, NotFound
from core.team.reasons import why
from ui import act
from ui.page import PageContext
from ui.parts.icon import icon
from ui.parts.text import box, text


def draw_forbidden(page: PageContext, permission: str) -> None:
    """Names what is missing, and who could grant it."""
    role = page.actor.acting_role
    sentences = [f"{access.rule(permission)} It is called {permission}."]
    if role is not None and permission in access.PERMISSIONS:
        sentences.append(why(role, permission).remedy)
    _draw("Not for your role", *sentences, icon_name="lock")


def draw_refused(page: PageContext | None, error: Exception) -> None:
    """404, or whatever else a page ran into. Only our own sentences are shown, never an exception's text."""
    if isinstance(error, NotFound):
        _draw("Page not found", error.sentence, icon_name="search")
    elif isinstance(error, DomainError):
        _draw("This cannot be shown now", error.sentence, icon_name="cloud-off")
    else:
        _draw("Something went wrong", act.CRASHED, icon_name="triangle-alert")


def _draw(title: str, *sentences: str, icon_name: str) -> None:
    with box("card fault"):
        with box("art"):
            icon(icon_name)
        text(title, tag="h1")
        for sentence in sentences:
            text(sentence, tag="p")
        back = text("Go to the overview", "btnlink", tag="a")
        back.props["href"] = "/"
