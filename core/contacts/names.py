"""What a contact is called, and the words under which it is found."""

from sqlmodel import col, delete, insert

from core.unit import Unit
from data.contacts import ContactWord, words_of
from data.messages import Contact


def rename(unit: Unit, contact: Contact, name: str | None) -> None:
    """The contact has that name and is found by its words; None, or the name it has, changes nothing."""
    if not name or contact.name == name:
        return
    contact.name = name
    unit.session.flush()
    unit.session.exec(delete(ContactWord).where(col(ContactWord.contact_id) == contact.id))
    words = [
        {"contact_id": contact.id, "word": word, "workspace_id": contact.workspace_id}
        for word in words_of(name)
    ]
    if words:
        unit.session.exec(insert(ContactWord), params=words)
