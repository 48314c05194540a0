"""The team as people see it: who is in it, and what the reader may do about each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, func, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from core.errors import NotFound
from core.team.rules import Act, Standing, assignable, refusal, standing
from core.unit import Unit
from data.enums import MemberStatus, Role
from data.people import Member, SecondFactor, User


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """What the list is narrowed to; None does not narrow. ``q``: a part of the name or address."""

    standing: Standing | None = None
    role: Role | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One place in the team. ``roles`` are those that the reader may give them. ``refused`` says of each act
    that the reader may not do why not; what is not in it, they may."""

    id: str
    user_id: str
    name: str
    email: str
    role: Role
    standing: Standing
    invited_at: datetime | None
    invited_until: datetime | None
    joined_at: datetime | None
    last_seen_at: datetime | None
    has_second_factor: bool
    is_self: bool
    roles: tuple[Role, ...]
    refused: Mapping[Act, str]

    def may(self, act: Act) -> bool:
        return act not in self.refused


@dataclass(frozen=True, slots=True)
class MemberPage:
    items: list[MemberRow]
    next_cursor: str | None


def list_members(
    unit: Unit, wanted: MemberFilter, *, cursor: str | None = None, limit: int = 50
) -> MemberPage:
    """Longest in the team first. ``cursor`` is what ``next_cursor`` of the page before said."""
    unit.require("team.view")
    statement = narrow(unit, wanted).order_by(col(Member.id)).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(col(Member.id) > cursor)
    members = list(unit.session.exec(statement))
    shown = members[:limit]
    return MemberPage(rows_of(unit, shown), shown[-1].id if len(members) > limit else None)


def colleagues(unit: Unit) -> dict[str, str]:
    """user id → name of everyone active in the workspace, by name: whom work can be given to."""
    unit.require("workspace.view")
    statement = (
        select(User.id, User.name)
        .join(Member, col(Member.user_id) == col(User.id))
        .where(col(Member.workspace_id) == unit.workspace_id, col(Member.status) == MemberStatus.ACTIVE)
        .order_by(func.lower(col(User.name)), col(User.id))
    )
    return dict(unit.session.exec(statement).all())


def member_row(unit: Unit, member_id: str) -> MemberRow:
    """NotFound for someone of another workspace, as for nobody."""
    unit.require("team.view")
    return rows_of(unit, [unit.find(Member, member_id, called="member")])[0]


def counts(unit: Unit) -> dict[Standing, int]:
    """standing → how many; every standing present."""
    unit.require("team.view")
    is_expired = (col(Member.status) == MemberStatus.INVITED) & (col(Member.invited_until) <= unit.now)
    statement = (
        select(Member.status, is_expired, func.count())
        .where(col(Member.workspace_id) == unit.workspace_id)
        .group_by(col(Member.status), is_expired)
    )
    found = dict.fromkeys(Standing, 0)
    for status, expired, count in unit.session.exec(statement).all():
        found[Standing.EXPIRED if expired else Standing(status)] += count
    return found


def narrow(unit: Unit, wanted: MemberFilter) -> SelectOfScalar[Member]:
    statement = unit.scoped(Member)
    if wanted.standing in (Standing.INVITED, Standing.EXPIRED):
        until = col(Member.invited_until)
        is_over = until <= unit.now if wanted.standing is Standing.EXPIRED else until > unit.now
        statement = statement.where(col(Member.status) == MemberStatus.INVITED, is_over)
    elif wanted.standing is not None:
        statement = statement.where(col(Member.status) == MemberStatus(wanted.standing.value))
    if wanted.role is not None:
        statement = statement.where(col(Member.role) == wanted.role)
    if wanted.q:
        part = wanted.q.strip().lower()
        statement = statement.join(User, col(User.id) == col(Member.user_id)).where(
            or_(
                func.lower(col(User.name)).contains(part, autoescape=True),
                col(User.email).contains(part, autoescape=True),
            )
        )
    return statement


def count_owners(unit: Unit) -> int:
    """The active owners of the workspace."""
    owners = (
        select(func.count())
        .select_from(Member)
        .where(
            col(Member.workspace_id) == unit.workspace_id,
            col(Member.role) == Role.OWNER,
            col(Member.status) == MemberStatus.ACTIVE,
        )
    )
    return unit.session.exec(owners).one()


def rows_of(unit: Unit, members: list[Member]) -> list[MemberRow]:
    statement = (
        select(User, SecondFactor.confirmed_at)
        .outerjoin(SecondFactor, col(SecondFactor.user_id) == col(User.id))
        .where(col(User.id).in_([member.user_id for member in members]))
    )
    people = {user.id: (user, confirmed_at) for user, confirmed_at in unit.session.exec(statement).all()}
    owners = count_owners(unit)
    return [_row(unit, member, *people[member.user_id], owners=owners) for member in members]


def _row(unit: Unit, member: Member, user: User, confirmed_at: datetime | None, *, owners: int) -> MemberRow:
    actor = unit.actor
    roles = tuple(
        role
        for role in assignable(actor)
        if role is not member.role
        and refusal(Act.CHANGE_ROLE, member, by=actor, owners=owners, becomes=role) is None
    )
    refused = {act: refusal(act, member, by=actor, owners=owners) for act in Act}
    return MemberRow(
        id=member.id,
        user_id=member.user_id,
        name=user.name,
        email=user.email,
        role=member.role,
        standing=standing(member, now=unit.now),
        invited_at=member.invited_at,
        invited_until=member.invited_until,
        joined_at=member.joined_at,
        last_seen_at=member.last_seen_at,
        has_second_factor=confirmed_at is not None,
        is_self=actor.user_id == member.user_id,
        roles=roles,
        refused={act: error.sentence for act, error in refused.items() if error is not None},
    )


def user_of(unit: Unit, member: Member) -> User:
    user = unit.session.get(User, member.user_id)
    if user is None:
        raise NotFound.of("member")
    return user
