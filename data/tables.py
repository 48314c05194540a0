"""Every table in one import, for migrations and tests."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column
from sqlmodel import SQLModel

from data import (
    abuse,
    alerts,
    billing,
    channels,
    contacts,
    inbox,
    letters,
    messages,
    operations,
    people,
    phones,
    schedules,
    sending,
    templates,
    traffic,
)

METADATA = SQLModel.metadata
MODULES = (
    abuse,
    alerts,
    billing,
    channels,
    contacts,
    inbox,
    letters,
    messages,
    operations,
    people,
    phones,
    schedules,
    sending,
    templates,
    traffic,
)
# The indexes of words: no model can name FTS5's tables, nor PostgreSQL's indexes of an expression.
WORD_INDEX = "letter_word"


def is_ours(name: str | None, _kind: str, _parents: Any) -> bool:
    """Whether the models say of that table or index what it is; for Alembic's comparison."""
    return not (name or "").startswith(WORD_INDEX)


def sealed_columns() -> Iterator[Column[Any]]:
    """Those that ``data.columns.sealed`` made."""
    for table in METADATA.sorted_tables:
        yield from (column for column in table.columns if column.info.get("sealed"))
