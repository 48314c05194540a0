"""Contacts come into being with their first message, and are found by whatever Meta knows them by (B5)."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import bindparam, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import col, select

from core.contacts.detail import load
from core.contacts.merge import merge
from core.contacts.names import rename
from core.contacts.queries import KnownContact, known
from core.errors import Conflict, Impossible, NotFound
from core.unit import Unit
from data.columns import to_micros
from data.enums import SuppressionKind
from data.messages import Contact, Suppression

# Made ready once: every inbound message asks. The lock keeps the contact from being merged away before what
# is about to be stored for it is there (PostgreSQL; SQLite has one writer).
_BY_NUMBER = (
    select(Contact)
    .where(
        col(Contact.workspace_id) == bindparam("workspace_id"), col(Contact.wa_id) == bindparam("known_by")
    )
    .with_for_update(read=True, key_share=True)
)
_BY_USER_ID = (
    select(Contact)
    .where(
        col(Contact.workspace_id) == bindparam("workspace_id"),
        col(Contact.business_user_id) == bindparam("known_by"),
    )
    .with_for_update(read=True, key_share=True)
)
_BY_ID = select(Contact).where(col(Contact.id) == bindparam("id")).with_for_update(read=True, key_share=True)
_INSERT = text(
    "INSERT INTO contact (id, workspace_id, wa_id, business_user_id, created_at, last_activity_at) "
    "VALUES (:id, :workspace_id, :wa_id, :business_user_id, :now, :now) ON CONFLICT DO NOTHING"
)
_TOUCH = text("UPDATE contact SET last_activity_at = :now WHERE id = :id AND last_activity_at < :now")


def find_or_add(
    unit: Unit,
    *,
    workspace_id: str,
    wa_id: str | None = None,
    business_user_id: str | None = None,
    name: str | None = None,
) -> Contact:
    """The contact with that WhatsApp id (digits, no plus) or business-scoped user id, new if need be. It is
    active now, and a name that is new is kept.

    Known by both ids it is one: *a contact without a number writes with its user id and, for the first time,
    with the number of another contact → the two are merged, and both ids lead to the survivor.*
    """
    if wa_id is None and business_user_id is None:
        raise ValueError("a contact is known by something")
    by_number = _known(unit, _BY_NUMBER, workspace_id, wa_id)
    by_user_id = _known(unit, _BY_USER_ID, workspace_id, business_user_id)
    contact: Contact | None = by_number or by_user_id
    if by_number and by_user_id:
        contact = merge(unit, workspace_id=workspace_id, old=by_user_id, new=by_number)
    elif contact is None:
        contact = _insert(unit, workspace_id, wa_id=wa_id, business_user_id=business_user_id)
    elif wa_id and not by_number:
        contact = _also_known_by(unit, contact, wa_id=wa_id)
    elif business_user_id and not by_user_id:
        contact = _also_known_by(unit, contact, business_user_id=business_user_id)
    if contact is None:  # another process was first to add one of the ids: now it is there
        return find_or_add(
            unit, workspace_id=workspace_id, wa_id=wa_id, business_user_id=business_user_id, name=name
        )
    rename(unit, contact, name)
    contact.last_activity_at = max(contact.last_activity_at, unit.now)
    return contact


def change_number(unit: Unit, *, workspace_id: str, old_wa_id: str, new_wa_id: str) -> Contact:
    """The contact of the old number is the contact of the new one, and is shown with the new one. Late words
    from the old number lead to it too; the same change again changes nothing."""
    new = find_or_add(unit, workspace_id=workspace_id, wa_id=new_wa_id)
    old = find_or_add(unit, workspace_id=workspace_id, wa_id=old_wa_id)
    survivor = merge(unit, workspace_id=workspace_id, old=old, new=new)
    if survivor.wa_id != new_wa_id:  # back at a number they had before, which is an alias since
        alias = unit.session.exec(
            select(Contact).where(col(Contact.workspace_id) == workspace_id, col(Contact.wa_id) == new_wa_id)
        ).one()
        alias.wa_id, left = None, survivor.wa_id
        unit.session.flush()
        survivor.wa_id = new_wa_id
        unit.session.flush()
        alias.wa_id = left
        unit.session.flush()
    return survivor


def find_or_add_all(unit: Unit, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(workspace, WhatsApp id) → the id of that contact, new or not, and active now."""
    return touch_or_add(unit, wanted, present=known(unit.session, wanted, to_keep=True))


def touch_or_add(
    unit: Unit, wanted: Collection[tuple[str, str]], *, present: Mapping[tuple[str, str], KnownContact]
) -> dict[tuple[str, str], str]:
    """(workspace, WhatsApp id) → the id of that contact, new or not, and active now. ``present``: those of
    them that there are, as ``known`` found them, to keep."""
    connection = unit.session.connection()
    now = to_micros(unit.now)
    found = {place: present[place].id for place in wanted if place in present}
    if found:
        connection.execute(_TOUCH, [{"id": contact_id, "now": now} for contact_id in sorted(found.values())])
    new: list[dict[str, Any]] = [
        {
            "id": unit.new_id("con"),
            "workspace_id": workspace_id,
            "wa_id": wa_id,
            "business_user_id": None,
            "now": now,
        }
        for workspace_id, wa_id in sorted(set(wanted) - found.keys())
    ]
    if new and connection.execute(_INSERT, new).rowcount == len(new):
        found |= {(row["workspace_id"], row["wa_id"]): row["id"] for row in new}
    elif new:  # another process was first to add one of them
        missing = set(wanted) - found.keys()
        found |= {place: one.id for place, one in known(unit.session, missing, to_keep=True).items()}
    return found


def suppress(
    unit: Unit,
    *,
    workspace_id: str,
    contact_id: str,
    kind: SuppressionKind,
    error_code: str,
    message_id: str | None = None,
) -> None:
    """From now on the contact is not sent messages of that kind, until it is lifted. Once is enough."""
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


def lift(unit: Unit, contact_id: str, suppression_id: str, *, reason: str) -> Suppression:
    """The contact may be sent such messages again, as far as this suppression goes. Conflict ``not_in_force``
    when it was lifted before."""
    unit.require("contacts.manage")
    if not reason.strip():
        raise Impossible("Say why: lifting needs a reason.", code="reason_required")
    contact = load(unit, contact_id)
    suppression = unit.find(Suppression, suppression_id, called="suppression", lock=True)
    if suppression.contact_id != contact.id:
        raise NotFound.of("suppression")
    if suppression.lifted_at is not None:
        raise Conflict("This suppression was lifted already.", code="not_in_force")
    suppression.lifted_at = unit.now
    suppression.lifted_by = unit.actor.id
    suppression.lift_reason = reason.strip()
    unit.session.add(suppression)
    unit.record(
        "suppression.lifted",
        f"contact:{contact.id}",
        before={"kind": suppression.kind.value, "because": suppression.error_code},
        after={"reason": suppression.lift_reason},
    )
    return suppression


def _known(unit: Unit, by: Any, workspace_id: str, known_by: str | None) -> Contact | None:
    """The survivor, where that id is an alias."""
    if known_by is None:
        return None
    found: Contact | None = unit.session.exec(
        by, params={"workspace_id": workspace_id, "known_by": known_by}
    ).first()
    if found is not None and found.merged_into is not None:
        found = unit.session.exec(_BY_ID, params={"id": found.merged_into}).one()
    return found


def _insert(
    unit: Unit, workspace_id: str, *, wa_id: str | None = None, business_user_id: str | None = None
) -> Contact | None:
    """A new contact; None where one of the ids is taken."""
    contact = Contact(
        id=unit.new_id("con"),
        workspace_id=workspace_id,
        wa_id=wa_id,
        business_user_id=business_user_id,
        name=None,
        created_at=unit.now,
        last_activity_at=unit.now,
        merged_into=None,
        erased_at=None,
        digest=None,
    )
    values = {name: getattr(contact, name) for name in ("id", "workspace_id", "wa_id", "business_user_id")}
    added = unit.session.connection().execute(_INSERT, {**values, "now": to_micros(unit.now)})
    if added.rowcount == 0:
        return None
    make_transient_to_detached(contact)
    unit.session.add(contact)
    return contact


def _also_known_by(
    unit: Unit, contact: Contact, *, wa_id: str | None = None, business_user_id: str | None = None
) -> Contact | None:
    """The contact, which that id leads to from now on; None where the id was taken meanwhile. Where the
    contact has another id of the kind, a row of its own leads there as an alias."""
    has_one = contact.wa_id if wa_id else contact.business_user_id
    if has_one is not None:
        alias = _insert(unit, contact.workspace_id, wa_id=wa_id, business_user_id=business_user_id)
        if alias is None:
            return None
        alias.merged_into = contact.id
        return contact
    kind = "wa_id" if wa_id else "business_user_id"
    known_by = wa_id or business_user_id
    connection = unit.session.connection()
    try:
        with connection.begin_nested():
            connection.execute(update(Contact).where(col(Contact.id) == contact.id).values({kind: known_by}))
    except IntegrityError:
        return None
    set_committed_value(contact, kind, known_by)
    return contact
