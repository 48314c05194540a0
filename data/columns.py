"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Dialect, Enum, LargeBinary, false
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970, exact. A moment without a zone is a mistake and raises ValueError."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return (moment - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


class Instant(TypeDecorator[datetime]):
    """An aware UTC moment, stored as whole microseconds since 1970 so that order and arithmetic are exact."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


def by_value(kind: type[StrEnum]) -> Enum:
    """Stores an enumeration by its value, as text.

    No CHECK constraint: a new value would rebuild the whole table on SQLite. The type itself refuses to
    write or read a word that is not in the enumeration.
    """
    return Enum(
        kind,
        native_enum=False,
        create_constraint=False,
        length=32,
        validate_strings=True,
        name=kind.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


def instant(*, nullable: bool = False, index: bool = False, primary_key: bool = False) -> Any:
    """A field for a moment. ``nullable`` ones default to None, others must be given."""
    column = Column(Instant, nullable=nullable, index=index, primary_key=primary_key)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def enumerated(kind: type[StrEnum], *, nullable: bool = False, primary_key: bool = False) -> Any:
    column: Column[Any] = Column(by_value(kind), nullable=nullable, primary_key=primary_key)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def flag() -> Any:
    """A field for yes or no that came to its table later: rows from before say no."""
    return Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))


def document(*, nullable: bool = False) -> Any:
    """A JSON value."""
    column = Column(JSON(none_as_null=True), nullable=nullable)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def sealed(*, nullable: bool = False) -> Any:
    """Bytes that only the vault can read."""
    column = Column(LargeBinary, nullable=nullable, info={"sealed": True})
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)
