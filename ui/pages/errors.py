"""What stands in place of a page that cannot be shown."""

from core import access
from core.errors import DomainError, NotFound
from ui import act
from ui.page import PageContext
from ui.parts.icon import icon
from ui.parts.text import box, text


def draw_forbidden(page: PageContext, permission: str) -> None:
    """Names what is missing, and who could grant it."""
    what = access.PERMISSIONS[permission].title if permission in access.PERMISSIONS else permission
    roles = access.who_can(permission) if permission in access.PERMISSIONS else ()
    names = [role.value for role in roles]
    able = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)
    role = page.actor.role.value if page.actor.role else "present"
    _draw(
        "Not for your role",
        f"“{what}” ({permission}) is not part of your role, {role}.",
        f"It belongs to {able}. An owner of {page.workspace_name} can give you such a role."
        if able
        else "Nobody in this workspace has it.",
        icon_name="lock",
    )


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
