"""Open browser sessions: whose they are, what they look at, and their end."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select, update

from core import access
from core.errors import Forbidden, Impossible, NotFound, NotSignedIn
from core.team.agents import device_of
from core.unit import Unit, is_live
from data.enums import MemberStatus, Role
from data.people import BrowserSession, Member, Workspace


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One signed-in browser of the reader's. ``id`` is no secret: it opens nothing."""

    id: str
    device: str
    address: str
    workspace_name: str
    created_at: datetime
    last_seen_at: datetime
    is_this_one: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace that the reader belongs to."""

    workspace_id: str
    name: str
    role: Role
    is_here: bool


def stay_signed_in(unit: Unit) -> None:
    """The browser was seen now: its idle time starts again. Written at most once a minute."""
    browser = unit.session.get(BrowserSession, unit.identity.session_hash)
    if browser is None or browser.is_pending or not is_live(browser, now=unit.now, settings=unit.settings):
        return
    browser.last_seen_at = unit.now
    unit.session.add(browser)
    unit.session.exec(
        update(Member)
        .where(col(Member.user_id) == browser.user_id, col(Member.workspace_id) == browser.workspace_id)
        .values(last_seen_at=unit.now)
    )


def own_sessions(unit: Unit) -> list[SessionRow]:
    """The reader's live ones, last seen first; at most a hundred."""
    unit.require("workspace.view")
    statement = (
        select(BrowserSession, Workspace.name)
        .join(Workspace, col(Workspace.id) == col(BrowserSession.workspace_id))
        .where(
            col(BrowserSession.user_id) == unit.actor.user_id,
            col(BrowserSession.ended_at).is_(None),
            col(BrowserSession.is_pending).is_(False),
        )
        .order_by(col(BrowserSession.last_seen_at).desc())
        .limit(100)
    )
    return [
        SessionRow(
            id=browser.token_hash,
            device=device_of(browser.agent),
            address=browser.address,
            workspace_name=workspace_name,
            created_at=browser.created_at,
            last_seen_at=browser.last_seen_at,
            is_this_one=browser.token_hash == unit.identity.session_hash,
        )
        for browser, workspace_name in unit.session.exec(statement).all()
        if is_live(browser, now=unit.now, settings=unit.settings)
    ]


def end_session(unit: Unit, session_id: str) -> None:
    """That browser of the reader's is signed out, on all of its pages."""
    unit.require("workspace.view")
    browser = unit.session.get(BrowserSession, session_id)
    if browser is None or browser.user_id != unit.actor.user_id:
        raise NotFound("There is no such session of yours.")
    if browser.ended_at is None:
        browser.ended_at = unit.now
        unit.session.add(browser)
        unit.record("session.ended", f"user:{browser.user_id}", after={"device": device_of(browser.agent)})


def end_other_sessions(unit: Unit) -> int:
    """Every browser of the reader's but this one is signed out; how many."""
    unit.require("workspace.view")
    ended = end_sessions_of(unit, unit.actor.user_id or "", but=unit.identity.session_hash)
    if ended:
        unit.record("sessions.ended", f"user:{unit.actor.user_id}", after={"sessions": ended})
    return ended


def end_sessions_of(unit: Unit, user_id: str, *, but: str | None = None) -> int:
    """Signs that person out everywhere, but for the session ``but``; how many sessions that were."""
    statement = update(BrowserSession).where(
        col(BrowserSession.user_id) == user_id, col(BrowserSession.ended_at).is_(None)
    )
    if but is not None:
        statement = statement.where(col(BrowserSession.token_hash) != but)
    ended: int = unit.session.exec(statement.values(ended_at=unit.now)).rowcount
    return ended


def own_places(unit: Unit) -> list[Place]:
    """The workspaces that the reader may switch to, by name."""
    unit.require("workspace.view")
    statement = (
        select(Member.workspace_id, Workspace.name, Member.role)
        .join(Workspace, col(Workspace.id) == col(Member.workspace_id))
        .where(col(Member.user_id) == unit.actor.user_id, col(Member.status) == MemberStatus.ACTIVE)
        .order_by(col(Workspace.name), col(Workspace.id))
        .limit(200)
    )
    return [
        Place(workspace_id, name, Role(role), workspace_id == unit.actor.workspace_id)
        for workspace_id, name, role in unit.session.exec(statement).all()
    ]


def switch_workspace(unit: Unit, workspace_id: str) -> None:
    """This browser works in that workspace, on all of its pages. NotFound unless the reader is an active
    member there."""
    browser = own_browser(unit)
    statement = (
        select(Member, Workspace)
        .join(Workspace, col(Workspace.id) == col(Member.workspace_id))
        .where(
            col(Member.user_id) == browser.user_id,
            col(Member.workspace_id) == workspace_id,
            col(Member.status) == MemberStatus.ACTIVE,
        )
    )
    found = unit.session.exec(statement).first()
    if found is None:
        raise NotFound("There is no such workspace of yours.")
    member, workspace = found
    if workspace.require_second_factor and browser.second_factor_at is None:
        raise Impossible(
            f"{workspace.name} asks for a second factor. Set one up in your account, then switch.",
            code="second_factor_missing",
        )
    browser.workspace_id = workspace_id
    browser.support_workspace_id = browser.support_reason = browser.view_as = None
    member.last_seen_at = unit.now
    unit.session.add_all([browser, member])
    unit.record("workspace.switched", f"workspace:{workspace_id}", workspace_id=workspace_id)


def view_as(unit: Unit, role: Role) -> None:
    """This browser shows what that lesser role sees, and changes nothing, until ``view_as_self``. It
    restricts, never extends."""
    browser = own_browser(unit)
    own = unit.actor.role
    is_lesser = own is not None and role is not own and access.granted(role) < access.granted(own)
    if not is_lesser or unit.actor.is_support:
        raise Forbidden(f"The role {role.value} is not below yours.", permission="team.permissions")
    browser.view_as = role
    unit.session.add(browser)
    unit.record("view_as.began", f"role:{role.value}")


def view_as_self(unit: Unit) -> None:
    """The console shows what the reader's own role sees again."""
    browser = own_browser(unit)
    if browser.view_as is not None:
        unit.record("view_as.ended", f"role:{browser.view_as.value}")
        browser.view_as = None
        unit.session.add(browser)


def record_forged(unit: Unit, what: str) -> None:
    """A browser tried something at a page that is not, or no longer, its own; it was refused. Cookies of no
    session name nobody, and leave no entry."""
    browser = unit.session.get(BrowserSession, unit.identity.session_hash)
    if browser is not None:
        unit.record(
            "socket.refused",
            f"user:{browser.user_id}",
            after={"what": what},
            workspace_id=browser.support_workspace_id or browser.workspace_id,
            by=browser.user_id,
        )


def own_browser(unit: Unit) -> BrowserSession:
    """The reader's session, whatever they view as. Keys and processes have none."""
    if unit.actor.user_id is None or unit.identity.session_hash is None:
        raise NotSignedIn("This is for people in a browser. Sign in to the console.")
    return unit.session.get_one(BrowserSession, unit.identity.session_hash)
