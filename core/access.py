"""Who may do what: the one table (P1-P8), read by checks, pages, the API, the documentation and tests."""

from dataclasses import dataclass

from data.enums import Role

OWNER, MANAGER, AGENT, VIEWER, SUPPORT = Role.OWNER, Role.MANAGER, Role.AGENT, Role.VIEWER, Role.SUPPORT

_EVERYONE = (OWNER, MANAGER, AGENT, VIEWER, SUPPORT)
_READERS = (OWNER, MANAGER, AGENT, VIEWER)
_SENDERS = (OWNER, MANAGER, AGENT)
_MANAGERS = (OWNER, MANAGER)
_TRIAGE = (OWNER, MANAGER, SUPPORT)
_OWNERS = (OWNER,)

PLATFORM_ADMIN = "platform.admin"


@dataclass(frozen=True, slots=True)
class Permission:
    key: str
    category: str
    title: str
    roles: frozenset[Role]


def _table(*rows: tuple[str, str, str, tuple[Role, ...]]) -> dict[str, Permission]:
    return {key: Permission(key, category, title, frozenset(roles)) for category, key, title, roles in rows}


PERMISSIONS: dict[str, Permission] = _table(
    ("Workspace", "workspace.view", "See the workspace", _EVERYONE),
    ("Workspace", "monitoring.view", "See health and monitoring", _EVERYONE),
    ("Workspace", "workspace.edit", "Change name, time zone and plan", _OWNERS),
    ("Team", "team.view", "See who is in the team", _EVERYONE),
    ("Team", "team.permissions", "See the permissions matrix", _EVERYONE),
    ("Team", "team.invite", "Invite people", _MANAGERS),
    ("Team", "team.change_role", "Change a person's role", _MANAGERS),
    ("Team", "team.suspend", "Suspend and reinstate people", _MANAGERS),
    ("Team", "team.remove", "Remove people", _MANAGERS),
    ("Messaging", "messages.view", "See messages", _EVERYONE),
    ("Messaging", "messages.send", "Send messages", _SENDERS),
    ("Messaging", "contacts.reveal", "See full numbers and text", _SENDERS),
    ("Messaging", "phones.view", "See phone numbers", _EVERYONE),
    ("Conversations", "conversations.view", "See conversations", _READERS),
    ("Conversations", "contacts.view", "See contacts", _READERS),
    ("Conversations", "contacts.manage", "Lift suppressions, erase and export contacts", _MANAGERS),
    ("Templates", "templates.view", "See templates", _EVERYONE),
    ("Templates", "templates.manage", "Create, edit and delete templates", _MANAGERS),
    ("Queues", "queues.view", "See the queue", _TRIAGE),
    ("Queues", "dead_letters.view", "See dead letters", _TRIAGE),
    ("Queues", "dead_letters.redrive", "Send a dead letter again", _TRIAGE),
    ("Queues", "dead_letters.annotate", "Note and assign dead letters", _TRIAGE),
    ("Queues", "dead_letters.bulk_redrive", "Redrive many dead letters at once", _MANAGERS),
    ("Queues", "dead_letters.discard", "Discard dead letters", _MANAGERS),
    ("Queues", "dead_letters.export", "Export dead letters", _MANAGERS),
    ("Queues", "queues.pause", "Pause and resume queues", _MANAGERS),
    ("Queues", "webhooks.view", "See webhooks", _MANAGERS),
    ("Queues", "webhooks.replay", "Replay webhooks", _MANAGERS),
    ("Queues", "alerts.view", "See alerts", _MANAGERS),
    ("Queues", "alerts.acknowledge", "Acknowledge alerts", _MANAGERS),
    ("Queues", "schedules.view", "See schedules", _MANAGERS),
    ("Queues", "schedules.manage", "Run and pause schedules", _OWNERS),
    ("Billing", "billing.view", "See billing", _MANAGERS),
    ("Billing", "billing.export", "Export billing", _MANAGERS),
    ("Billing", "billing.manage", "Manage invoices and budget", _OWNERS),
    ("Settings and tokens", "tokens.view", "See the state of tokens", _MANAGERS),
    ("Settings and tokens", "tokens.refresh", "Refresh tokens", _MANAGERS),
    ("Settings and tokens", "tokens.manage", "Connect accounts and replace tokens", _OWNERS),
    ("Settings and tokens", "phones.manage", "Connect and sync phone numbers", _OWNERS),
    ("Settings and tokens", "settings.manage", "Change settings", _OWNERS),
    ("Settings and tokens", "keys.manage", "Make and revoke own API keys", _MANAGERS),
    ("Settings and tokens", "keys.manage_all", "Revoke anyone's API keys", _OWNERS),
    ("Audit", "audit.view", "See the audit log", _MANAGERS),
    ("Audit", "audit.export", "Export the audit log", _OWNERS),
)

CATEGORIES: tuple[str, ...] = tuple(dict.fromkeys(permission.category for permission in PERMISSIONS.values()))


def granted(role: Role) -> frozenset[str]:
    """Every permission of ``role``."""
    return frozenset(key for key, permission in PERMISSIONS.items() if role in permission.roles)


def who_can(permission: str) -> tuple[Role, ...]:
    """The roles that include ``permission``, highest first."""
    return tuple(role for role in Role if role in PERMISSIONS[permission].roles)
