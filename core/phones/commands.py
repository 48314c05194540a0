"""Keeping our copy of an account's numbers like Meta's."""

from typing import Any

from core.errors import Conflict
from core.unit import Unit
from data.sending import Lane, Phone, Waba


def store(unit: Unit, *, waba: Waba, nodes: list[dict[str, Any]]) -> list[Phone]:
    """Our copies are what ``nodes`` say; a new number gets its lane. Conflict when a number is another
    workspace's."""
    phones = []
    for node in nodes:
        phone = unit.session.get(Phone, str(node["id"]))
        if phone is not None and phone.workspace_id != waba.workspace_id:
            raise Conflict(
                f"The number {phone.display_number} is connected to another workspace already.",
                code="phone_connected_elsewhere",
            )
        throughput = node.get("throughput") or {}
        described: dict[str, Any] = {
            "waba_id": waba.id,
            "display_number": str(node.get("display_phone_number") or ""),
            "verified_name": str(node.get("verified_name") or ""),
            "quality": str(node.get("quality_rating") or "UNKNOWN"),
            "throughput_level": str(throughput.get("level") or "STANDARD"),
            "messaging_tier": _text(node.get("whatsapp_business_manager_messaging_limit")),
            "name_status": _text(node.get("name_status")),
            "status": str(node.get("status") or "UNKNOWN"),
            "synced_at": unit.now,
        }
        if phone is None:
            phone = Phone(id=str(node["id"]), workspace_id=waba.workspace_id, **described)
            unit.session.add(phone)
            unit.session.flush()
            unit.session.add(Lane(phone_number_id=phone.id, workspace_id=waba.workspace_id))
        else:
            unit.session.add(phone.sqlmodel_update(described))
        phones.append(phone)
    unit.session.flush()
    return phones


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
