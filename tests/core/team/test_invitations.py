from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlmodel import select

from core.errors import (
    ConfirmRequired,
    Conflict,
    DomainError,
    Forbidden,
    Gone,
    Impossible,
    NotFound,
    NotSignedIn,
    TooMany,
)
from core.team.accepting import Accepted, accept, look
from core.team.invitations import invite, invite_all, preview, resend, revoke, take_out
from core.team.names import addresses_in, hash_key
from core.team.owners import COMMAND, create_with_link, recover_owner
from core.team.queries import MemberFilter, list_members
from core.team.rules import Standing
from core.team.sign_in import sign_in
from core.unit import ANONYMOUS, FRESH_FOR
from data.enums import MemberStatus, PlanName, Role
from data.people import Invitation, Member, User
from tests.conftest import PASSWORD
from tests.core.office import Office

MARA = "mara@lind.example"
NEW_PASSWORD = "four unrelated words here"


def take(office: Office, secret: str, *, name: str = "Mara Lind", password: str = NEW_PASSWORD) -> Accepted:
    return accept(office.runtime, ANONYMOUS, token=secret, name=name, password=password)


def refusal_of(office: Office, secret: str, **given: str) -> DomainError:
    with pytest.raises(DomainError) as refusal:
        take(office, secret, **given)
    return refusal.value


def test_p4_from_the_invitation_to_the_first_sign_in(office: Office) -> None:
    owner = office.owner()
    row = office.do(owner.browser, invite, email=f" {MARA.upper()} ", role=Role.AGENT)
    assert (row.email, row.role, row.standing, row.joined_at) == (MARA, Role.AGENT, Standing.INVITED, None)
    entry = office.last_entry()
    assert (entry.action, entry.actor, entry.after) == (
        "member.invited",
        owner.id,
        {"email": MARA, "role": "agent"},
    )
    text = office.mail(MARA)
    assert "Northwind" in text
    assert "as agent" in text
    secret = office.link_secret(MARA)
    with pytest.raises(NotSignedIn):
        sign_in(office.runtime, ANONYMOUS, email=MARA, password="", agent="")
    made = take(office, secret)
    assert (made.email, made.member_id, made.workspace_slug) == (MARA, row.id, "northwind")
    signed_in = sign_in(office.runtime, ANONYMOUS, email=MARA, password=NEW_PASSWORD, agent="")
    with office.runtime.unit(office.browser(signed_in.user_id)) as unit:
        assert (unit.actor.role, unit.actor.name) == (Role.AGENT, "Mara Lind")
    accepted = next(entry for entry in office.entries() if entry.action == "invitation.accepted")
    assert accepted.actor == signed_in.user_id
    assert accepted.workspace_id == office.place.workspace.id


def test_p4_only_the_hash_of_a_256_bit_token_is_kept(office: Office) -> None:
    office.do(office.owner().browser, invite, email=MARA, role=Role.AGENT)
    secret = office.link_secret(MARA)
    assert len(secret) >= 43
    with office.runtime.unit(COMMAND) as unit:
        (row,) = unit.session.exec(select(Invitation))
    assert row.token_hash == hash_key(secret)
    assert secret not in str(row.model_dump()) + str([entry.model_dump() for entry in office.entries()])


def test_p4_opening_the_link_changes_nothing(office: Office) -> None:
    office.do(office.owner().browser, invite, email=MARA, role=Role.AGENT)
    secret = office.link_secret(MARA)
    before = len(office.entries())
    for _ in range(3):
        offered = office.ask(ANONYMOUS, look, secret)
    assert (offered.email, offered.role, offered.workspace_name, offered.is_known) == (
        MARA,
        Role.AGENT,
        "Northwind",
        False,
    )
    assert len(office.entries()) == before
    take(office, secret)


def test_p4_a_link_is_good_once_for_seven_days_and_until_it_is_taken_back(office: Office) -> None:
    owner = office.owner()
    row = office.do(owner.browser, invite, email=MARA, role=Role.AGENT)
    first = office.link_secret(MARA)
    office.later(7 * 86_400)
    assert refusal_of(office, first).code == "invitation_expired"
    owner = office.owner()
    (listed,) = office.ask(owner.browser, list_members, MemberFilter(standing=Standing.EXPIRED)).items
    assert listed.id == row.id
    office.do(owner.browser, resend, row.id)
    second = office.link_secret(MARA)
    assert refusal_of(office, first).code == "invitation_revoked"
    office.later(60)
    office.do(owner.browser, resend, row.id)
    third = office.link_secret(MARA)
    assert refusal_of(office, second).code == "invitation_revoked"
    take(office, third)
    assert refusal_of(office, third).code == "invitation_used"
    assert isinstance(refusal_of(office, "unknown"), NotFound)
    for dead in (first, second, third):
        assert isinstance(refusal_of(office, dead), Gone)


def test_a_revoked_invitation_is_kept_as_removed_and_can_be_made_again(office: Office) -> None:
    owner = office.owner()
    row = office.do(owner.browser, invite, email=MARA, role=Role.AGENT)
    secret = office.link_secret(MARA)
    office.do(owner.browser, revoke, row.id)
    assert office.last_entry().action == "invitation.revoked"
    assert refusal_of(office, secret).code == "invitation_revoked"
    assert office.member(row.id).status is MemberStatus.REMOVED
    assert office.refused(Conflict, owner.browser, revoke, row.id).code == "not_invited"
    office.later(1)
    again = office.do(owner.browser, invite, email=MARA, role=Role.VIEWER)
    assert (again.id, again.role, again.standing) == (row.id, Role.VIEWER, Standing.INVITED)
    take(office, office.link_secret(MARA))
    assert office.member(row.id).role is Role.VIEWER


def test_deleting_revokes_an_invitation_and_removes_a_member(office: Office) -> None:
    owner, agent = office.owner(), office.hire(Role.AGENT)
    row = office.do(owner.browser, invite, email=MARA, role=Role.AGENT)
    office.do(owner.browser, take_out, row.id)
    assert office.last_entry().action == "invitation.revoked"
    office.do(owner.browser, take_out, agent.member_id)
    assert office.last_entry().action == "member.removed"


def test_whoever_is_here_already_is_not_invited_again(office: Office) -> None:
    owner, agent = office.owner(), office.hire(Role.AGENT)
    office.do(owner.browser, invite, email=MARA, role=Role.AGENT)
    for email in (agent.email, owner.email, MARA):
        assert office.refused(Conflict, owner.browser, invite, email=email, role=Role.AGENT).code == (
            "already_member"
        )
    assert office.mails() == 1


def test_p3_nobody_invites_to_a_role_above_their_own(office: Office) -> None:
    manager, agent = office.hire(Role.MANAGER), office.hire(Role.AGENT)
    office.refused(Forbidden, manager.browser, invite, email=MARA, role=Role.OWNER)
    office.refused(Forbidden, agent.browser, invite, email=MARA, role=Role.VIEWER)
    row = office.do(manager.browser, invite, email=MARA, role=Role.MANAGER)
    office.do(manager.browser, resend, row.id)
    theirs = office.do(office.owner().browser, invite, email="new@x.example", role=Role.OWNER)
    office.refused(Forbidden, manager.browser, revoke, theirs.id)


def test_p5_an_invitation_of_another_workspace_is_not_found(office: Office, other_office: Office) -> None:
    theirs = other_office.do(other_office.owner().browser, invite, email=MARA, role=Role.AGENT)
    owner = office.owner()
    for command in (resend, revoke, take_out):
        office.refused(NotFound, owner.browser, command, theirs.id)


def test_inviting_asks_for_the_password_again(office: Office) -> None:
    owner = office.owner()
    row = office.do(owner.browser, invite, email="bo@x.example", role=Role.AGENT)
    office.later(FRESH_FOR.total_seconds() + 1)
    office.refused(ConfirmRequired, owner.browser, invite, email=MARA, role=Role.AGENT)
    for command in (resend, revoke, take_out):
        office.refused(ConfirmRequired, owner.browser, command, row.id)


@pytest.mark.parametrize("email", ["", "mara", "a@b@c.de", "mára@lind.example", "a b@c.de", "x\ny@c.de"])
def test_what_is_no_address_is_refused_and_nothing_is_written(office: Office, email: str) -> None:
    owner = office.owner()
    office.refused(Impossible, owner.browser, invite, email=email, role=Role.AGENT)
    with office.runtime.unit(COMMAND) as unit:
        assert len(unit.session.exec(select(User)).all()) == 1


# Accepting


def test_a_known_person_proves_who_they_are_and_keeps_name_and_password(
    office: Office, other_office: Office
) -> None:
    known = office.hire(Role.AGENT, name="Ada")
    other_office.do(other_office.owner().browser, invite, email=known.email, role=Role.MANAGER)
    secret = office.link_secret(known.email)
    assert office.ask(ANONYMOUS, look, secret).is_known
    assert isinstance(refusal_of(office, secret, password=NEW_PASSWORD), NotSignedIn)
    take(office, secret, name="Somebody Else", password=PASSWORD)
    with office.runtime.unit(COMMAND) as unit:
        assert unit.session.get_one(User, known.id).name == "Ada"
    assert office.is_in(known.browser)


def test_guesses_at_a_known_persons_password_are_throttled(office: Office, other_office: Office) -> None:
    known = office.hire(Role.AGENT)
    other_office.do(other_office.owner().browser, invite, email=known.email, role=Role.AGENT)
    secret = office.link_secret(known.email)
    kinds = [type(refusal_of(office, secret, password="wrong")) for _ in range(6)]
    assert kinds == [NotSignedIn] * 5 + [TooMany]


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        ("", NEW_PASSWORD, "name"),
        ("x" * 201, NEW_PASSWORD, "name"),
        ("Mara\x00", NEW_PASSWORD, "name"),
        ("Mara", "short", "password_too_short"),
        ("Mara", "x" * 1025, "password_too_long"),
        ("Mara", "Password1234", "password_too_common"),
        ("Mara Lind", "mara.lind.2024", "password_too_common"),
    ],
)
def test_a_new_person_has_a_name_and_a_good_password(
    office: Office, name: str, password: str, code: str
) -> None:
    office.do(office.owner().browser, invite, email=MARA, role=Role.AGENT)
    secret = office.link_secret(MARA)
    assert refusal_of(office, secret, name=name, password=password).code == code
    take(office, secret)


def test_two_workspaces_that_invite_one_person_make_one_person(office: Office, other_office: Office) -> None:
    for inviting in (office, other_office):
        inviting.do(inviting.owner().browser, invite, email=MARA, role=Role.AGENT)
        office.later(1)
    with office.runtime.unit(COMMAND) as unit:
        assert len(unit.session.exec(select(User).where(User.email == MARA)).all()) == 1
    take(office, office.link_secret(MARA))
    with office.runtime.unit(COMMAND) as unit:
        statuses = sorted(row.status for row in unit.session.exec(select(Member)) if row.role is Role.AGENT)
    assert statuses == [MemberStatus.ACTIVE, MemberStatus.INVITED]


# Many at once


def test_what_was_pasted_is_read_as_addresses() -> None:
    pasted = (
        "a@x.example, b@x.example; c@x.example\nMara Lind <mara@lind.example>\n\n  d@x.example e@x.example"
    )
    assert addresses_in(pasted) == [
        *("a@x.example", "b@x.example", "c@x.example"),
        *("mara@lind.example", "d@x.example", "e@x.example"),
    ]
    assert addresses_in(" ,; \n") == []


def test_nobody_is_invited_when_one_line_is_wrong(office: Office) -> None:
    owner = office.owner()
    agent = office.hire(Role.AGENT)
    addresses = ["a@x.example", "A@x.example", "nobody", agent.email, "mára@lind.example", "b@x.example"]
    lines = office.ask(owner.browser, preview, addresses, role=Role.AGENT)
    assert [bool(line.problem) for line in lines] == [False, True, True, True, True, False]
    assert [line.email for line in lines][:2] == ["a@x.example"] * 2
    refused = office.refused(Impossible, owner.browser, invite_all, addresses, role=Role.AGENT)
    assert "A@x.example" in refused.sentence
    assert office.mails() == 0
    rows = office.do(owner.browser, invite_all, ["a@x.example", "b@x.example"], role=Role.AGENT)
    assert [row.standing for row in rows] == [Standing.INVITED] * 2
    assert office.mails() == 2
    office.refused(Impossible, owner.browser, invite_all, [], role=Role.AGENT)


def test_at_most_a_hundred_at_once(office: Office) -> None:
    many = [f"p{number}@x.example" for number in range(101)]
    owner = office.owner()
    asked: list[str] = []
    note = lambda *given: asked.append(given[2])  # noqa: E731
    event.listen(office.runtime.database.read, "before_cursor_execute", note)
    try:
        lines = office.ask(owner.browser, preview, many, role=Role.AGENT)
    finally:
        event.remove(office.runtime.database.read, "before_cursor_execute", note)
    questions = [statement for statement in asked if statement.startswith("SELECT")]
    assert len(questions) == 2  # who asks, and who of them is here
    assert [bool(line.problem) for line in lines] == [False] * 100 + [True]


# Owners by command


def test_a_first_owner_sets_up_by_link(office: Office) -> None:
    _, link = office.do(
        COMMAND,
        create_with_link,
        workspace_name="Fresh",
        email=MARA,
        plan=PlanName.FREE,
        timezone="Europe/Berlin",
    )
    assert link.startswith(f"{office.runtime.settings.public_url}/invite/")
    take(office, link.rsplit("/", 1)[1])
    with office.runtime.unit(COMMAND) as unit:
        (row,) = unit.session.exec(select(Member).where(Member.workspace_id != office.place.workspace.id))
    assert (row.role, row.status) == (Role.OWNER, MemberStatus.ACTIVE)


def test_an_owner_is_put_back_only_when_the_last_is_gone(office: Office) -> None:
    owner, agent = office.owner(), office.hire(Role.AGENT)
    workspace = office.place.workspace
    words = {"workspace": workspace, "reason": "They left"}
    refused = office.refused(Conflict, COMMAND, recover_owner, email=agent.email, **words)
    assert refused.code == "owner_exists"
    office.change(Member, owner.member_id, status=MemberStatus.REMOVED)
    office.refused(Impossible, COMMAND, recover_owner, workspace=workspace, email=agent.email, reason=" ")
    assert office.do(COMMAND, recover_owner, email=agent.email, **words) is None
    assert office.member(agent.member_id).role is Role.OWNER
    entry = office.last_entry()
    assert (entry.action, entry.after) == ("owner.recovered", {"email": agent.email, "reason": "They left"})
    office.change(Member, agent.member_id, status=MemberStatus.REMOVED)
    link = office.do(COMMAND, recover_owner, email=MARA, **words)
    assert link is not None
    take(office, link.rsplit("/", 1)[1])


def test_p3_an_invitation_from_before_makes_a_recovered_owner_nothing_less(office: Office) -> None:
    owner, agent = office.owner(), office.hire(Role.AGENT, status=MemberStatus.REMOVED)
    office.do(owner.browser, invite, email=agent.email, role=Role.VIEWER)
    secret = office.link_secret(agent.email)
    office.change(Member, owner.member_id, status=MemberStatus.REMOVED)
    office.do(COMMAND, recover_owner, workspace=office.place.workspace, email=agent.email, reason="They left")
    assert refusal_of(office, secret, password=PASSWORD).code == "invitation_revoked"
    assert office.member(agent.member_id).role is Role.OWNER


def test_an_invitation_lives_as_long_as_the_setting_says(office: Office) -> None:
    row = office.do(office.owner().browser, invite, email=MARA, role=Role.AGENT)
    assert row.invited_until == office.now + timedelta(days=7)
