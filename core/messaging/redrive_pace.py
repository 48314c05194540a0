"""The pace of a bulk redrive (Q10): a window that its messages, retries too, keep beside their lane's."""

from collections.abc import Iterable, Mapping, MutableMapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, text

from core.lanes import rules as lane_rules
from core.lanes.redrive_windows import load_windows, write_windows
from core.unit import Unit
from data.columns import to_micros

_PUT_OFF = text("UPDATE message SET waiting_for = 'throughput', due_at = :due_at WHERE id = :id").bindparams(
    bindparam("id"), bindparam("due_at")
)


def keep_pace(
    unit: Unit,
    rows: Iterable[Row[Any]],
    windows: MutableMapping[str, bytes],
    moments: MutableMapping[str, datetime],
    *,
    limits: Mapping[str, int],
) -> dict[str, datetime]:
    """Messages of a bulk redrive go at a moment that is free in its window as well: in ``moments``, and known
    to their lanes' ``windows``. Returns those that have none soon, with when each is tried again; their
    lanes' slots are free, and they are due then."""
    paced = sorted(
        (row for row in rows if row.redrive_id is not None), key=lambda row: (moments[row.id], row.id)
    )
    if not paced:
        return {}
    redrives = load_windows(unit, {row.redrive_id for row in paced})
    late: dict[str, datetime] = {}
    until = unit.now + lane_rules.MOVABLE
    for row in paced:
        window = redrives.get(row.redrive_id)
        if window is None:
            continue
        phone, given = row.phone_number_id, moments[row.id]
        windows[phone], window.slots, moment = lane_rules.postpone_both(
            windows[phone],
            window.slots,
            limits=(limits[phone], window.rate_per_second),
            given=(given, None),
            to=given,
            until=until,
        )
        if moment is None:
            late[row.id] = until
            del moments[row.id]
        else:
            moments[row.id] = moment
    write_windows(unit, redrives.values(), now=unit.now)
    if late:
        put_off = [{"id": message_id, "due_at": to_micros(due)} for message_id, due in late.items()]
        unit.session.connection().execute(_PUT_OFF, put_off)
    return late
