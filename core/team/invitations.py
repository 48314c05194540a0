"""Inviting people, one or many, and taking an invitation back (P4)."""

from dataclasses import dataclass

from sqlmodel import col, select

from core import access
from core.errors import Conflict, DomainError, Impossible
from core.mail.rules import mail_address
from core.team.members import hold_member, remove
from core.team.names import normal_email
from core.team.offers import mail_link, offer, withdraw
from core.team.people import find_or_add, user_by_email
from core.team.queries import MemberRow, rows_of, user_of
from core.team.rules import Act, too_high
from core.unit import Unit
from data.enums import MemberStatus, Role
from data.people import Member, User

AT_ONCE = 100
_ALREADY = {
    MemberStatus.ACTIVE: "{email} is in the team already.",
    MemberStatus.SUSPENDED: "{email} is in the team, and suspended. Reinstate them instead.",
    MemberStatus.INVITED: "{email} is invited already. Resend the invitation instead.",
}


@dataclass(frozen=True, slots=True)
class InviteLine:
    """What would come of one address that was pasted. ``problem`` is empty when they would be invited."""

    written: str
    email: str
    problem: str


def invite(unit: Unit, *, email: str, role: Role) -> MemberRow:
    """A place for that address, and a mail with the link to it. Conflict ``already_member``."""
    _require(unit, role)
    return rows_of(unit, [_invite(unit, normal_email(email), role)])[0]


def preview(unit: Unit, addresses: list[str], *, role: Role) -> list[InviteLine]:
    """What ``invite_all`` would do with each; writes nothing."""
    unit.require("team.invite")
    read = [_read(written) for written in addresses[:AT_ONCE]]
    here = _standing_here(unit, {line.email for line in read})
    lines: list[InviteLine] = []
    seen: set[str] = set()
    for line in read:
        problem = line.problem
        if not problem and line.email in seen:
            problem = "This address stands here twice."
        elif not problem and access.RANK[role] > unit.actor.rank:
            problem = too_high(role, by=unit.actor, permission="team.invite").sentence
        elif not problem and line.email in here:
            problem = _ALREADY[here[line.email]].format(email=line.email)
        seen.add(line.email)
        lines.append(InviteLine(line.written, line.email, problem))
    lines += [InviteLine(more, more, f"At most {AT_ONCE} at once.") for more in addresses[AT_ONCE:]]
    return lines


def invite_all(unit: Unit, addresses: list[str], *, role: Role) -> list[MemberRow]:
    """All of them, or nobody: Impossible ``invitations`` names the first line that is wrong."""
    _require(unit, role)
    lines = preview(unit, addresses, role=role)
    wrong = [line for line in lines if line.problem]
    if wrong or not lines:
        first = f"{wrong[0].written}: {wrong[0].problem}" if wrong else "Give at least one address."
        raise Impossible(f"Nobody was invited. {first}", code="invitations")
    return rows_of(unit, [_invite(unit, line.email, role) for line in lines])


def resend(unit: Unit, member_id: str) -> MemberRow:
    """A new link goes out, good for another seven days; the old one is dead."""
    member, user = _invited(unit, member_id, Act.RESEND)
    member, secret = offer(unit, user, member, role=member.role, workspace_id=member.workspace_id)
    mail_link(unit, user, member, secret, workspace_name=unit.workspace().name)
    unit.record("invitation.resent", f"member:{member.id}", after={"email": user.email, "role": member.role})
    return rows_of(unit, [member])[0]


def revoke(unit: Unit, member_id: str) -> None:
    """The link is dead; the place is kept as removed."""
    member, user = _invited(unit, member_id, Act.REVOKE)
    withdraw(unit, member)
    member.status = MemberStatus.REMOVED
    unit.session.add(member)
    unit.record(
        "invitation.revoked", f"member:{member.id}", before={"email": user.email, "role": member.role}
    )


def take_out(unit: Unit, member_id: str) -> None:
    """What a script means by deleting a member: an invitation is revoked, anyone else removed."""
    unit.require("team.remove")
    member = unit.find(Member, member_id, called="member")
    if member.status is MemberStatus.INVITED:
        revoke(unit, member_id)
    else:
        remove(unit, member_id)


def _require(unit: Unit, role: Role) -> None:
    unit.require("team.invite")
    unit.require_fresh()
    unit.lock_workspace()
    unit.require("team.invite")
    if access.RANK[role] > unit.actor.rank:
        raise too_high(role, by=unit.actor, permission="team.invite")


def _invite(unit: Unit, email: str, role: Role) -> Member:
    member = _place(unit, user_by_email(unit, email))
    user = find_or_add(unit, email)
    member, secret = offer(unit, user, member, role=role, workspace_id=unit.workspace_id)
    mail_link(unit, user, member, secret, workspace_name=unit.workspace().name)
    unit.record("member.invited", f"member:{member.id}", after={"email": email, "role": role})
    return member


def _place(unit: Unit, user: User | None) -> Member | None:
    """The place that they once had here. Conflict when they have one now."""
    if user is None:
        return None
    member = unit.session.exec(unit.scoped(Member).where(col(Member.user_id) == user.id)).first()
    if member is not None and member.status is not MemberStatus.REMOVED:
        raise Conflict(_ALREADY[member.status].format(email=user.email), code="already_member")
    return member


def _read(written: str) -> InviteLine:
    try:
        email = normal_email(written)
        mail_address(email)
    except DomainError as refused:
        return InviteLine(written, written, refused.sentence)
    return InviteLine(written, email, "")


def _standing_here(unit: Unit, emails: set[str]) -> dict[str, MemberStatus]:
    """address → status, of those that have a place here now: all asked for at once."""
    statement = (
        select(User.email, Member.status)
        .join(Member, col(Member.user_id) == col(User.id))
        .where(
            col(Member.workspace_id) == unit.workspace_id,
            col(Member.status) != MemberStatus.REMOVED,
            col(User.email).in_(emails),
        )
    )
    return {email: MemberStatus(status) for email, status in unit.session.exec(statement).all()}


def _invited(unit: Unit, member_id: str, act: Act) -> tuple[Member, User]:
    unit.require("team.invite")
    member = hold_member(unit, act, member_id)
    return member, user_of(unit, member)
