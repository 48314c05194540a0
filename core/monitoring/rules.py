"""When a disk is too full, a backup too old, a webhook too late: as pure functions."""

from datetime import datetime, timedelta
from enum import StrEnum

GIGABYTE = 1 << 30
# A database that grows by a gigabyte overnight is a busy one: time to act before it stops.
LOW_BYTES, LOW_SHARE = 2 * GIGABYTE, 0.05
OUT_BYTES = GIGABYTE // 4
LATE_AFTER = timedelta(minutes=1)
VERY_LATE_AFTER = timedelta(minutes=10)
# A backup takes a while itself, and a night may be busy.
BACKUP_SLACK = 1.25


class Standing(StrEnum):
    """How a part is. ``warning``: it works, and somebody should look; ``off``: this deployment has none."""

    WELL = "well"
    WARNING = "warning"
    BAD = "bad"
    OFF = "off"


def of_disk(*, free: int, total: int) -> Standing:
    """*3 GB of 20 free → well; 1.5 GB of 20 → warning; 4 GB of 100 → warning; 200 MB → bad.*"""
    if free < OUT_BYTES:
        return Standing.BAD
    return Standing.WARNING if free < LOW_BYTES or free < LOW_SHARE * total else Standing.WELL


def of_lag(waiting_since: datetime | None, *, now: datetime) -> Standing:
    """*The oldest webhook waits for 59 s → well, for 2 min → warning, for 11 min → bad.*"""
    if waiting_since is None or now - waiting_since <= LATE_AFTER:
        return Standing.WELL
    return Standing.BAD if now - waiting_since > VERY_LATE_AFTER else Standing.WARNING


def late_since(newest: datetime, *, every_h: float) -> datetime:
    """From when on a backup is too old. *Made at 3:00, one a day → late from 9:00 of the next day.*"""
    return newest + timedelta(hours=every_h * BACKUP_SLACK)
