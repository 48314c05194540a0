"""What webhooks said is forgotten when it is old: the raw text holds numbers and words of customers (T5)."""

from datetime import timedelta

from sqlalchemy import bindparam, text

from core.ids import first_id
from core.unit import Unit
from data.columns import to_micros

# A transaction of 500 rows is short: whoever sends waits for it meanwhile.
AT_ONCE = 500

_OLD = text("SELECT id FROM delivery WHERE id < :before AND state != 'pending' ORDER BY id LIMIT :most")
_FORGET = (
    text("DELETE FROM delivery_failure WHERE delivery_id IN :ids").bindparams(
        bindparam("ids", expanding=True)
    ),
    text("DELETE FROM delivery WHERE id IN :ids").bindparams(bindparam("ids", expanding=True)),
)
_FORGET_UPDATES = text(
    "DELETE FROM meta_update WHERE id IN "
    "(SELECT id FROM meta_update WHERE received_at < :before ORDER BY received_at LIMIT :most)"
)
_FORGET_COUNTS = text("DELETE FROM bad_signature WHERE minute < :before")


def purge(unit: Unit) -> int:
    """Some of the deliveries and updates that are older than ``WAYPOST_RETENTION_DAYS`` are gone; returns how
    many. Call until it is 0. What waits to be applied stays, however old."""
    before = unit.now - timedelta(days=unit.settings.waypost_retention_days)
    connection = unit.session.connection()
    old = connection.execute(_OLD, {"before": first_id("dlv", before), "most": AT_ONCE}).scalars().all()
    if old:
        for statement in _FORGET:
            connection.execute(statement, {"ids": old})
    updates = connection.execute(_FORGET_UPDATES, {"before": to_micros(before), "most": AT_ONCE}).rowcount
    connection.execute(_FORGET_COUNTS, {"before": to_micros(before)})
    return len(old) + updates
