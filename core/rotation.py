"""Sealing every secret anew when the key changes (K3): row by row, beside running processes, from where it
stopped."""

from typing import Any

from sqlalchemy import Column, select, update

from core.runtime import Runtime
from core.unit import Identity, Unit
from data.tables import sealed_columns

BATCH = 100
_ROTATION = Identity(process="command")


def reseal(runtime: Runtime) -> int:
    """Every sealed value opens with the newest key alone; how many were sealed anew. Values that already do
    are left as they are, so an interrupted run is simply run again."""
    total = sum(_reseal_column(runtime, column) for column in sealed_columns())
    if total:
        with runtime.unit(_ROTATION, write=True) as unit:
            unit.record("keys.rotated", "vault", after={"sealed_anew": total})
    return total


def count_stale(runtime: Runtime) -> int:
    """How many values are still sealed with an older key."""
    stale = 0
    for column in sealed_columns():
        after: Any = None
        while batch := _batch(runtime, column, after):
            stale += sum(not runtime.vault.is_newest(sealed) for _, sealed in batch)
            after = batch[-1][0]
    return stale


def _reseal_column(runtime: Runtime, column: Column[Any]) -> int:
    done, after = 0, None
    while batch := _batch(runtime, column, after):
        with runtime.unit(_ROTATION, write=True) as unit:
            done += sum(
                _swap(unit, column, key, sealed)
                for key, sealed in batch
                if not runtime.vault.is_newest(sealed)
            )
        after = batch[-1][0]
    return done


def _batch(runtime: Runtime, column: Column[Any], after: Any) -> list[tuple[Any, bytes]]:
    key = _key(column.table)
    statement = select(key, column).where(column.is_not(None)).order_by(key).limit(BATCH)
    if after is not None:
        statement = statement.where(key > after)
    with runtime.unit(_ROTATION) as unit:
        return [(found, sealed) for found, sealed in unit.session.execute(statement).all()]


def _swap(unit: Unit, column: Column[Any], key: Any, sealed: bytes) -> int:
    """Only where the value is still the one that was read: a token renewed meanwhile is not put back."""
    table = column.table
    changed = (
        update(table)
        .where(_key(table) == key, column == sealed)
        .values({column.name: unit.vault.reseal(sealed)})
    )
    found: int = unit.session.connection().execute(changed).rowcount
    return found


def _key(table: Any) -> Column[Any]:
    (key,) = table.primary_key.columns
    found: Column[Any] = key
    return found
