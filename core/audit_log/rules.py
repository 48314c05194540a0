"""What an entry says has changed, and which moments a range of days covers."""

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Change:
    """One name with its value on either side, as JSON; None where the name is not there."""

    name: str
    before: str | None
    after: str | None

    @property
    def is_same(self) -> bool:
        return self.before == self.after


def changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[Change]:
    """Every name of either side once, those of ``before`` first.

    *{"role": "agent"}, then {"role": "viewer", "why": "left"} → role: "agent" became "viewer"; why is new.*
    """
    old, new = before or {}, after or {}
    return [Change(name, _shown(old, name), _shown(new, name)) for name in dict.fromkeys([*old, *new])]


def moments_of_days(
    first: date | None, last: date | None, *, zone: ZoneInfo
) -> tuple[datetime | None, datetime | None]:
    """From the beginning of ``first`` up to, and without, the end of ``last``; None is no bound.

    *23 to 23 November in Berlin → 22 November 23:00 UTC up to 23 November 23:00 UTC.*
    """
    since = _midnight(first, zone) if first is not None else None
    is_bounded = last is not None and last < date.max
    return since, _midnight(last + timedelta(days=1), zone) if last is not None and is_bounded else None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)


def _shown(side: dict[str, Any], name: str) -> str | None:
    return json.dumps(side[name], ensure_ascii=False, sort_keys=True) if name in side else None
