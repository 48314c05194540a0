"""Roles, suspension and removal (P3, P6). Who changes who may do what holds the workspace's row meanwhile."""

from sqlmodel import col, update

from core.errors import NotFound
from core.team.queries import MemberRow, count_owners, rows_of
from core.team.rules import Act, last_owner, refusal
from core.unit import Unit
from data.enums import MemberStatus, Role
from data.people import ApiKey, BrowserSession, Member


def change_role(unit: Unit, member_id: str, *, role: Role) -> MemberRow:
    """The member has that role, from their next click on. Conflict ``last_owner`` when nobody else is one."""
    unit.require("team.change_role")
    member = hold_member(unit, Act.CHANGE_ROLE, member_id, becomes=role)
    before, member.role = member.role, role
    if before is not role:
        unit.session.add(member)
        unit.record("member.role_changed", _target(member), before={"role": before}, after={"role": role})
    return rows_of(unit, [member])[0]


def suspend(unit: Unit, member_id: str) -> MemberRow:
    """Signed out at once, and cannot come back until reinstated; their keys do nothing meanwhile."""
    unit.require("team.suspend")
    member = hold_member(unit, Act.SUSPEND, member_id)
    member.status = MemberStatus.SUSPENDED
    unit.session.add(member)
    _end_sessions(unit, member)
    unit.record("member.suspended", _target(member))
    return rows_of(unit, [member])[0]


def reinstate(unit: Unit, member_id: str) -> MemberRow:
    """May sign in again, with the role they had."""
    unit.require("team.suspend")
    member = hold_member(unit, Act.REINSTATE, member_id)
    member.status = MemberStatus.ACTIVE
    unit.session.add(member)
    unit.record("member.reinstated", _target(member))
    return rows_of(unit, [member])[0]


def remove(unit: Unit, member_id: str) -> None:
    """The row stays, as removed; sessions and keys of theirs in this workspace are over (P6)."""
    unit.require("team.remove")
    member = hold_member(unit, Act.REMOVE, member_id)
    _take_away(unit, member)
    unit.record("member.removed", _target(member), before={"role": member.role})


def leave(unit: Unit) -> None:
    """The reader is no longer in the team. Conflict ``last_owner`` when nobody else is one."""
    unit.require("workspace.view")
    unit.require_fresh()
    unit.lock_workspace()
    mine = unit.scoped(Member).where(col(Member.user_id) == unit.actor.user_id).with_for_update()
    member = unit.session.exec(mine).first()
    if member is None:
        raise NotFound("You are no member of this workspace.")
    if member.role is Role.OWNER and count_owners(unit) <= 1:
        raise last_owner()
    _take_away(unit, member)
    unit.record("member.left", _target(member), before={"role": member.role})


def hold_member(unit: Unit, act: Act, member_id: str, *, becomes: Role | None = None) -> Member:
    """The member, held with the workspace's row until the end of this transaction, and one that the actor may
    do that to as things are from then on. Whoever changes who is in proves anew who they are."""
    unit.require_fresh()
    unit.lock_workspace()
    member = unit.find(Member, member_id, called="member", lock=True)
    refused = refusal(act, member, by=unit.actor, owners=count_owners(unit), becomes=becomes)
    if refused is not None:
        raise refused
    return member


def _take_away(unit: Unit, member: Member) -> None:
    member.status = MemberStatus.REMOVED
    unit.session.add(member)
    _end_sessions(unit, member)
    unit.session.exec(
        update(ApiKey)
        .where(
            col(ApiKey.workspace_id) == member.workspace_id,
            col(ApiKey.created_by) == member.user_id,
            col(ApiKey.revoked_at).is_(None),
        )
        .values(revoked_at=unit.now)
    )


def _end_sessions(unit: Unit, member: Member) -> None:
    unit.session.exec(
        update(BrowserSession)
        .where(
            col(BrowserSession.user_id) == member.user_id,
            col(BrowserSession.workspace_id) == member.workspace_id,
            col(BrowserSession.ended_at).is_(None),
        )
        .values(ended_at=unit.now)
    )


def _target(member: Member) -> str:
    return f"member:{member.id}"
