"""Two contacts that turn out to be one person: a changed number, or both of Meta's ids at once (B5)."""

from sqlalchemy import update
from sqlmodel import col, delete, select

from core.contacts.names import rename
from core.conversations.commands import follow_merge, hold_account
from core.unit import Unit
from data.columns import EPOCH
from data.contacts import ContactWord
from data.messages import Contact, Message, ServiceWindow, Suppression


def merge(unit: Unit, *, workspace_id: str, old: Contact, new: Contact) -> Contact:
    """The survivor: ``new``, or what it was merged into before. It has everything that was ``old``'s, and is
    found by all ids of both. Merging again changes nothing.

    *old wrote at 9:00 and is known by a number, new wrote at 8:00 and has another → new has both messages, a
    window from 9:00, its own number; the old number leads to it.*
    """
    hold_account(
        unit, workspace_id
    )  # before the contacts: whoever computes conversations locks in that order
    ends = _lock_ends(unit, {old.id, new.id})
    gone, survivor = ends[old.id], ends[new.id]
    if gone.id == survivor.id:
        return survivor
    if {gone.workspace_id, survivor.workspace_id} != {workspace_id}:
        raise LookupError(f"contacts {gone.id} and {survivor.id} are not of {workspace_id}")
    follow_merge(unit, workspace_id=workspace_id, old=gone.id, new=survivor.id)
    _move(unit, gone, survivor)
    _take_what_is_lacking(unit, gone, survivor)
    gone.merged_into = survivor.id
    unit.session.flush()
    unit.record(
        "contact.merged", f"contact:{survivor.id}", after={"from": gone.id}, workspace_id=workspace_id
    )
    return survivor


def _lock_ends(unit: Unit, ids: set[str]) -> dict[str, Contact]:
    """id → the contact that it leads to now; all of them ours until commit, in one order for everybody."""
    wanted = set(ids)
    while True:
        statement = select(Contact).where(col(Contact.id).in_(wanted)).order_by(col(Contact.id))
        unit.session.flush()
        rows = unit.session.exec(
            statement.with_for_update(), execution_options={"populate_existing": True}
        ).all()
        found = {row.id: row for row in rows}
        further = {row.merged_into for row in rows if row.merged_into} - wanted
        if not further:
            return {each: _end(found, each) for each in ids}
        wanted |= further


def _end(found: dict[str, Contact], contact_id: str) -> Contact:
    contact = found[contact_id]
    return contact if contact.merged_into is None else _end(found, contact.merged_into)


def _move(unit: Unit, gone: Contact, survivor: Contact) -> None:
    """Everything that names the one names the other. Of two windows with one phone the later inbound wins."""
    for model in (Message, Suppression):
        moved = update(model).where(col(model.contact_id) == gone.id).values(contact_id=survivor.id)
        unit.session.exec(moved)
    led = update(Contact).where(col(Contact.merged_into) == gone.id).values(merged_into=survivor.id)
    unit.session.exec(led)
    windows = unit.session.exec(
        select(ServiceWindow)
        .where(col(ServiceWindow.contact_id).in_([gone.id, survivor.id]))
        .with_for_update()
    ).all()
    kept = {window.phone_number_id: window for window in windows if window.contact_id == survivor.id}
    for window in windows:
        if window.contact_id == survivor.id:
            continue
        at = window.last_inbound_at
        mine = kept.get(window.phone_number_id) or ServiceWindow(
            phone_number_id=window.phone_number_id, contact_id=survivor.id, last_inbound_at=at
        )
        mine.last_inbound_at = max(mine.last_inbound_at, at)
        unit.session.add(mine)
        unit.session.delete(window)


def _take_what_is_lacking(unit: Unit, gone: Contact, survivor: Contact) -> None:
    """An id that the survivor does not have (it leaves one before it comes to the other), the newer name."""
    wa_id = gone.wa_id if survivor.wa_id is None else None
    user_id = gone.business_user_id if survivor.business_user_id is None else None
    name, named_at = gone.name, gone.named_at or EPOCH
    mine = (survivor.named_at or EPOCH, survivor.name or "")  # of one second the later in the alphabet
    is_newer = survivor.name is None or (named_at, name or "") > mine
    gone.name = None
    if wa_id:
        gone.wa_id = None
    if user_id:
        gone.business_user_id = None
    survivor.created_at = min(survivor.created_at, gone.created_at)
    survivor.last_activity_at = max(survivor.last_activity_at, gone.last_activity_at)
    unit.session.flush()
    survivor.wa_id = survivor.wa_id or wa_id
    survivor.business_user_id = survivor.business_user_id or user_id
    unit.session.exec(delete(ContactWord).where(col(ContactWord.contact_id) == gone.id))
    if name is not None and is_newer:
        rename(unit, survivor, name)
        survivor.named_at = gone.named_at
    unit.session.flush()
