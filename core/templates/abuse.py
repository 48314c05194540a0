"""Where a workspace stands by what Meta rejected of its templates in the last 24 hours (T2). House rules:
Meta publishes none like them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from core.settings import Settings
from data.enums import AbuseLevel, TemplateEvent

WINDOW = timedelta(hours=24)
# A send of a rejected template, among the events of a window.
TRIED = "tried"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Rates are fractions, and must be exceeded; counts must be reached."""

    warn_rate: float
    flag_rate: float
    min_decided: int
    flag_rejections: int
    flag_sends: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            warn_rate=settings.waypost_abuse_warn_rate,
            flag_rate=settings.waypost_abuse_flag_rate,
            min_decided=settings.waypost_abuse_min_decided,
            flag_rejections=settings.waypost_abuse_flag_rejections,
            flag_sends=settings.waypost_abuse_flag_sends,
        )


@dataclass(frozen=True, slots=True)
class Happening:
    """What weighs in a window: ``approved``, ``rejected`` or ``tried``. Others weigh nothing."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Tally:
    """What 24 hours hold. ``tried``: sends of rejected templates."""

    approved: int = 0
    rejected: int = 0
    tried: int = 0

    @property
    def decided(self) -> int:
        return self.approved + self.rejected

    @property
    def rate(self) -> float:
        """0 to 1; 0 when nothing is decided."""
        return self.rejected / self.decided if self.decided else 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """``reasons``: a sentence for each rule that holds; none when all is well."""

    level: AbuseLevel
    reasons: tuple[str, ...] = ()


def judge(tally: Tally, thresholds: Thresholds) -> Judgement:
    """The level and why.

    *2 rejected of 5 → warning; 3 of 5 → flagged; 5 of 20 → flagged; 1 of 1 → ok.*
    """
    reasons = []
    level = AbuseLevel.OK
    enough = tally.decided >= thresholds.min_decided
    if enough and tally.rate > thresholds.warn_rate:
        level, limit = AbuseLevel.WARNING, thresholds.warn_rate
        if tally.rate > thresholds.flag_rate:
            level, limit = AbuseLevel.FLAGGED, thresholds.flag_rate
        reasons.append(
            f"Meta rejected {tally.rejected} of {tally.decided} decided templates: {percent(tally.rate)} in "
            f"24 hours, above {percent(limit)}."
        )
    if tally.rejected >= thresholds.flag_rejections:
        level = AbuseLevel.FLAGGED
        reasons.append(
            f"Meta rejected {tally.rejected} templates in 24 hours; "
            f"{thresholds.flag_rejections} are too many."
        )
    if tally.tried >= thresholds.flag_sends:
        level = AbuseLevel.FLAGGED
        reasons.append(
            f"{tally.tried} sends of rejected templates were tried in 24 hours; "
            f"{thresholds.flag_sends} are too many."
        )
    return Judgement(level, tuple(reasons))


def course(
    happenings: Iterable[Happening],
    *,
    since: datetime,
    until: datetime,
    counts_from: datetime | None = None,
) -> Iterator[tuple[datetime, Tally]]:
    """(moment, what the 24 hours up to it hold), at ``since`` and whenever it changes up to ``until``.

    An event counts from its moment on, and exactly 24 hours later no more. What came at ``counts_from`` or
    before counts nothing. *Rejected at 10:00; from 09:00: 0, from 10:00: 1, from 10:00 the next day: 0.*
    """
    changes: dict[datetime, list[tuple[str, int]]] = {}
    for one in happenings:
        if one.what in _WEIGHS and (counts_from is None or one.at > counts_from):
            changes.setdefault(one.at, []).append((one.what, 1))
            changes.setdefault(one.at + WINDOW, []).append((one.what, -1))
    counts = dict.fromkeys(_WEIGHS, 0)
    shown = since
    for moment in sorted(changes):
        if moment > until:
            break
        if moment > shown:
            yield shown, Tally(**counts)
            shown = moment
        for what, step in changes[moment]:
            counts[what] += step
    yield shown, Tally(**counts)


def percent(rate: float) -> str:
    """*0.6 → 60 %, 0.333… → 33.3 %*"""
    return f"{rate * 100:.1f}".removesuffix(".0") + " %"


_WEIGHS = (TemplateEvent.APPROVED.value, TemplateEvent.REJECTED.value, TRIED)
