"""When a channel is told of an alert, and when it is tried again (A3), as pure functions."""

from collections.abc import Collection
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from data.enums import Severity

LADDER_S = (60, 300, 900, 3600)
RANK = {Severity.INFO: 1, Severity.WARNING: 2, Severity.CRITICAL: 3}
# An end is told this much later: what comes and goes is told once, not twice a minute.
CALM = timedelta(minutes=2)


def is_wanted(*, kind: str, severity: Severity, least: Severity, kinds: Collection[str]) -> bool:
    """Whether a channel that hears of ``kinds`` (none: all) from ``least`` on hears of this.

    *least warning: a warning and what is critical, no info.*
    """
    return RANK[severity] >= RANK[least] and (not kinds or kind in kinds)


def quiet_end(
    now: datetime, *, zone: ZoneInfo, quiet_from: int | None, quiet_until: int | None
) -> datetime | None:
    """When the quiet hours that it is now end; None outside them. Both bounds are minutes since midnight on
    the clocks of ``zone``; the hours may span midnight.

    *22:00 to 07:00 in Berlin, at 23:30 there → 07:00 there tomorrow; at 07:00 sharp → None.*
    """
    if quiet_from is None or quiet_until is None:
        return None
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    if quiet_from < quiet_until:
        is_quiet = quiet_from <= minute < quiet_until
    else:
        is_quiet = minute >= quiet_from or minute < quiet_until
    if not is_quiet:
        return None
    day = local.date() if minute < quiet_until else local.date() + timedelta(days=1)
    end = datetime.combine(day, time(quiet_until // 60, quiet_until % 60), tzinfo=zone)
    return end.astimezone(now.tzinfo)


def wait_after(failures: int) -> timedelta | None:
    """How long until the next attempt, after that many failures; None when there is none.

    *After the first failure 60 s, after the fourth 3600 s, after the fifth None.*
    """
    return timedelta(seconds=LADDER_S[failures - 1]) if failures <= len(LADDER_S) else None
