"""Conversations in words, and what the address of their list asks for."""

from collections.abc import Mapping
from datetime import date

from core.billing.charges import Charge, ChargedFilter, ChargedRow
from core.billing.money import exact
from core.conversations.queries import ConversationFilter, ConversationRow, ConversationStatus
from data.enums import OpenedBy
from ui.parts.badge import Word
from ui.parts.table import Cell, badge_cell, text_cell

STATUS: dict[ConversationStatus, Word] = {
    ConversationStatus.ACTIVE: ("Active", "green"),
    ConversationStatus.CLOSED: ("Closed", "grey"),
}
OPENERS = {OpenedBy.CUSTOMER: "The customer", OpenedBy.BUSINESS: "You"}
CHARGES: dict[Charge, Word] = {
    Charge.INCLUDED: ("Included", "grey"),
    Charge.BILLED: ("Billed", "amber"),
    Charge.FREE: ("Not charged", "grey"),
    Charge.LOST: ("Not owed", "grey"),
}


def asked_for(query: Mapping[str, str]) -> ChargedFilter:
    """What an address narrows the list to; what it says in no way that we know does not narrow."""
    asked = query.get
    status, opened_by, charge = asked("status"), asked("by"), asked("charge")
    return ChargedFilter(
        ConversationFilter(
            status=ConversationStatus(status) if status in set(ConversationStatus) else None,
            contact=asked("contact") or None,
            phone_number_id=asked("phone") or None,
            opened_by=OpenedBy(opened_by) if opened_by in set(OpenedBy) else None,
        ),
        month=asked("month") or None,
        day=_day(asked("day", "")),
        charge=Charge(charge) if charge in set(Charge) else None,
    )


def who(row: ConversationRow) -> tuple[str, str]:
    """The person's name and number; the number alone where there is no name, or it is not shown."""
    return (row.contact_name, row.contact_pretty) if row.contact_name else (row.contact_pretty, "")


def charge_cell(found: ChargedRow) -> Cell:
    if found.charge is None:
        return text_cell("")
    sub = f"{exact(found.amount_micros)} USD" if found.charge is Charge.BILLED else ""
    return badge_cell(CHARGES[found.charge], sub)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
