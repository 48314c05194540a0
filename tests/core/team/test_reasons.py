from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from core.access import PERMISSIONS, a_role, granted
from core.errors import Forbidden
from core.team.reasons import difference, lesser_roles, why
from core.team.rules import Act, refusal
from core.team.sessions import view_as, view_as_self
from core.unit import Actor
from data.enums import MemberStatus, Role
from tests.core.office import Office


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("permission", list(PERMISSIONS))
def test_p2_why_and_the_check_never_disagree(role: Role, permission: str) -> None:
    reason = why(role, permission)
    assert reason.is_granted is (permission in granted(role))
    assert (reason.remedy == "") is reason.is_granted


@pytest.mark.parametrize(
    ("role", "permission", "remedy"),
    [
        (Role.VIEWER, "messages.send", "An owner or a manager can make a viewer an agent"),
        (Role.AGENT, "dead_letters.view", "An owner or a manager can make an agent a manager"),
        (Role.SUPPORT, "conversations.view", "An owner or a manager can make support a manager"),
        (Role.MANAGER, "billing.manage", "Only an owner can make a manager an owner"),
        (Role.VIEWER, "audit.export", "Only an owner can make a viewer an owner"),
    ],
)
def test_p3_who_could_grant_it_is_who_may_give_the_least_role_with_it(
    role: Role, permission: str, remedy: str
) -> None:
    assert why(role, permission).remedy == f"{remedy}, the least role that has it too."


def test_p3_whoever_is_named_as_one_who_could_grant_it_may_do_just_that() -> None:
    ends = {f" {a_role(role)}, the least role that has it too.": role for role in Role}
    for role, permission in product(Role, PERMISSIONS):
        remedy = why(role, permission).remedy
        if not remedy:
            continue
        who = remedy.partition(" can make ")[0]
        becomes = next(new for end, new in ends.items() if remedy.endswith(end))
        for giver in Role:
            is_named = giver.value in who
            assert (_refused(giver, now=role, becomes=becomes) is None) is is_named, (remedy, giver)


def _refused(giver: Role, *, now: Role, becomes: Role) -> Any:
    actor = Actor(id="a", name="A", workspace_id="w", role=giver, user_id="a", permissions=granted(giver))
    member: Any = SimpleNamespace(user_id="b", role=now, status=MemberStatus.ACTIVE)
    return refusal(Act.CHANGE_ROLE, member, by=actor, owners=2, becomes=becomes)


def test_the_rule_names_who_has_it() -> None:
    assert why(Role.VIEWER, "messages.send").rule == "Only owners, managers and agents can send messages."
    assert why(Role.OWNER, "audit.export").rule == "Only owners can export the audit log."


@pytest.mark.parametrize(
    ("role", "permission", "limit"),
    [
        (Role.VIEWER, "messages.view", "masked"),
        (Role.SUPPORT, "dead_letters.view", "masked"),
        (Role.SUPPORT, "dead_letters.redrive", "One at a time"),
        (Role.AGENT, "messages.view", ""),
        (Role.MANAGER, "dead_letters.redrive", ""),
        (Role.VIEWER, "phones.view", ""),
        (Role.SUPPORT, "conversations.view", ""),
    ],
)
def test_what_a_role_gets_only_in_part_is_said(role: Role, permission: str, limit: str) -> None:
    found = why(role, permission).limit
    assert limit in found
    assert bool(found) is bool(limit)


@pytest.mark.parametrize(("now", "new"), list(product(Role, Role)))
def test_what_is_gained_and_lost_makes_the_one_role_the_other(now: Role, new: Role) -> None:
    found = difference(now, new)
    gained, lost = {each.key for each in found.gained}, {each.key for each in found.lost}
    assert gained <= granted(new) - granted(now)
    assert granted(now) - lost | gained == granted(new)


def test_one_views_as_those_who_may_do_less() -> None:
    assert lesser_roles(Role.OWNER) == (Role.MANAGER, Role.AGENT, Role.SUPPORT, Role.VIEWER)
    assert lesser_roles(Role.AGENT) == (Role.VIEWER,)
    assert lesser_roles(Role.VIEWER) == lesser_roles(Role.SUPPORT) == lesser_roles(None) == ()


@pytest.mark.parametrize("own", list(Role))
def test_what_is_offered_to_view_as_is_what_may_be_viewed_as(office: Office, own: Role) -> None:
    browser = office.hire(own).browser
    for role in Role:
        with office.runtime.unit(browser, write=True) as unit:
            if role in lesser_roles(own):
                view_as(unit, role)
                view_as_self(unit)
            else:
                with pytest.raises(Forbidden):
                    view_as(unit, role)
