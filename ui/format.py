"""Moments and numbers as people read them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.billing.money import rounded

NOTHING = "–"
MINUS = "\N{MINUS SIGN}"
_STEPS = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (float("inf"), 86_400, "d"))


@dataclass(frozen=True, slots=True)
class Times:
    """Moments in one time zone."""

    zone: ZoneInfo

    def exact(self, moment: datetime) -> str:
        """``23 Nov 2026, 09:00:12 CET``."""
        local = moment.astimezone(self.zone)
        return f"{local.day} {local:%b %Y, %H:%M:%S} {local:%Z}"

    def short(self, moment: datetime) -> str:
        """``23 Nov, 09:00``."""
        local = moment.astimezone(self.zone)
        return f"{local.day} {local:%b, %H:%M}"

    def clock(self, moment: datetime) -> str:
        """``23 Nov, 09:00:12``."""
        local = moment.astimezone(self.zone)
        return f"{local.day} {local:%b, %H:%M:%S}"

    def hour(self, moment: datetime) -> str:
        """``09:00``."""
        return f"{moment.astimezone(self.zone):%H:%M}"

    def day(self, moment: datetime, now: datetime) -> str:
        """``Today``, ``Yesterday``, ``23 November``, ``23 November 2025``: the day in this zone."""
        local, today = moment.astimezone(self.zone).date(), now.astimezone(self.zone).date()
        if local == today:
            return "Today"
        if local == today - timedelta(days=1):
            return "Yesterday"
        return f"{local.day} {local:%B}" + ("" if local.year == today.year else f" {local.year}")


def relative(moment: datetime, now: datetime) -> str:
    """``12 s ago``, ``in 4 min``, ``3 h ago``; within two seconds ``just now``. The browser goes on counting,
    with the same words (``static/waypost.js``)."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 2:
        return "just now"
    span = duration(abs(seconds))
    return f"{span} ago" if seconds > 0 else f"in {span}"


def duration(seconds: float) -> str:
    """The largest whole unit: ``45 s``, ``5 min``, ``3 h``, ``12 d``."""
    for below, divisor, name in _STEPS:
        if seconds < below:
            return f"{int(seconds // divisor)} {name}"
    raise ValueError(seconds)


def number(value: int) -> str:
    """``12,345``."""
    return f"{value:,}"


def short_number(value: int) -> str:
    """For counts beside names: ``861``, ``8.6k``, ``861k``, ``1.2M``."""
    if value < 1000:
        return str(value)
    if value < 10_000:
        return f"{value // 100 / 10:.1f}k"
    if value < 1_000_000:
        return f"{value // 1000}k"
    return f"{value // 100_000 / 10:.1f}M"


def share(part: int, whole: int) -> str:
    """``98.2 %``, never rounded up to all of it; a dash when there is no whole."""
    if whole == 0:
        return NOTHING
    if part == whole:
        return "100 %"
    return f"{min(99.9, part * 100 / whole):.1f} %"


def usd(micros: int) -> str:
    """``1,234.50 USD``, ``−0.05 USD``: whole cents, half a cent up."""
    return f"{rounded(micros):,.2f} USD".replace("-", MINUS)


def month_name(day: date) -> str:
    """``November 2026``."""
    return f"{day:%B %Y}"


def day_name(day: date) -> str:
    """``5 November``."""
    return f"{day.day} {day:%B}"


def percent(part: float) -> str:
    """``42.1 %`` of 0.421; negative where there is less than nothing."""
    return f"{part * 100:.1f} %".replace("-", MINUS)


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 message``, ``12,345 messages``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def initials(name: str) -> str:
    """``Ada Lindqvist`` → ``AL``."""
    words = [word for word in name.split() if word[0].isalnum()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()
