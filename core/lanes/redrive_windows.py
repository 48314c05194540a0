"""The windows of bulk redrives: the moments of their newest sends, as a lane has them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, text

from core.lanes import rules
from core.unit import Unit

_READ = "SELECT id, slots, rate_per_second FROM bulk_work WHERE id IN :ids ORDER BY id"
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_LOAD = {
    "sqlite": text(_READ).bindparams(_IDS),
    "postgresql": text(f"{_READ} FOR UPDATE").bindparams(_IDS),
}
_WRITE = text("UPDATE bulk_work SET slots = :slots WHERE id = :id")


@dataclass(slots=True)
class RedriveWindow:
    """``rate_per_second``: how many sends any second may hold, over all lanes."""

    redrive_id: str
    slots: bytes
    rate_per_second: int


def load_windows(unit: Unit, redrive_ids: Collection[str]) -> dict[str, RedriveWindow]:
    """By id, held until the end of this transaction."""
    connection = unit.session.connection()
    rows = connection.execute(_LOAD[connection.dialect.name], {"ids": sorted(redrive_ids)})
    return {row[0]: RedriveWindow(row[0], bytes(row[1]), row[2]) for row in rows}


def write_windows(unit: Unit, windows: Iterable[RedriveWindow], *, now: datetime) -> None:
    """What does not count any more is forgotten."""
    changed = [{"id": one.redrive_id, "slots": rules.counting(one.slots, now=now)} for one in windows]
    if changed:
        unit.session.connection().execute(_WRITE, changed)
