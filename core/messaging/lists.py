"""What the page of messages asks beside a page of them: the same page again, and what to filter by."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlalchemy import select as select_columns
from sqlmodel import col, func

from core.messaging.queries import MessageFilter, MessagePage, narrow, rows_of
from core.ports.meta_errors import explain
from core.unit import Unit
from data.messages import Message

# What a list may go back to, by the word that stands in its address.
PERIODS: Mapping[str, timedelta] = MappingProxyType(
    {
        "1h": timedelta(hours=1),
        "24h": timedelta(hours=24),
        "7d": timedelta(days=7),
        "30d": timedelta(days=30),
    }
)


def since(unit: Unit, period: str | None) -> datetime | None:
    """When that period began; None for all time, and for a word that is no period."""
    length = PERIODS.get(period or "")
    return None if length is None else unit.now - length


def list_again(
    unit: Unit, wanted: MessageFilter, *, first: str, limit: int = 50, newer: int = 99
) -> MessagePage:
    """The page that began with the message ``first``, as it is now; before it the newest of those that came
    since, at most ``newer``."""
    unit.require("messages.view")
    matching = narrow(unit, unit.scoped(Message), wanted).order_by(col(Message.id).desc())
    arrived = unit.session.exec(matching.where(col(Message.id) > first).limit(newer))
    page = list(unit.session.exec(matching.where(col(Message.id) <= first).limit(limit + 1)))
    shown = page[:limit]
    more = len(page) > limit
    return MessagePage(rows_of(unit, [*arrived, *shown]), shown[-1].id if more else None)


def error_codes(unit: Unit) -> dict[str, str]:
    """code → title, of the errors that messages of this workspace have now. One step through the index for
    each code, however many messages."""
    unit.require("messages.view")
    mine = (col(Message.workspace_id) == unit.workspace_id) & col(Message.error_code).is_not(None)
    lowest = func.min(col(Message.error_code))
    codes = select_columns(lowest.label("code")).where(mine).cte("codes", recursive=True)
    following = select_columns(lowest).where(mine, col(Message.error_code) > codes.c.code).scalar_subquery()
    codes = codes.union_all(select_columns(following).where(codes.c.code.is_not(None)))
    found = unit.session.scalars(select_columns(codes.c.code).where(codes.c.code.is_not(None)))
    return {code: explain(code).title for code in found}
