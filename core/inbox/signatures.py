"""How many webhooks were refused for their signature. Of a forged one nothing else is kept."""

from datetime import datetime

from sqlalchemy import text
from sqlmodel import col, func, select

from core.unit import Unit
from data.columns import to_micros
from data.inbox import BadSignature

_COUNT = text(
    "INSERT INTO bad_signature (minute, count) VALUES (:minute, :count) "
    "ON CONFLICT (minute) DO UPDATE SET count = bad_signature.count + excluded.count"
)


def count_bad(unit: Unit, count: int) -> None:
    """So many more were refused in this minute."""
    minute = unit.now.replace(second=0, microsecond=0)
    unit.count("webhooks_rejected", "signature", count)
    unit.session.connection().execute(_COUNT, {"minute": to_micros(minute), "count": count})


def bad_since(unit: Unit, since: datetime) -> int:
    """How many were refused since then, to the minute."""
    first = since.replace(second=0, microsecond=0)
    statement = select(func.sum(BadSignature.count)).where(col(BadSignature.minute) >= first)
    return unit.session.exec(statement).one() or 0
