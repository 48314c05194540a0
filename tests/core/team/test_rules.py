"""P3, against the rule written another way: as the list of what each rank may."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core import access
from core.errors import Conflict, Forbidden
from core.team.rules import Act, Standing, assignable, refusal, standing
from core.unit import Actor
from data.enums import MemberStatus, Role
from data.people import Member

NOW = datetime(2026, 11, 23, tzinfo=UTC)
BELOW = {
    Role.OWNER: {Role.OWNER, Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT},
    Role.MANAGER: {Role.AGENT, Role.VIEWER, Role.SUPPORT},
}
UP_TO = {Role.OWNER: BELOW[Role.OWNER], Role.MANAGER: BELOW[Role.MANAGER] | {Role.MANAGER}}


def actor(role: Role, user_id: str = "usr_me") -> Actor:
    return Actor(
        id=user_id,
        name="Me",
        workspace_id="ws",
        role=role,
        user_id=user_id,
        permissions=access.granted(role),
    )


def member(role: Role, status: MemberStatus = MemberStatus.ACTIVE, user_id: str = "usr_them") -> Member:
    return Member(id="mem", workspace_id="ws", user_id=user_id, role=role, status=status)


@given(
    act=st.sampled_from(Act),
    by=st.sampled_from(Role),
    theirs=st.sampled_from(Role),
    status=st.sampled_from(MemberStatus),
    becomes=st.sampled_from(Role),
    owners=st.integers(1, 3),
)
def test_p3_whoever_acts_on_another_is_judged_as_the_list_says(
    act: Act, by: Role, theirs: Role, status: MemberStatus, becomes: Role, owners: int
) -> None:
    new_role = becomes if act is Act.CHANGE_ROLE else None
    found = refusal(act, member(theirs, status), by=actor(by), owners=owners, becomes=new_role)
    fits = {
        Act.CHANGE_ROLE: {MemberStatus.ACTIVE, MemberStatus.SUSPENDED},
        Act.SUSPEND: {MemberStatus.ACTIVE},
        Act.REINSTATE: {MemberStatus.SUSPENDED},
        Act.REMOVE: {MemberStatus.ACTIVE, MemberStatus.SUSPENDED},
        Act.RESEND: {MemberStatus.INVITED},
        Act.REVOKE: {MemberStatus.INVITED},
    }[act]
    reach = (UP_TO if act in (Act.RESEND, Act.REVOKE) else BELOW).get(by, set())
    may_reach = theirs in reach and (new_role is None or new_role in UP_TO.get(by, set()))
    if not may_reach:
        assert isinstance(found, Forbidden)
    elif status not in fits:
        assert isinstance(found, Conflict)
    elif theirs is Role.OWNER and act is Act.REMOVE:
        assert isinstance(found, Conflict)
        assert found.code == "owner_cannot_be_removed"
    elif (
        theirs is Role.OWNER
        and status is MemberStatus.ACTIVE
        and owners == 1
        and (act is Act.SUSPEND or (act is Act.CHANGE_ROLE and becomes is not Role.OWNER))
    ):
        assert isinstance(found, Conflict)
        assert found.code == "last_owner"
    else:
        assert found is None


@given(act=st.sampled_from(Act), role=st.sampled_from(Role), becomes=st.sampled_from(Role))
def test_p3_nobody_acts_on_themselves_but_an_owner_who_steps_down(
    act: Act, role: Role, becomes: Role
) -> None:
    me = member(role, user_id="usr_me")
    new_role = becomes if act is Act.CHANGE_ROLE else None
    found = refusal(act, me, by=actor(role), owners=2, becomes=new_role)
    may = role is Role.OWNER and act is Act.CHANGE_ROLE
    assert (found is None) is may


def test_p3_the_last_owner_does_not_step_down() -> None:
    me = member(Role.OWNER, user_id="usr_me")
    found = refusal(Act.CHANGE_ROLE, me, by=actor(Role.OWNER), owners=1, becomes=Role.AGENT)
    assert found is not None
    assert found.code == "last_owner"
    assert refusal(Act.CHANGE_ROLE, me, by=actor(Role.OWNER), owners=1, becomes=Role.OWNER) is None


def test_p3_roles_are_given_no_higher_than_ones_own() -> None:
    assert assignable(actor(Role.OWNER)) == tuple(Role)
    assert assignable(actor(Role.MANAGER)) == (Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT)


def test_p4_an_invitation_expires_at_the_moment_it_says() -> None:
    invited = member(Role.AGENT, MemberStatus.INVITED)
    invited.invited_until = NOW
    assert standing(invited, now=NOW - timedelta(microseconds=1)) is Standing.INVITED
    assert standing(invited, now=NOW) is Standing.EXPIRED
    assert {standing(member(Role.AGENT, status), now=NOW) for status in MemberStatus} == {
        Standing(status.value) for status in MemberStatus
    }
