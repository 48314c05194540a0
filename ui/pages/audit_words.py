"""The audit log in words, and what its address asks for."""

import re
from collections.abc import Mapping
from datetime import date

from core.audit_log.queries import AuditFilter, EntryRow, filter_of_days
from core.unit import Unit

_SPELT = {"waba": "WABA", "api": "API"}
FILTERS = ("actor", "action", "target", "from", "until")


def words_of(name: str) -> str:
    """``member.role_changed`` → *Member role changed*; ``waba.connected`` → *WABA connected*."""
    words = " ".join(_SPELT.get(word, word) for word in re.split(r"[_.\s]+", name.strip()))
    return words[:1].upper() + words[1:]


def target_of(row: EntryRow) -> tuple[str, str]:
    """What it was done to, and what kind of thing that is. *Ada Lindqvist, Member*; an empty kind where the
    target is a word of its own, such as a permission."""
    kind, colon, thing = row.target.partition(":")
    if not colon:
        return row.target, ""
    return row.target_name or thing, words_of(kind)


def day_of(text: str) -> date | None:
    """None for what is no day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def asked_for(unit: Unit, query: Mapping[str, str]) -> AuditFilter:
    """What the parameters of an address narrow the log to."""
    asked = {name: query.get(name, "").replace("\x00", "") for name in FILTERS}
    return filter_of_days(
        unit,
        first=day_of(asked["from"]),
        last=day_of(asked["until"]),
        actor=asked["actor"] or None,
        action=asked["action"] or None,
        target=asked["target"] or None,
    )
