"""Whether the stored conversations are what the messages make them (B4): all of them, computed anew."""

from collections.abc import Iterator

from sqlmodel import col, select

from core.conversations.commands import BATCH, stored_of
from core.conversations.events import events_of
from core.conversations.rules import conversation_id, windows
from core.unit import Unit
from data.messages import Contact


def verify(unit: Unit, workspace_id: str) -> list[str]:
    """One line for each phone and contact whose stored conversations differ. What is due is to be computed
    before."""
    differing = []
    for contacts in _contacts(unit, workspace_id):
        events = events_of(unit.session, contacts)
        stored = stored_of(unit, workspace_id, contacts)
        for pair in sorted(events.keys() | stored.keys()):
            before = stored.get(pair, {})
            frozen = [window for window, invoice_id in before.values() if invoice_id is not None]
            after = windows(events.get(pair, ()), frozen)
            if {key: window for key, (window, _) in before.items()} != {
                conversation_id(window.opener): window for window in after
            }:
                phone, contact = pair
                differing.append(
                    f"{contact} with {phone}: {len(before)} stored, {len(after)} computed, or not the same"
                )
    return differing


def _contacts(unit: Unit, workspace_id: str) -> Iterator[list[str]]:
    last = ""
    while True:
        statement = select(Contact.id).where(
            col(Contact.workspace_id) == workspace_id, col(Contact.id) > last
        )
        found = list(unit.session.exec(statement.order_by(col(Contact.id)).limit(BATCH)))
        if not found:
            return
        yield found
        last = found[-1]
