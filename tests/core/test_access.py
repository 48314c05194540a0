from itertools import pairwise

import pytest

from core import access
from core.access import PERMISSIONS, granted, who_can
from data.enums import Role

ROLES = (Role.OWNER, Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT)

# The permission table of the rules, written out by hand: o owner, m manager, a agent, v viewer, s support.
TABLE = {
    "workspace.view": "omavs",
    "monitoring.view": "omavs",
    "phones.view": "omavs",
    "workspace.edit": "o",
    "team.view": "omavs",
    "team.permissions": "omavs",
    "team.invite": "om",
    "team.change_role": "om",
    "team.suspend": "om",
    "team.remove": "om",
    "messages.view": "omavs",
    "messages.send": "oma",
    "contacts.reveal": "oma",
    "conversations.view": "omav",
    "contacts.view": "omav",
    "contacts.manage": "om",
    "templates.view": "omavs",
    "templates.manage": "om",
    "queues.view": "oms",
    "dead_letters.view": "oms",
    "dead_letters.redrive": "oms",
    "dead_letters.annotate": "oms",
    "dead_letters.bulk_redrive": "om",
    "dead_letters.discard": "om",
    "dead_letters.export": "om",
    "queues.pause": "om",
    "webhooks.view": "om",
    "webhooks.replay": "om",
    "alerts.view": "om",
    "alerts.acknowledge": "om",
    "schedules.view": "om",
    "schedules.manage": "o",
    "billing.view": "om",
    "billing.export": "om",
    "billing.manage": "o",
    "tokens.view": "om",
    "tokens.refresh": "om",
    "tokens.manage": "o",
    "phones.manage": "o",
    "settings.manage": "o",
    "keys.manage": "om",
    "keys.manage_all": "o",
    "audit.view": "om",
    "audit.export": "o",
}


def test_the_table_has_every_permission_and_no_other() -> None:
    assert set(PERMISSIONS) == set(TABLE)


@pytest.mark.parametrize("permission", list(TABLE))
def test_each_permission_belongs_to_exactly_its_roles(permission: str) -> None:
    letters = TABLE[permission]
    assert {role for role in Role if permission in granted(role)} == {
        role for role in ROLES if role.value[0] in letters
    }
    assert who_can(permission) == tuple(role for role in ROLES if role.value[0] in letters)


def test_p1_the_roles_form_a_ladder() -> None:
    ladder = [granted(role) for role in (Role.VIEWER, Role.AGENT, Role.MANAGER, Role.OWNER)]
    for lower, higher in pairwise(ladder):
        assert lower < higher


def test_p1_support_stands_aside_and_sees_no_more_than_a_viewer_but_for_the_queue() -> None:
    queue = {key for key in TABLE if key.startswith(("dead_letters.", "queues."))}
    assert granted(Role.SUPPORT) - queue < granted(Role.VIEWER)
    assert granted(Role.SUPPORT) < granted(Role.MANAGER)


def test_p1_a_viewer_only_reads() -> None:
    assert all(key.endswith((".view", ".permissions")) for key in granted(Role.VIEWER))


def test_the_brief_is_kept_owner_has_everything_manager_no_billing_agent_sends() -> None:
    assert granted(Role.OWNER) == set(PERMISSIONS)
    assert "billing.view" in granted(Role.MANAGER)
    assert "billing.manage" not in granted(Role.MANAGER)
    assert {"messages.send", "conversations.view"} <= granted(Role.AGENT)
    assert not {key for key in granted(Role.AGENT) if key.startswith(("team.i", "billing", "queues"))}


def test_the_platforms_flag_is_no_permission_of_a_role() -> None:
    assert access.PLATFORM_ADMIN not in PERMISSIONS
    assert not any(access.PLATFORM_ADMIN in granted(role) for role in Role)


def test_the_categories_are_those_of_the_matrix_in_its_order() -> None:
    assert (
        *("Workspace", "Team", "Messaging", "Conversations", "Templates", "Queues", "Billing"),
        *("Settings and tokens", "Audit"),
    ) == access.CATEGORIES
    assert all(permission.title for permission in PERMISSIONS.values())


def test_a_denial_says_who_can_and_names_the_permission() -> None:
    assert access.denial("team.invite", role=Role.AGENT) == (
        "Only owners and managers can invite people (team.invite); your role is agent. "
        "An owner of the workspace can give you another."
    )
    assert access.denial(access.PLATFORM_ADMIN, role=Role.OWNER) == (
        "Only people of the platform can administer the platform (platform.admin)."
    )


def test_every_permission_is_described_in_a_sentence() -> None:
    for permission in PERMISSIONS.values():
        assert permission.description.endswith(".")
        assert permission.title[0].isupper()
