"""Contacts come into being with their first message."""

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.unit import Unit
from data.enums import SuppressionKind
from data.messages import Contact, Suppression


def find_or_add(unit: Unit, *, workspace_id: str, wa_id: str, name: str | None = None) -> Contact:
    """The workspace's contact with that WhatsApp id (digits, no plus); a name that is new is kept."""
    contact = _find(unit.session, workspace_id, wa_id)
    if contact is None:
        contact = Contact(
            id=unit.new_id("con"), workspace_id=workspace_id, wa_id=wa_id, name=name, created_at=unit.now
        )
        try:
            with unit.session.begin_nested():
                unit.session.add(contact)
        except IntegrityError:  # another process was first
            found = _find(unit.session, workspace_id, wa_id)
            if found is None:
                raise
            contact = found
    if name and contact.name != name:
        contact.name = name
        unit.session.add(contact)
    return contact


def _find(session: Session, workspace_id: str, wa_id: str) -> Contact | None:
    statement = select(Contact).where(col(Contact.workspace_id) == workspace_id, col(Contact.wa_id) == wa_id)
    return session.exec(statement).first()


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
