"""What Meta says of accounts, phones and templates: kept once each, handed to the room that acts on it."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, text

from core.inbox.effects import EFFECTS
from core.inbox.said import Said
from core.unit import Unit
from data.columns import to_micros

_ADD = text(
    "INSERT INTO meta_update (id, workspace_id, waba_id, phone_number_id, field, value, at, received_at) "
    "VALUES (:id, :workspace_id, :waba_id, :phone_number_id, :field, :value, :at, :received_at) "
    "ON CONFLICT (id) DO NOTHING"
)
_WITHOUT_EFFECT = text(
    "SELECT id FROM meta_update WHERE id IN :keys AND effect_at IS NULL ORDER BY id"
).bindparams(bindparam("keys", expanding=True))
_TOOK_EFFECT = text("UPDATE meta_update SET effect_at = :now WHERE id = :id")


def take_changes(unit: Unit, said: Sequence[Said]) -> None:
    """Each change is kept, once; one whose field something acts on takes effect, once."""
    if not said:
        return
    by_id = {one.id: one for one in said}
    connection = unit.session.connection()
    connection.execute(_ADD, [_row(key, one) for key, one in by_id.items()])
    waiting = {row[0] for row in connection.execute(_WITHOUT_EFFECT, {"keys": list(by_id)})}
    for key, one in by_id.items():
        effect = EFFECTS.get(one.update.field)
        if effect is not None and key in waiting:
            effect(unit, one)
            connection.execute(_TOOK_EFFECT, {"id": key, "now": to_micros(unit.now)})


def _row(key: str, one: Said) -> dict[str, Any]:
    return {
        "id": key,
        "workspace_id": one.workspace_id,
        "waba_id": one.update.waba_id,
        "phone_number_id": one.update.phone_number_id,
        "field": one.update.field,
        "value": json.dumps(one.change.value),
        "at": to_micros(one.at),
        "received_at": to_micros(one.received_at),
    }
