"""What a role may do, in words: why or why not, who could change that (P1, P3), and what another role would
change. Read from the one table."""

from dataclasses import dataclass

from core.access import PERMISSIONS, RANK, Permission, a_role, granted, rule, who_can
from data.enums import Role

# What shows numbers and texts of customers, masked for those without contacts.reveal.
SHOWS_PEOPLE = frozenset({"messages.view", "conversations.view", "contacts.view", "dead_letters.view"})


@dataclass(frozen=True, slots=True)
class Reason:
    """``rule`` says what grants or refuses it; ``limit`` what of it the role does not get, empty for the
    whole; ``remedy`` who could grant it, and how, empty where nothing is to be granted."""

    is_granted: bool
    rule: str
    limit: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What someone gains and loses when their role changes, in the order of the table."""

    gained: tuple[Permission, ...]
    lost: tuple[Permission, ...]


def why(role: Role, permission: str) -> Reason:
    """The same answer as the check gives, in words.

    *A viewer and messages.send → refused: only owners, managers and agents can; an owner or a manager can
    make a viewer an agent.*
    """
    is_granted = permission in granted(role)
    return Reason(
        is_granted,
        rule(permission),
        limit=_limit(role, permission) if is_granted else "",
        remedy="" if is_granted else _remedy(role, permission),
    )


def difference(now: Role, new: Role) -> Difference:
    """*Viewer becomes agent: gains messages.send and contacts.reveal, loses nothing.*"""
    old, changed = granted(now), granted(new)
    return Difference(
        gained=tuple(each for each in PERMISSIONS.values() if each.key in changed - old),
        lost=tuple(each for each in PERMISSIONS.values() if each.key in old - changed),
    )


def lesser_roles(role: Role | None) -> tuple[Role, ...]:
    """Those that may do strictly less, most first: what one can view the console as."""
    if role is None:
        return ()
    below = [each for each in Role if granted(each) < granted(role)]
    return tuple(sorted(below, key=lambda each: (-RANK[each], -len(granted(each)))))


def _limit(role: Role, permission: str) -> str:
    has = granted(role)
    if permission in SHOWS_PEOPLE and "contacts.reveal" not in has:
        return "Numbers are masked and text is hidden: contacts.reveal is not part of the role."
    if permission == "dead_letters.redrive" and "dead_letters.bulk_redrive" not in has:
        return "One at a time: dead_letters.bulk_redrive is not part of the role."
    return ""


def _remedy(role: Role, permission: str) -> str:
    """Owners have everything, so there is always a role that has it too."""
    needed = granted(role) | {permission}
    new = min((each for each in Role if needed <= granted(each)), key=lambda each: len(granted(each)))
    givers = [a_role(each) for each in who_can("team.change_role") if _may_give(each, now=role, new=new)]
    who = " or ".join(givers)
    who = f"Only {who}" if len(givers) == 1 else who.capitalize()
    return f"{who} can make {a_role(role)} {a_role(new)}, the least role that has it too."


def _may_give(giver: Role, *, now: Role, new: Role) -> bool:
    """P3: above the present role, and at least the new one. Owners may also act on owners."""
    is_above = RANK[giver] > RANK[now] or giver is Role.OWNER
    return is_above and RANK[giver] >= RANK[new]
