"""Contacts come into being with their first message."""

from typing import Any

from sqlalchemy import bindparam, text
from sqlmodel import col, select

from core.unit import Unit
from data.columns import to_micros
from data.enums import SuppressionKind
from data.messages import Contact, Suppression

# Made ready once: every send and every inbound message asks.
_FIND = select(Contact).where(
    col(Contact.workspace_id) == bindparam("workspace_id"), col(Contact.wa_id) == bindparam("wa_id")
)
_ADD = text(
    "INSERT INTO contact (id, workspace_id, wa_id, name, created_at) "
    "VALUES (:id, :workspace_id, :wa_id, :name, :created_at) ON CONFLICT DO NOTHING"
)


def find_or_add(unit: Unit, *, workspace_id: str, wa_id: str, name: str | None = None) -> Contact:
    """The workspace's contact with that WhatsApp id (digits, no plus); a name that is new is kept."""
    contact = find(unit, workspace_id=workspace_id, wa_id=wa_id) or add(
        unit, workspace_id=workspace_id, wa_id=wa_id, name=name
    )
    if name and contact.name != name:
        contact.name = name
        unit.session.add(contact)
    return contact


def add(unit: Unit, *, workspace_id: str, wa_id: str, name: str | None = None) -> Contact:
    """The workspace has that contact: a new one, or the one that another process was first to add."""
    new: dict[str, Any] = {
        "id": unit.new_id("con"),
        "workspace_id": workspace_id,
        "wa_id": wa_id,
        "name": name,
    }
    added = unit.session.connection().execute(_ADD, {**new, "created_at": to_micros(unit.now)})
    if added.rowcount:
        return Contact(**new, created_at=unit.now)
    contact = find(unit, workspace_id=workspace_id, wa_id=wa_id)
    if contact is None:
        raise LookupError(f"contact {wa_id}")
    return contact


def find(unit: Unit, *, workspace_id: str, wa_id: str) -> Contact | None:
    return unit.session.exec(_FIND, params={"workspace_id": workspace_id, "wa_id": wa_id}).first()


def suppress(
    unit: Unit, *, workspace_id: str, contact_id: str, kind: SuppressionKind, error_code: str, message_id: str
) -> None:
    """From now on the contact is not sent messages of that kind, until a person lifts it. Once is enough."""
    active = select(Suppression.id).where(
        col(Suppression.contact_id) == contact_id,
        col(Suppression.kind) == kind,
        col(Suppression.lifted_at).is_(None),
    )
    if unit.session.exec(active).first() is not None:
        return
    unit.session.add(
        Suppression(
            id=unit.new_id("sup"),
            workspace_id=workspace_id,
            contact_id=contact_id,
            kind=kind,
            error_code=error_code,
            message_id=message_id,
            created_at=unit.now,
        )
    )
