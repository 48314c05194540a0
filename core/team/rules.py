"""Who may act on whom in a team (P3), as one function that commands enforce and pages show."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core import access
from core.errors import Conflict, DomainError, Forbidden
from core.unit import Actor
from data.enums import MemberStatus, Role
from data.people import Member


class Standing(StrEnum):
    """A member's status as it is shown: an invitation that ran out is ``expired``."""

    ACTIVE = "active"
    INVITED = "invited"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    REMOVED = "removed"


class Act(StrEnum):
    """What may be done about a member."""

    CHANGE_ROLE = "change_role"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    REMOVE = "remove"
    RESEND = "resend"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class _Terms:
    permission: str
    fits: frozenset[MemberStatus]
    code: str
    sentence: str


_HERE = frozenset({MemberStatus.ACTIVE, MemberStatus.SUSPENDED})
_NOT_HERE = (
    "They are not in the team: an invitation can be resent or revoked, and someone removed invited again."
)
_TERMS = {
    Act.CHANGE_ROLE: _Terms("team.change_role", _HERE, "not_in_team", _NOT_HERE),
    Act.SUSPEND: _Terms(
        "team.suspend", frozenset({MemberStatus.ACTIVE}), "not_active", "Only an active member is suspended."
    ),
    Act.REINSTATE: _Terms(
        "team.suspend", frozenset({MemberStatus.SUSPENDED}), "not_suspended", "They are not suspended."
    ),
    Act.REMOVE: _Terms("team.remove", _HERE, "not_in_team", _NOT_HERE),
    Act.RESEND: _Terms(
        "team.invite", frozenset({MemberStatus.INVITED}), "not_invited", "They have no open invitation."
    ),
    Act.REVOKE: _Terms(
        "team.invite", frozenset({MemberStatus.INVITED}), "not_invited", "They have no open invitation."
    ),
}
_OFFERS = (Act.RESEND, Act.REVOKE)


def standing(member: Member, *, now: datetime) -> Standing:
    """*Invited until 12:00: at 11:59 invited, at 12:00 expired.*"""
    is_offer = member.status is MemberStatus.INVITED
    if is_offer and member.invited_until is not None and member.invited_until <= now:
        return Standing.EXPIRED
    return Standing(member.status.value)


def refusal(
    act: Act, member: Member, *, by: Actor, owners: int, becomes: Role | None = None
) -> DomainError | None:
    """Why ``by`` may not do that to ``member`` (P3); None when they may.

    You act on those below you, and give roles no higher than your own; owners act on owners too. Nobody
    changes their own role, except an owner who steps down while another remains. ``owners`` counts the active
    ones. *A manager makes an agent manager: may. A manager makes a manager agent: may not. Of two owners one
    makes the other agent: may; then the last one steps down: may not, ``last_owner``.*
    """
    terms = _TERMS[act]
    if not by.can(terms.permission):
        return Forbidden(access.denial(terms.permission, role=by.acting_role), permission=terms.permission)
    if by.user_id == member.user_id:
        refused = _about_oneself(act, by, terms.permission)
    else:
        refused = _out_of_reach(act, member, by, terms.permission)
    if refused is None and becomes is not None and access.RANK[becomes] > by.rank:
        refused = too_high(becomes, by=by, permission=terms.permission)
    if refused is None and member.status not in terms.fits:
        refused = Conflict(terms.sentence, code=terms.code)
    return refused or _about_owners(act, member, owners, becomes)


def too_high(role: Role, *, by: Actor, permission: str) -> Forbidden:
    own = by.acting_role.value if by.acting_role else "none"
    return Forbidden(
        f"You cannot give the role {role.value}: it is higher than your own, {own}. Ask an owner.",
        permission=permission,
    )


def assignable(by: Actor) -> tuple[Role, ...]:
    """The roles that ``by`` may give, highest first."""
    return tuple(role for role in Role if access.RANK[role] <= by.rank)


def _about_oneself(act: Act, by: Actor, permission: str) -> DomainError | None:
    if act is Act.CHANGE_ROLE and by.acting_role is not Role.OWNER:
        return Forbidden("Nobody changes their own role. Ask someone above you.", permission=permission)
    if act in (Act.SUSPEND, Act.REINSTATE):
        return Conflict("Nobody suspends themselves.", code="oneself")
    if act is Act.REMOVE and by.acting_role is not Role.OWNER:
        return Conflict("To go, leave the workspace; nobody removes themselves.", code="oneself")
    return None


def _out_of_reach(act: Act, member: Member, by: Actor, permission: str) -> DomainError | None:
    theirs = access.RANK[member.role]
    reach = by.rank if act in _OFFERS or by.rank == access.RANK[Role.OWNER] else by.rank - 1
    if theirs <= reach:
        return None
    return Forbidden(
        f"You act on people below your own role only, and theirs is {member.role.value}. Ask an owner.",
        permission=permission,
    )


def _about_owners(act: Act, member: Member, owners: int, becomes: Role | None) -> DomainError | None:
    if member.role is not Role.OWNER:
        return None
    if act is Act.REMOVE:
        return Conflict(
            "An owner is not removed. Give them another role first.", code="owner_cannot_be_removed"
        )
    steps_down = act is Act.CHANGE_ROLE and becomes is not Role.OWNER
    is_counted = member.status is MemberStatus.ACTIVE
    if (steps_down or act is Act.SUSPEND) and is_counted and owners <= 1:
        return last_owner()
    return None


def last_owner() -> Conflict:
    return Conflict(
        "This is the last owner. Make someone else owner first, then try again.", code="last_owner"
    )
