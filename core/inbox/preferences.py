"""What customers decide about marketing, in WhatsApp itself (``user_preferences``)."""

from sqlmodel import col, select

from core.contacts.commands import find_or_add
from core.inbox.updates import Preference
from core.unit import Unit
from data.enums import SuppressionKind
from data.messages import Contact, Suppression

OPTED_OUT = "opted_out"
# Meta's refusal of a send to someone who opted out says the same as their decision.
_SAYS_SO_TOO = "meta_131050"
BY_CUSTOMER = "customer"


def take_preference(unit: Unit, preference: Preference, *, workspace_id: str) -> None:
    """``stop`` suppresses marketing to the contact, ``resume`` lifts what a stop suppressed; of two the later
    counts, in whatever order they arrive. Other words and categories have no effect.

    *stop at 10:00, resume at 11:00 → lifted; resume first to arrive, then the stop → lifted all the same.*
    """
    if not preference.category.startswith("marketing") or preference.value not in ("stop", "resume"):
        return
    contact = find_or_add(
        unit, workspace_id=workspace_id, wa_id=preference.wa_id, business_user_id=preference.user_id
    )
    unit.session.flush()
    row = unit.session.exec(
        select(Suppression)
        .where(col(Suppression.contact_id) == contact.id, col(Suppression.error_code) == OPTED_OUT)
        .order_by(col(Suppression.created_at).desc(), col(Suppression.id).desc())
        .with_for_update()
    ).first()
    row = row or _blank(unit, contact, preference)
    (_stop if preference.value == "stop" else _resume)(row, preference)
    unit.session.add(row)
    if preference.value == "resume":
        _lift_refusals(unit, contact, preference)
    unit.session.flush()


def fold_decisions(unit: Unit, contact_id: str) -> None:
    """Of a contact that was two, the decisions are one again: the latest stop and the latest resume."""
    unit.session.flush()
    rows = unit.session.exec(
        select(Suppression)
        .where(col(Suppression.contact_id) == contact_id, col(Suppression.error_code) == OPTED_OUT)
        .order_by(col(Suppression.id))
        .with_for_update()
    ).all()
    if len(rows) < 2:
        return
    kept, *others = rows
    resumed = max((row.lifted_at for row in rows if row.lifted_at is not None), default=None)
    stopped = max((row.created_at for row in rows if row.created_at != row.lifted_at), default=None)
    if stopped is not None and (resumed is None or stopped >= resumed):
        kept.created_at, kept.lifted_at, kept.lifted_by = stopped, None, None
    elif resumed is not None:
        kept.created_at, kept.lifted_at, kept.lifted_by = stopped or resumed, resumed, BY_CUSTOMER
    unit.session.add(kept)
    for row in others:
        unit.session.delete(row)
    unit.session.flush()


def _blank(unit: Unit, contact: Contact, preference: Preference) -> Suppression:
    """As lifted at that moment: nothing is known before it."""
    return Suppression(
        id=unit.new_id("sup"),
        workspace_id=contact.workspace_id,
        contact_id=contact.id,
        kind=SuppressionKind.MARKETING,
        error_code=OPTED_OUT,
        created_at=preference.at,
        lifted_at=preference.at,
        lifted_by=BY_CUSTOMER,
    )


def _stop(row: Suppression, preference: Preference) -> None:
    if row.lifted_at is None or preference.at >= row.lifted_at:
        row.created_at = max(row.created_at, preference.at)
        row.lifted_at = None
        row.lifted_by = None
    elif row.created_at == row.lifted_at:  # the resume came first
        row.created_at = preference.at
    else:
        row.created_at = max(row.created_at, preference.at)


def _resume(row: Suppression, preference: Preference) -> None:
    if preference.at <= (row.lifted_at or row.created_at):
        return
    if row.created_at == row.lifted_at:
        row.created_at = preference.at
    row.lifted_at = preference.at
    row.lifted_by = BY_CUSTOMER


def _lift_refusals(unit: Unit, contact: Contact, preference: Preference) -> None:
    refusals = unit.session.exec(
        select(Suppression).where(
            col(Suppression.contact_id) == contact.id,
            col(Suppression.error_code) == _SAYS_SO_TOO,
            col(Suppression.lifted_at).is_(None),
            col(Suppression.created_at) <= preference.at,
        )
    )
    for row in refusals:
        row.lifted_at = preference.at
        row.lifted_by = BY_CUSTOMER
        unit.session.add(row)
