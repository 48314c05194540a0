"""The second half of an erasure: raw webhooks that name the person, some at a time."""

import json
import re

from sqlalchemy import ColumnElement, String, cast
from sqlalchemy import select as select_columns
from sqlmodel import col, select, update

from core.contacts.erase import NEEDLES_FIELD
from core.ids import first_id
from core.unit import Unit
from data.contacts import ContactErasure
from data.enums import DeliveryState
from data.inbox import Delivery, DeliveryFailure, MetaUpdate

LOOKED_INTO = 200
GONE = "Its raw text was erased with a contact."


def has_work(unit: Unit) -> bool:
    """Whether any erasure still looks for raw webhooks."""
    return unit.session.exec(select(ContactErasure.id).where(_is_open()).limit(1)).first() is not None


def clear_webhooks(unit: Unit) -> bool:
    """The next raw webhooks from before the oldest erasure that is not done were looked into; those that name
    the contact have no body any more. True while there is more to do now.

    A webhook that is not applied yet is waited for: what it says would be lost.
    """
    statement = select(ContactErasure).where(_is_open()).order_by(col(ContactErasure.id)).limit(1)
    erasure = unit.session.exec(statement.with_for_update(skip_locked=True)).first()
    if erasure is None or erasure.sealed is None:
        return False
    needles: list[str] = json.loads(
        unit.vault.open(erasure.sealed, workspace_id=erasure.workspace_id, field=NEEDLES_FIELD)
    )
    rows = unit.session.execute(
        select_columns(col(Delivery.id), col(Delivery.state), col(Delivery.body))
        .where(
            col(Delivery.workspace_id) == erasure.workspace_id,
            col(Delivery.id) > erasure.cursor,
            col(Delivery.id) < first_id("dlv", erasure.asked_at),
        )
        .order_by(col(Delivery.id))
        .limit(LOOKED_INTO)
    ).all()
    names = _naming(needles)
    hits: list[str] = []
    for delivery_id, state, body in rows:
        if state is DeliveryState.PENDING:
            _clear(unit, erasure, hits)
            return False
        erasure.cursor = delivery_id
        if body is not None and names.search(body):
            hits.append(delivery_id)
    _clear(unit, erasure, hits)
    if len(rows) == LOOKED_INTO:
        return True
    _finish(unit, erasure, needles)
    return has_work(unit)


def _is_open() -> ColumnElement[bool]:
    return col(ContactErasure.done_at).is_(None)


def _naming(needles: list[str]) -> re.Pattern[bytes]:
    """Finds any of them in a raw body; a number not within a longer one."""
    either = b"|".join(re.escape(needle.encode()) for needle in needles) or b"(?!)"
    return re.compile(rb"(?<![0-9A-Za-z])(?:" + either + rb")(?![0-9A-Za-z])")


def _clear(unit: Unit, erasure: ContactErasure, hits: list[str]) -> None:
    if hits:
        unit.session.exec(update(Delivery).where(col(Delivery.id).in_(hits)).values(body=None, error=None))
        failures = update(DeliveryFailure).where(col(DeliveryFailure.delivery_id).in_(hits))
        unit.session.exec(failures.values(reason=GONE))
        erasure.cleared += len(hits)
    unit.session.add(erasure)
    unit.session.flush()


def _finish(unit: Unit, erasure: ContactErasure, needles: list[str]) -> None:
    """What customers decided is kept by what they decided, no longer by who they are."""
    for needle in needles:  # one or two a contact
        unit.session.exec(
            update(MetaUpdate)
            .where(
                col(MetaUpdate.workspace_id) == erasure.workspace_id,
                col(MetaUpdate.field) == "user_preferences",
                cast(col(MetaUpdate.value), String).contains(f'"{needle}"', autoescape=True),
            )
            .values(value={})
        )
    erasure.sealed, erasure.cursor, erasure.done_at = None, "", unit.now
    unit.session.add(erasure)
