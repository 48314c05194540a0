"""The mails that are kept in files because no mail server is named: what a page shows of them."""

from sqlmodel import col, select

from core import access
from core.ports.mail import Kept, Outbox
from core.runtime import Runtime
from core.unit import Identity
from data.alerts import Mail

PERMISSION = "settings.manage"
NEWEST = 50


def look(runtime: Runtime, identity: Identity) -> list[Kept] | None:
    """The workspace's newest mails, newest first, and to platform admins also those of no workspace. None
    when mail goes to a server."""
    with runtime.unit(identity) as unit:
        unit.require(PERMISSION)
        places: list[str | None] = [unit.workspace_id]
        if unit.actor.can(access.PLATFORM_ADMIN):
            places.append(None)
        ids: list[str] = []
        for place in places:
            is_there = col(Mail.workspace_id).is_(None) if place is None else col(Mail.workspace_id) == place
            newest = select(Mail.id).where(is_there).order_by(col(Mail.id).desc()).limit(NEWEST)
            ids += unit.session.exec(newest)
    if not isinstance(runtime.mail, Outbox):
        return None
    return runtime.mail.kept(sorted(ids, reverse=True)[:NEWEST])
