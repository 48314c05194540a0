"""People of the platform (P8): their flags, and how they look into a workspace."""

from core import access
from core.errors import Conflict, Forbidden, Impossible, NotFound
from core.team.names import normal_email
from core.team.people import user_by_email
from core.team.sessions import own_browser
from core.unit import Unit
from data.people import User, Workspace

REASON_MAX = 500


def grant_platform(unit: Unit, *, email: str, support_only: bool) -> None:
    """That person is platform admin, or platform support. By command only: no page and no key can."""
    _require_command(unit)
    user = _known(unit, email)
    if support_only:
        user.is_platform_support = True
    else:
        user.is_platform_admin = True
    unit.session.add(user)
    flag = access.PLATFORM_SUPPORT if support_only else access.PLATFORM_ADMIN
    unit.record("platform.granted", f"user:{user.id}", after={"flag": flag})


def revoke_platform(unit: Unit, *, email: str) -> None:
    """That person is neither any more; whoever looks into a workspace is out at once. By command only."""
    _require_command(unit)
    user = _known(unit, email)
    flags = [
        flag
        for flag, is_set in (
            (access.PLATFORM_ADMIN, user.is_platform_admin),
            (access.PLATFORM_SUPPORT, user.is_platform_support),
        )
        if is_set
    ]
    if flags:
        user.is_platform_admin = user.is_platform_support = False
        unit.session.add(user)
        unit.record("platform.revoked", f"user:{user.id}", before={"flags": flags})


def enter_as_support(unit: Unit, workspace_id: str, *, reason: str) -> None:
    """This browser looks into that workspace as its support does, masked, until ``leave_support``. The reason
    stands in the audit log of that workspace."""
    unit.require(access.PLATFORM_SUPPORT)
    unit.require_fresh()
    browser = own_browser(unit)
    workspace = unit.session.get(Workspace, workspace_id)
    if workspace is None:
        raise NotFound("There is no such workspace.")
    text = " ".join(reason.split())
    if not text or len(text) > REASON_MAX:
        raise Impossible(f"Say why, in 1 to {REASON_MAX} characters.", code="reason")
    if workspace.require_second_factor and browser.second_factor_at is None:
        raise Impossible(
            f"{workspace.name} asks for a second factor. Set one up in your account first.",
            code="second_factor_missing",
        )
    if browser.support_workspace_id == workspace_id:
        raise Conflict(f"You are in {workspace.name} already.", code="entered_already")
    browser.support_workspace_id, browser.support_reason = workspace_id, text
    browser.view_as = None
    unit.session.add(browser)
    unit.record(
        "support.entered", f"workspace:{workspace.slug}", after={"reason": text}, workspace_id=workspace_id
    )


def leave_support(unit: Unit) -> None:
    """This browser is back in the workspace that it came from."""
    browser = own_browser(unit)
    if browser.support_workspace_id is None:
        return
    unit.record(
        "support.left", f"workspace:{browser.support_workspace_id}", workspace_id=browser.support_workspace_id
    )
    browser.support_workspace_id = browser.support_reason = None
    unit.session.add(browser)


def record_look(unit: Unit, path: str) -> None:
    """Every look of a platform person inside a workspace is one entry in its audit log."""
    if unit.actor.is_support:
        unit.record("support.looked", f"page:{path}")


def _known(unit: Unit, email: str) -> User:
    address = normal_email(email)
    user = user_by_email(unit, address)
    if user is None:
        raise Impossible(f"Nobody with the address {address} is known.", code="person_unknown")
    return user


def _require_command(unit: Unit) -> None:
    if not unit.actor.is_process:
        raise Forbidden("This is done by command only.", permission=access.PLATFORM_ADMIN)
