"""How scheduled backups are called, and which of them are kept."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

_NAME = re.compile(r"waypost-(\d{8}T\d{6}Z)\.db\.gz(\.age)?")
_STAMP = "%Y%m%dT%H%M%SZ"


def name_of(now: datetime, *, encrypted: bool) -> str:
    """*waypost-20261126T031500Z.db.gz*: names sort by time."""
    return f"waypost-{now.astimezone(UTC):{_STAMP}}.db.gz{'.age' if encrypted else ''}"


def taken_at(name: str) -> datetime | None:
    """When the scheduled backup of that name was taken; None for other files."""
    found = _NAME.fullmatch(name)
    return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC) if found else None


def superfluous(names: Iterable[str], *, keep: int) -> list[str]:
    """All scheduled backups but the newest ``keep``; other files are nobody's business here."""
    ours = sorted((name for name in names if taken_at(name) is not None), reverse=True)
    return ours[keep:]
