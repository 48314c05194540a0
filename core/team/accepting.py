"""Accepting an invitation (P4): opening the link changes nothing, only the form does."""

from dataclasses import dataclass

from sqlmodel import col, select

from core.errors import Conflict, Gone, NotFound, NotSignedIn
from core.runtime import Runtime
from core.team.names import hash_key, person_name
from core.team.passwords import MAX_LENGTH, hash_password, is_password
from core.team.throttle import count_failure, refuse_throttled
from core.unit import Identity, Unit
from data.enums import MemberStatus, Role
from data.people import Invitation, Member, User, Workspace


@dataclass(frozen=True, slots=True)
class Offer:
    """What a link offers. ``is_known``: that person has a password already, and gives that one."""

    email: str
    role: Role
    workspace_name: str
    is_known: bool


@dataclass(frozen=True, slots=True)
class Accepted:
    email: str
    member_id: str
    workspace_slug: str


def look(unit: Unit, token: str) -> Offer:
    """What the link offers. NotFound for a link that never was, Gone for one that is used up."""
    invitation = _open(unit, token)
    user = _person(unit, invitation)
    workspace = unit.session.get_one(Workspace, invitation.workspace_id)
    return Offer(invitation.email, invitation.role, workspace.name, bool(user.password_hash))


def accept(runtime: Runtime, identity: Identity, *, token: str, name: str, password: str) -> Accepted:
    """They are in the team. Someone new gets that name and password; someone known proves who they are with
    their own password, and keeps their name. Of two calls at once one is too late."""
    with runtime.unit(identity) as unit:
        offered = look(unit, token)
        refuse_throttled(unit, offered.email)
        stored = _person(unit, _open(unit, token)).password_hash
    new_name = new_hash = ""
    if offered.is_known and not is_password(password[:MAX_LENGTH], stored):
        with runtime.unit(identity, write=True) as unit:
            workspace_id = _open(unit, token).workspace_id
            count_failure(unit, offered.email, action="invitation.refused", workspace_id=workspace_id)
        raise NotSignedIn("The password is not right.", code="wrong_sign_in")
    if not offered.is_known:
        new_name = person_name(name)
        new_hash = hash_password(password, about=(offered.email, new_name))
    with runtime.unit(identity, write=True) as unit:
        invitation = _open(unit, token, lock=True)
        user = _person(unit, invitation, lock=True)
        if bool(user.password_hash) != offered.is_known:
            raise Conflict(
                "You have a password by now. Open the link again and give it.", code="known_by_now"
            )
        if not offered.is_known:
            user.name, user.password_hash = new_name, new_hash
        member = unit.session.get_one(Member, invitation.member_id)
        member.status, member.role, member.joined_at = MemberStatus.ACTIVE, invitation.role, unit.now
        invitation.accepted_at = unit.now
        unit.session.add_all([user, member, invitation])
        unit.record(
            "invitation.accepted",
            f"member:{member.id}",
            after={"email": invitation.email, "role": invitation.role},
            workspace_id=member.workspace_id,
            by=user.id,
        )
        workspace = unit.session.get_one(Workspace, member.workspace_id)
        return Accepted(user.email, member.id, workspace.slug)


def _open(unit: Unit, token: str, *, lock: bool = False) -> Invitation:
    statement = select(Invitation).where(col(Invitation.token_hash) == hash_key(token))
    invitation = unit.session.exec(statement.with_for_update() if lock else statement).first()
    if invitation is None:
        raise NotFound("There is no such invitation. Check that the link is whole.")
    if invitation.accepted_at is not None:
        raise Gone("This invitation was used already. Sign in instead.", code="invitation_used")
    if invitation.revoked_at is not None:
        raise Gone(
            "This invitation was taken back, or a newer one was sent. Look for a newer mail, or ask the "
            "person who invited you.",
            code="invitation_revoked",
        )
    if invitation.expires_at <= unit.now:
        raise Gone(
            "This invitation has expired. Ask the person who invited you for another.",
            code="invitation_expired",
        )
    return invitation


def _person(unit: Unit, invitation: Invitation, *, lock: bool = False) -> User:
    statement = (
        select(User)
        .join(Member, col(Member.user_id) == col(User.id))
        .where(col(Member.id) == invitation.member_id)
    )
    return unit.session.exec(statement.with_for_update(of=User) if lock else statement).one()
