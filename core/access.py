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

# Flags on a user, set by command only (P8); no role includes them.
PLATFORM_ADMIN = "platform.admin"
PLATFORM_SUPPORT = "platform.support"
PLATFORM = {
    PLATFORM_ADMIN: "Administer the platform",
    PLATFORM_SUPPORT: "See every workspace, masked",
}

# Support ranks as viewer: it stands aside of the ladder.
RANK = {SUPPORT: 1, VIEWER: 1, AGENT: 2, MANAGER: 3, OWNER: 4}


@dataclass(frozen=True, slots=True)
class Permission:
    """``title`` is what one may do, as a verb; ``description`` what that means."""

    key: str
    category: str
    title: str
    description: str
    roles: frozenset[Role]


def _table(*rows: tuple[str, str, str, tuple[Role, ...], str]) -> dict[str, Permission]:
    return {
        key: Permission(key, category, title, description, frozenset(roles))
        for category, key, title, roles, description in rows
    }


PERMISSIONS: dict[str, Permission] = _table(
    (
        "Workspace",
        "workspace.view",
        "See the workspace",
        _EVERYONE,
        "Its name, plan and time zone, and the overview.",
    ),
    (
        "Workspace",
        "monitoring.view",
        "See health and monitoring",
        _EVERYONE,
        "Whether everything runs, and the figures of what runs.",
    ),
    (
        "Workspace",
        "workspace.edit",
        "Change name, time zone and plan",
        _OWNERS,
        "A new time zone counts from the next billing period.",
    ),
    (
        "Team",
        "team.view",
        "See who is in the team",
        _EVERYONE,
        "Names, addresses, roles and when each was last seen.",
    ),
    (
        "Team",
        "team.permissions",
        "See the permissions matrix",
        _EVERYONE,
        "This table: what each role may do, and why.",
    ),
    (
        "Team",
        "team.invite",
        "Invite people",
        _MANAGERS,
        "By e-mail, to a role no higher than one's own; resend and revoke.",
    ),
    (
        "Team",
        "team.change_role",
        "Change a person's role",
        _MANAGERS,
        "Of people below one's own role, to one no higher than it; owners of anyone.",
    ),
    (
        "Team",
        "team.suspend",
        "Suspend and reinstate people",
        _MANAGERS,
        "A suspended person is signed out at once and keeps their place.",
    ),
    (
        "Team",
        "team.remove",
        "Remove people",
        _MANAGERS,
        "Ends their sessions and API keys. An owner is made something else first.",
    ),
    (
        "Messaging",
        "messages.view",
        "See messages",
        _EVERYONE,
        "With their attempts and statuses; viewers and support see them masked.",
    ),
    (
        "Messaging",
        "messages.send",
        "Send messages",
        _SENDERS,
        "Templates, and texts inside a customer's open window.",
    ),
    (
        "Messaging",
        "contacts.reveal",
        "See full numbers and text",
        _SENDERS,
        "Without it numbers show country and last four digits, text is hidden.",
    ),
    (
        "Messaging",
        "phones.view",
        "See phone numbers",
        _EVERYONE,
        "The sending numbers with quality, limits and state.",
    ),
    (
        "Conversations",
        "conversations.view",
        "See conversations",
        _READERS,
        "What is billed: 24 hours from the first message.",
    ),
    (
        "Conversations",
        "contacts.view",
        "See contacts",
        _READERS,
        "Who wrote and was written to; viewers see them masked.",
    ),
    (
        "Conversations",
        "contacts.manage",
        "Lift suppressions, erase and export contacts",
        _MANAGERS,
        "Lets messages go to a contact again; takes out or erases what is kept of one.",
    ),
    ("Templates", "templates.view", "See templates", _EVERYONE, "Their text, state and verdicts."),
    (
        "Templates",
        "templates.manage",
        "Create, edit and delete templates",
        _MANAGERS,
        "And submit them to Meta.",
    ),
    ("Queues", "queues.view", "See the queue", _TRIAGE, "What is ready, on its way, waiting and held."),
    (
        "Queues",
        "dead_letters.view",
        "See dead letters",
        _TRIAGE,
        "Messages out of attempts, with the cause; support sees them masked.",
    ),
    ("Queues", "dead_letters.redrive", "Send a dead letter again", _TRIAGE, "One at a time."),
    (
        "Queues",
        "dead_letters.annotate",
        "Note and assign dead letters",
        _TRIAGE,
        "Notes for colleagues, and who looks after one.",
    ),
    (
        "Queues",
        "dead_letters.bulk_redrive",
        "Redrive many dead letters at once",
        _MANAGERS,
        "All that match a filter, at a chosen pace.",
    ),
    (
        "Queues",
        "dead_letters.discard",
        "Discard dead letters",
        _MANAGERS,
        "Gives one up with a reason; undone within 7 days.",
    ),
    (
        "Queues",
        "dead_letters.export",
        "Export dead letters",
        _MANAGERS,
        "As CSV or JSON lines, with numbers.",
    ),
    (
        "Queues",
        "queues.pause",
        "Pause and resume queues",
        _MANAGERS,
        "Of one number or the whole workspace, with a reason.",
    ),
    ("Queues", "webhooks.view", "See webhooks", _MANAGERS, "What Meta delivered, raw, and what came of it."),
    ("Queues", "webhooks.replay", "Replay webhooks", _MANAGERS, "Applies a stored delivery again."),
    ("Queues", "alerts.view", "See alerts", _MANAGERS, "What needs a person."),
    ("Queues", "alerts.acknowledge", "Acknowledge alerts", _MANAGERS, "Says that somebody looks after it."),
    (
        "Queues",
        "schedules.view",
        "See schedules",
        _MANAGERS,
        "What runs by itself: when last, when next, with what result.",
    ),
    (
        "Queues",
        "schedules.manage",
        "Run and pause schedules",
        _OWNERS,
        "Now, or not until somebody resumes them.",
    ),
    ("Billing", "billing.view", "See billing", _MANAGERS, "Conversations, costs and invoices."),
    ("Billing", "billing.export", "Export billing", _MANAGERS, "Invoices and conversations as files."),
    (
        "Billing",
        "billing.manage",
        "Manage invoices and budget",
        _OWNERS,
        "Finalise and void invoices, set a budget, close conversations.",
    ),
    (
        "Settings and tokens",
        "tokens.view",
        "See the state of tokens",
        _MANAGERS,
        "When each expires and was renewed; never the token itself.",
    ),
    ("Settings and tokens", "tokens.refresh", "Refresh tokens", _MANAGERS, "Asks Meta for a new one now."),
    (
        "Settings and tokens",
        "tokens.manage",
        "Connect accounts and replace tokens",
        _OWNERS,
        "With a token pasted from Meta.",
    ),
    (
        "Settings and tokens",
        "phones.manage",
        "Connect and sync phone numbers",
        _OWNERS,
        "Reads numbers and their state from Meta.",
    ),
    (
        "Settings and tokens",
        "settings.manage",
        "Change settings",
        _OWNERS,
        "Of the workspace, second factor for everybody included.",
    ),
    (
        "Settings and tokens",
        "keys.manage",
        "Make and revoke own API keys",
        _MANAGERS,
        "With a role no higher than one's own.",
    ),
    ("Settings and tokens", "keys.manage_all", "Revoke anyone's API keys", _OWNERS, "And see all of them."),
    ("Audit", "audit.view", "See the audit log", _MANAGERS, "Who changed what, when and from where."),
    ("Audit", "audit.export", "Export the audit log", _OWNERS, "As CSV or JSON lines."),
)
CATEGORIES: tuple[str, ...] = tuple(dict.fromkeys(permission.category for permission in PERMISSIONS.values()))


def is_known(permission: str) -> bool:
    """Whether there is such a permission, of a role or of the platform."""
    return permission in PERMISSIONS or permission in PLATFORM


def granted(role: Role) -> frozenset[str]:
    """Every permission of ``role``."""
    return frozenset(key for key, permission in PERMISSIONS.items() if role in permission.roles)


def who_can(permission: str) -> tuple[Role, ...]:
    """The roles that include ``permission``, highest first; none for one of the platform."""
    if permission in PLATFORM:
        return ()
    return tuple(role for role in Role if role in PERMISSIONS[permission].roles)


def rule(permission: str) -> str:
    """Who has it, in a sentence: *Only owners and managers can invite people.*"""
    return f"{_able(permission, who_can(permission))}."


def a_role(role: Role) -> str:
    """*an owner*, *a viewer*, *support*."""
    article = "" if role is SUPPORT else "an " if role in (OWNER, AGENT) else "a "
    return f"{article}{role.value}"


def denial(permission: str, *, role: Role | None) -> str:
    """What a person without ``permission`` is told: who can, and whom to ask."""
    able = f"{_able(permission, who_can(permission))} ({permission})"
    if role is None or permission in PLATFORM:  # no role includes those
        return f"{able}."
    return f"{able}; your role is {role.value}. An owner of the workspace can give you another."


def _able(permission: str, roles: tuple[Role, ...]) -> str:
    if permission in PLATFORM:
        what, who = PLATFORM[permission], "Only people of the platform"
    elif len(roles) == len(Role):
        what, who = PERMISSIONS[permission].title, "Everyone in the workspace"
    else:
        what, who = PERMISSIONS[permission].title, f"Only {_listed([_many(role) for role in roles])}"
    return f"{who} can {what[0].lower()}{what[1:]}"


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _many(role: Role) -> str:
    return "support" if role is SUPPORT else f"{role.value}s"
