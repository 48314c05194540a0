"""Taking in what Meta delivers: on disk before it is answered, understood later."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.ids import new_id
from core.inbox.owners import owners
from core.inbox.reading import named
from core.unit import Unit
from data.columns import to_micros
from data.engine import execute_many
from data.enums import DeliveryState

_STORE = (
    "INSERT INTO delivery (id, workspace_id, phone_number_id, received_at, sha256, size, body, state, "
    "attempts, updates, failures) VALUES (:id, :workspace_id, :phone_number_id, :received_at, :sha256, "
    ":size, :body, :state, 0, 0, 0)"
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One signed POST: its body as it came, and the phones and accounts that it names."""

    body: bytes
    received_at: datetime
    phones: frozenset[str]
    wabas: frozenset[str]

    @classmethod
    def of(cls, body: bytes, envelope: Any, *, received_at: datetime) -> "Arrival":
        pairs = list(named(envelope))
        return cls(
            body=body,
            received_at=received_at,
            phones=frozenset(phone for phone, _ in pairs if phone is not None),
            wabas=frozenset(waba for phone, waba in pairs if phone is None),
        )


def store(unit: Unit, arrivals: Sequence[Arrival]) -> list[bool]:
    """Each is kept as pending, once for every workspace that it concerns; as ignored if it concerns none.
    Returns for each whether there is something to apply."""
    whose = owners(unit, set().union(*(arrival.phones | arrival.wabas for arrival in arrivals)))
    rows, pending = [], []
    for arrival in arrivals:
        concerned = {whose[name] for name in arrival.phones | arrival.wabas if name in whose}
        rows += [_row(arrival, workspace_id) for workspace_id in sorted(concerned)]
        if not concerned:
            rows.append(_row(arrival, None))
        pending.append(bool(concerned))
    execute_many(unit.session.connection(), _STORE, rows)
    return pending


def _row(arrival: Arrival, workspace_id: str | None) -> dict[str, Any]:
    phones = arrival.phones
    return {
        "id": new_id("dlv", arrival.received_at),
        "workspace_id": workspace_id,
        "phone_number_id": next(iter(phones)) if len(phones) == 1 and not arrival.wabas else None,
        "received_at": to_micros(arrival.received_at),
        "sha256": hashlib.sha256(arrival.body).hexdigest(),
        "size": len(arrival.body),
        "body": arrival.body,
        "state": (DeliveryState.IGNORED if workspace_id is None else DeliveryState.PENDING).value,
    }
