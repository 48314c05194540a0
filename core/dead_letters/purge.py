"""Letters that were dealt with are forgotten when they are old; open ones never."""

from datetime import timedelta

from sqlalchemy import bindparam, text

from core.unit import Unit
from data.columns import to_micros

# A transaction of 500 rows is short: whoever sends waits for it meanwhile.
AT_ONCE = 500

_OLD = text(
    "SELECT id FROM dead_letter WHERE closed_at IS NOT NULL AND closed_at < :before AND state <> 'open' "
    "ORDER BY closed_at LIMIT :most"
)
_FORGET = [
    text(f"DELETE FROM {table} WHERE {column} IN :ids").bindparams(bindparam("ids", expanding=True))  # noqa: S608
    for table, column in (("letter_action", "letter_id"), ("letter_text", "letter_id"), ("dead_letter", "id"))
]
_FORGET_LISTS = text(
    "DELETE FROM bulk_letter WHERE bulk_id IN "
    "(SELECT id FROM bulk_work WHERE finished_at IS NOT NULL AND finished_at < :before)"
)
# SQLite's index keeps words that were deleted until it is put together anew, so many pages at a time.
_BEGIN_TIDYING = text("INSERT INTO letter_word(letter_word, rank) VALUES ('merge', -1000)")
_GO_ON_TIDYING = text("INSERT INTO letter_word(letter_word, rank) VALUES ('merge', 1000)")
_CHANGES = text("SELECT total_changes()")


def purge(unit: Unit) -> int:
    """Some of the letters that were closed more than ``WAYPOST_DEAD_LETTER_RETENTION_DAYS`` ago are gone, and
    all that was done to them; returns how many. Call until it is 0. Their messages stay."""
    before = to_micros(unit.now - timedelta(days=unit.settings.waypost_dead_letter_retention_days))
    connection = unit.session.connection()
    old = connection.execute(_OLD, {"before": before, "most": AT_ONCE}).scalars().all()
    if old:
        for statement in _FORGET:
            connection.execute(statement, {"ids": old})
    connection.execute(_FORGET_LISTS, {"before": before})
    return len(old)


def tidy_words(unit: Unit, *, go_on: bool) -> bool:
    """Words of letters that are gone leave SQLite's index too; PostgreSQL does it by itself. Whether there
    is more to do."""
    connection = unit.session.connection()
    if connection.dialect.name != "sqlite":
        return False
    before = connection.execute(_CHANGES).scalar_one()
    connection.execute(_GO_ON_TIDYING if go_on else _BEGIN_TIDYING)
    return bool(connection.execute(_CHANGES).scalar_one() - before >= 2)
