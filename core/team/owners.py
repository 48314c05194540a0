"""Workspaces and their first owners, made by command; and an owner again when the last is gone."""

from zoneinfo import available_timezones

from sqlmodel import col, select

from core.errors import Conflict, Impossible
from core.team.names import normal_email, slug_of
from core.team.offers import link_of, offer, withdraw
from core.team.people import find_or_add, user_by_email
from core.unit import Identity, Unit
from data.enums import MemberStatus, PlanName, Role
from data.people import Member, User, Workspace

COMMAND = Identity(process="command")


def create_owner(
    unit: Unit,
    *,
    workspace_name: str,
    email: str,
    password_hash: str,
    plan: PlanName = PlanName.STARTER,
    timezone: str = "UTC",
    is_demo: bool = False,
    name: str | None = None,
) -> Workspace:
    """A new workspace with its first owner; the first owner of all is platform admin too.

    A person who is known already keeps their password. Conflict when the workspace exists.
    """
    address = normal_email(email)
    workspace = _workspace(unit, workspace_name, plan=plan, timezone=timezone, is_demo=is_demo)
    user = user_by_email(unit, address)
    if user is None:
        user = User(
            id=unit.new_id("usr"),
            email=address,
            name=name or address.split("@")[0],
            password_hash=password_hash,
            is_platform_admin=is_nobody_here(unit),
            created_at=unit.now,
        )
    user.password_hash = user.password_hash or password_hash
    unit.session.add(user)
    unit.session.flush()
    unit.session.add(
        Member(
            id=unit.new_id("mem"),
            workspace_id=workspace.id,
            user_id=user.id,
            role=Role.OWNER,
            status=MemberStatus.ACTIVE,
            joined_at=unit.now,
        )
    )
    _record(unit, workspace, address)
    return workspace


def create_with_link(
    unit: Unit, *, workspace_name: str, email: str, plan: PlanName, timezone: str
) -> tuple[Workspace, str]:
    """As ``create_owner``, for someone else: a link with which they choose their own name and password."""
    address = normal_email(email)
    workspace = _workspace(unit, workspace_name, plan=plan, timezone=timezone)
    is_first = is_nobody_here(unit)
    user = find_or_add(unit, address)
    user.is_platform_admin |= is_first
    unit.session.add(user)
    _, secret = offer(unit, user, None, role=Role.OWNER, workspace_id=workspace.id)
    _record(unit, workspace, address)
    return workspace, link_of(unit, secret)


def recover_owner(unit: Unit, *, workspace: Workspace, email: str, reason: str) -> str | None:
    """The workspace has an owner again. Someone without a password yet gets a link, which is returned.

    Conflict ``owner_exists`` while an active owner is there: they can do it themselves.
    """
    address = normal_email(email)
    if not reason.strip():
        raise Impossible("Say why, for the audit log.", code="reason")
    mine = col(Member.workspace_id) == workspace.id
    owners = select(Member.id).where(
        mine, col(Member.role) == Role.OWNER, col(Member.status) == MemberStatus.ACTIVE
    )
    if unit.session.exec(owners.limit(1)).first() is not None:
        raise Conflict(f"“{workspace.slug}” has an owner, who can change roles.", code="owner_exists")
    user = find_or_add(unit, address)
    member = unit.session.exec(select(Member).where(mine, col(Member.user_id) == user.id)).first()
    link = None
    if not user.password_hash:
        member, secret = offer(unit, user, member, role=Role.OWNER, workspace_id=workspace.id)
        link = link_of(unit, secret)
    else:
        member = member or Member(id=unit.new_id("mem"), workspace_id=workspace.id, user_id=user.id)
        withdraw(unit, member)  # an invitation from before would make them something less
        member.role, member.status = Role.OWNER, MemberStatus.ACTIVE
        member.joined_at = member.joined_at or unit.now
        unit.session.add(member)
    unit.record(
        "owner.recovered",
        f"member:{member.id}",
        after={"email": address, "reason": reason.strip()},
        workspace_id=workspace.id,
    )
    return link


def is_nobody_here(unit: Unit) -> bool:
    """Whether no person is known at all."""
    return unit.session.exec(select(User.id).limit(1)).first() is None


def workspace_by_slug(unit: Unit, slug: str) -> Workspace:
    workspace = unit.session.exec(select(Workspace).where(col(Workspace.slug) == slug)).first()
    if workspace is None:
        raise Impossible(f"There is no workspace “{slug}”.", code="workspace_unknown")
    return workspace


def known_zone(timezone: str) -> str:
    if timezone not in available_timezones():
        raise Impossible(
            f"“{timezone}” is no time zone. Use an IANA name such as Europe/Berlin.", code="timezone"
        )
    return timezone


def _workspace(unit: Unit, name: str, *, plan: PlanName, timezone: str, is_demo: bool = False) -> Workspace:
    slug = slug_of(name)
    known_zone(timezone)
    if unit.session.exec(select(Workspace.id).where(col(Workspace.slug) == slug)).first() is not None:
        raise Conflict(f"The workspace “{slug}” exists already.", code="workspace_exists")
    workspace = Workspace(
        id=unit.new_id("ws"),
        slug=slug,
        name=name.strip(),
        timezone=timezone,
        plan=plan,
        is_demo=is_demo,
        created_at=unit.now,
    )
    unit.session.add(workspace)
    unit.session.flush()
    return workspace


def _record(unit: Unit, workspace: Workspace, owner: str) -> None:
    unit.record(
        "workspace.created",
        f"workspace:{workspace.slug}",
        after={
            "name": workspace.name,
            "plan": workspace.plan.value,
            "timezone": workspace.timezone,
            "owner": owner,
        },
        workspace_id=workspace.id,
    )
