"""How a moment is written for scripts."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """``2026-11-23T07:45:12.345678Z``: UTC, as exact as it is stored."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00") + "Z"
