"""What is due and must not go now: it dies, waits for its template, or for its pair (Q5, Q8, T4, B7)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, TextClause, text
from sqlmodel import col, select

from core.billing.limits import beyond
from core.contacts.queries import SERVICE_WINDOW, suppressed
from core.messaging import letters, pairs, parking
from core.messaging.checks import is_suppressed
from core.templates.rules import PARKED, PAUSED, SENDABLE
from core.unit import Unit
from data.columns import to_micros
from data.enums import HoldScope, MessageKind
from data.messages import ServiceWindow
from data.sending import Hold, Template

# What is set aside takes its like with it: a million of them must not stand before the rest of the lane.
TOGETHER = 500

_NEXT_DUE = """
SELECT id FROM (
    SELECT id, contact_id, template_name, template_language FROM message {hint}
    WHERE phone_number_id = :phone_number_id
      AND state IN ('queued', 'retry_queued') AND due_at <= :now AND expires_at > :now
    ORDER BY due_at, id LIMIT :together {lock}
) AS due WHERE {like}
"""
_PARK = "UPDATE message SET waiting_for = 'template', due_at = expires_at WHERE id IN ({next_due})"
_PUT_OFF = (
    "UPDATE message SET waiting_for = 'throughput', "
    "due_at = CASE WHEN expires_at < :until THEN expires_at ELSE :until END WHERE id IN ({next_due})"
)
_OF_TEMPLATE = "template_name = :name AND template_language = :language"
_OF_CONTACT = "contact_id = :contact_id"
_PARKED_NO_MORE = text(
    "SELECT template.waba_id, template.name, template.language FROM template "
    "WHERE template.status NOT IN ('PAUSED', 'PENDING') "
    "AND NOT EXISTS (SELECT 1 FROM hold WHERE hold.scope = 'template' AND hold.subject = template.id "
    "AND hold.released_at IS NULL) "
    "AND EXISTS (SELECT 1 FROM phone JOIN message ON message.waiting_for = 'template' "
    "AND message.template_name = template.name AND message.template_language = template.language "
    "AND message.phone_number_id = phone.id WHERE phone.waba_id = template.waba_id)"
)
_UNPARK = text(
    "UPDATE message SET waiting_for = NULL, due_at = :now WHERE id IN ("
    "SELECT message.id FROM phone JOIN message ON message.waiting_for = 'template' "
    "AND message.template_name = :name AND message.template_language = :language "
    "AND message.phone_number_id = phone.id WHERE phone.waba_id = :waba_id "
    "AND message.state IN ('queued', 'retry_queued') ORDER BY message.id LIMIT :together)"
)


def set_aside(unit: Unit, wabas: Mapping[str, str], rows: list[Row[Any]]) -> set[str]:
    """The ids of those that do not go; what becomes of them is written. ``wabas``: phone → its account."""
    dead = {row.id: "expired" for row in rows if row.expires_at is not None and row.expires_at <= unit.now}
    fresh = [row for row in rows if row.id not in dead]
    if fresh:
        templates = _templates(unit, set(wabas.values()), fresh)
        dead |= _hopeless(unit, wabas, fresh, templates)
    _bury(unit, dead)
    waiting = _wait(unit, wabas, [row for row in fresh if row.id not in dead], templates) if fresh else set()
    going = [row for row in fresh if row.id not in dead and row.id not in waiting]
    too_many = beyond(unit, [(row.id, row.phone_number_id, row.contact_id) for row in going])
    _bury(unit, too_many)
    return dead.keys() | waiting | too_many.keys()


def _bury(unit: Unit, dead: Mapping[str, str]) -> None:
    for message_id, code in dead.items():
        letters.bury(unit, message_id=message_id, error_code=code)


def has_parked_no_more(unit: Unit) -> bool:
    """Whether messages wait for a template that need not be waited for any more."""
    return unit.session.connection().execute(_PARKED_NO_MORE).first() is not None


def unpark(unit: Unit) -> int:
    """Messages whose template may be sent again, or never will, are due in the order in which they came;
    returns how many. Call until it is 0."""
    connection = unit.session.connection()
    count = 0
    for waba_id, name, language in connection.execute(_PARKED_NO_MORE).all():
        values = {"waba_id": waba_id, "name": name, "language": language}
        parking.tell_unparked(unit, **values)
        freed = connection.execute(_UNPARK, values | {"now": to_micros(unit.now), "together": TOGETHER})
        count += freed.rowcount
    if count:
        unit.ring()
    return count


Templates = Mapping[tuple[str, str, str], tuple[Template, bool]]


def _hopeless(
    unit: Unit, wabas: Mapping[str, str], rows: list[Row[Any]], templates: Templates
) -> dict[str, str]:
    """message id → the code under which it is dead without a call, for those that must not be sent."""
    codes: dict[str, str] = {}
    listed = {row.contact_id for row in rows if row.has_suppression}
    kinds = suppressed(unit.session, listed) if listed else {}
    windows = _last_inbound(unit, [row for row in rows if row.kind == MessageKind.TEXT])
    for row in rows:
        template, _ = _template_of(wabas, row, templates)
        if is_suppressed(kinds.get(row.contact_id, frozenset()), template):
            codes[row.id] = "recipient_suppressed"
        elif row.kind == MessageKind.TEXT:
            last = windows.get((row.phone_number_id, row.contact_id))
            if last is None or last + SERVICE_WINDOW <= unit.now:
                codes[row.id] = "window_closed"
        elif template is not None and template.status not in SENDABLE | PARKED:
            codes[row.id] = "template_not_sendable"
    return codes


def _wait(unit: Unit, wabas: Mapping[str, str], rows: list[Row[Any]], templates: Templates) -> set[str]:
    """The ids of those that go later; they and their like are due later."""
    waiting: set[str] = set()
    parked: set[tuple[str, str, str]] = set()
    paused: dict[str, Template] = {}
    late: dict[pairs.Pair, datetime] = {}
    owed: dict[pairs.Pair, datetime] = {}
    for row in rows:
        template, is_held = _template_of(wabas, row, templates)
        pair = (row.phone_number_id, row.contact_id)
        if template is not None and (is_held or template.status in PARKED):
            parked.add((row.phone_number_id, row.template_name, row.template_language))
            if template.status == PAUSED:
                paused[template.id] = template
            waiting.add(row.id)
            continue
        may_go_at = row.pair_until if row.pair_until is not None else unit.now
        if unit.settings.waypost_pair_limit:
            owes = owed.get(pair, row.owed_until)
            may_go_at = max(may_go_at, pairs.may_go_at(owes, now=unit.now))
        if may_go_at > unit.now:
            late[pair] = may_go_at
            waiting.add(row.id)
        elif unit.settings.waypost_pair_limit:
            owed[pair] = pairs.owed_after(owes, now=unit.now)
    for template_id in sorted(paused):
        parking.tell_parked(unit, paused[template_id])
    pairs.write_owed(unit, owed.items())
    _set_due_later(unit, parked, late)
    return waiting


def _set_due_later(
    unit: Unit, parked: Iterable[tuple[str, str, str]], late: Mapping[pairs.Pair, datetime]
) -> None:
    connection = unit.session.connection()
    dialect = unit.session.get_bind().dialect.name
    common = {"now": to_micros(unit.now), "together": TOGETHER}
    for phone_number_id, name, language in parked:
        values = {"phone_number_id": phone_number_id, "name": name, "language": language}
        connection.execute(_worded(_PARK, _OF_TEMPLATE, dialect), common | values)
    for (phone_number_id, contact_id), until in late.items():
        later = {"phone_number_id": phone_number_id, "contact_id": contact_id, "until": to_micros(until)}
        connection.execute(_worded(_PUT_OFF, _OF_CONTACT, dialect), common | later)


def _template_of(
    wabas: Mapping[str, str], row: Row[Any], templates: Templates
) -> tuple[Template | None, bool]:
    key = (wabas[row.phone_number_id], row.template_name, row.template_language)
    return templates.get(key, (None, False))


def _last_inbound(unit: Unit, rows: list[Row[Any]]) -> dict[tuple[str, str], datetime]:
    """(phone, contact) → when that customer last wrote there."""
    if not rows:
        return {}
    statement = select(
        ServiceWindow.phone_number_id, ServiceWindow.contact_id, ServiceWindow.last_inbound_at
    ).where(
        col(ServiceWindow.phone_number_id).in_({row.phone_number_id for row in rows}),
        col(ServiceWindow.contact_id).in_({row.contact_id for row in rows}),
    )
    return {(row[0], row[1]): row[2] for row in unit.session.exec(statement)}


def _templates(unit: Unit, accounts: set[str], rows: list[Row[Any]]) -> Templates:
    """(waba, name, language) → the template, and whether it is held."""
    names = {row.template_name for row in rows if row.template_name is not None}
    if not names:
        return {}
    is_held = (
        select(Hold.id)
        .where(
            col(Hold.scope) == HoldScope.TEMPLATE,
            col(Hold.subject) == col(Template.id),
            col(Hold.released_at).is_(None),
        )
        .exists()
    )
    statement = select(Template, is_held).where(
        col(Template.waba_id).in_(accounts), col(Template.name).in_(names)
    )
    return {
        (row.waba_id, row.name, row.language): (row, bool(held)) for row, held in unit.session.exec(statement)
    }


@cache
def _worded(change: str, like: str, dialect: str) -> TextClause:
    on_sqlite = dialect == "sqlite"
    next_due = _NEXT_DUE.format(
        hint="INDEXED BY ix_message_due" if on_sqlite else "",
        lock="" if on_sqlite else "FOR UPDATE SKIP LOCKED",
        like=like,
    )
    return text(change.format(next_due=next_due))
