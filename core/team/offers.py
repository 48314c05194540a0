"""The link of an invitation (P4): 256 bits of which only the SHA-256 is stored, good once, for seven days."""

from datetime import timedelta

from sqlmodel import col, update

from core.mail.commands import send_mail
from core.team.names import hash_key, new_secret
from core.unit import Unit
from data.enums import MemberStatus, Role
from data.people import Invitation, Member, User


def offer(
    unit: Unit, user: User, member: Member | None, *, role: Role, workspace_id: str
) -> tuple[Member, str]:
    """The person's place, waiting for them with that role, and the secret of the link to it. Any link from
    before is dead."""
    until = unit.now + timedelta(seconds=unit.settings.waypost_invitation_ttl)
    if member is None:
        member = Member(
            id=unit.new_id("mem"),
            workspace_id=workspace_id,
            user_id=user.id,
            role=role,
            status=MemberStatus.INVITED,
        )
    else:
        withdraw(unit, member)
    member.role, member.status, member.joined_at = role, MemberStatus.INVITED, None
    member.invited_at, member.invited_until = unit.now, until
    unit.session.add(member)
    unit.session.flush()
    secret = new_secret()
    unit.session.add(
        Invitation(
            id=unit.new_id("inv"),
            workspace_id=workspace_id,
            member_id=member.id,
            email=user.email,
            role=role,
            token_hash=hash_key(secret),
            invited_by=unit.actor.id,
            created_at=unit.now,
            expires_at=until,
        )
    )
    return member, secret


def withdraw(unit: Unit, member: Member) -> None:
    """No link to that place opens it any more."""
    unit.session.exec(
        update(Invitation)
        .where(
            col(Invitation.member_id) == member.id,
            col(Invitation.accepted_at).is_(None),
            col(Invitation.revoked_at).is_(None),
        )
        .values(revoked_at=unit.now)
    )


def link_of(unit: Unit, secret: str) -> str:
    return f"{unit.settings.public_url}/invite/{secret}"


def mail_link(unit: Unit, user: User, member: Member, secret: str, *, workspace_name: str) -> None:
    """Who invited them, to what, the link, and until when it is good."""
    inviter = "" if unit.actor.is_process else f"{unit.actor.name} has invited you. "
    until = f"{member.invited_until:%d %B %Y, %H:%M} UTC"
    send_mail(
        unit,
        to=user.email,
        subject=f"Join {workspace_name} on Waypost",
        text=(
            f"{inviter}You can join the workspace {workspace_name} as {member.role.value}.\n\n"
            f"Open this link and choose a name and a password:\n\n{link_of(unit, secret)}\n\n"
            f"It is good once, until {until}. If you do not know what this is, do nothing.\n"
        ),
        kind="invitation",
        workspace_id=member.workspace_id,
    )
