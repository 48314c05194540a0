"""Lists of webhooks: narrowed, counted, newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlmodel import col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from core.errors import Malformed
from core.ids import first_id
from core.unit import Unit
from data.enums import DeliveryState
from data.inbox import Delivery

COUNT_TO = 10_000
# What a row shows, in the order of its fields: never the raw body, which may be three megabytes long.
SHOWN: tuple[Any, ...] = (
    col(Delivery.id),
    col(Delivery.received_at),
    col(Delivery.phone_number_id),
    col(Delivery.size),
    col(Delivery.state),
    col(Delivery.attempts),
    col(Delivery.applied_at),
    col(Delivery.updates),
    col(Delivery.failures),
    col(Delivery.error),
    col(Delivery.body).is_not(None).label("is_raw"),
)


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """What a list of deliveries is narrowed to; None does not narrow."""

    state: DeliveryState | None = None
    phone_number_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery. ``updates`` and ``failures`` of the last time that it was applied; ``error``: the first
    reason. ``is_raw``: its raw body is still there."""

    id: str
    received_at: datetime
    phone_number_id: str | None
    size: int
    state: DeliveryState
    attempts: int
    applied_at: datetime | None
    updates: int
    failures: int
    error: str | None
    is_raw: bool
    can_replay: bool


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Newest first. ``next_cursor`` is the id to go on after; None at the end."""

    rows: list[DeliveryRow]
    next_cursor: str | None


def deliveries(
    unit: Unit, wanted: DeliveryFilter, *, cursor: str | None = None, limit: int = 50
) -> DeliveryPage:
    """A page of them, newest first."""
    unit.require("webhooks.view")
    if not 1 <= limit <= 200:
        raise Malformed.field("limit", "must be from 1 to 200")
    statement = narrow(unit, wanted).order_by(col(Delivery.id).desc())
    if cursor is not None:
        statement = statement.where(col(Delivery.id) < cursor)
    found = unit.session.execute(statement.with_only_columns(*SHOWN).limit(limit + 1)).all()
    rows = [delivery_row(unit, one) for one in found[:limit]]
    return DeliveryPage(rows, rows[-1].id if len(found) > limit else None)


def count_deliveries(unit: Unit, wanted: DeliveryFilter, *, at_most: int = COUNT_TO) -> int:
    """How many match, counted no further than ``at_most`` and one."""
    unit.require("webhooks.view")
    return count_matching(unit, wanted, at_most=at_most + 1)


def narrow(unit: Unit, wanted: DeliveryFilter) -> SelectOfScalar[Delivery]:
    """Ids sort by arrival, so a range of time is a range of ids."""
    if wanted.since is not None and wanted.until is not None and wanted.until <= wanted.since:
        raise Malformed.field("until", "must be after from")
    statement = unit.scoped(Delivery)
    if wanted.state is not None:
        statement = statement.where(col(Delivery.state) == wanted.state)
    if wanted.phone_number_id is not None:
        statement = statement.where(col(Delivery.phone_number_id) == wanted.phone_number_id)
    if wanted.since is not None:
        statement = statement.where(col(Delivery.id) >= first_id("dlv", wanted.since))
    if wanted.until is not None:
        statement = statement.where(col(Delivery.id) < first_id("dlv", wanted.until))
    return statement


def count_matching(unit: Unit, wanted: DeliveryFilter, *, at_most: int | None = None) -> int:
    """How many match, counted no further than ``at_most``."""
    matching = narrow(unit, wanted).with_only_columns(col(Delivery.id)).limit(at_most).subquery()
    return unit.session.exec(select(func.count()).select_from(matching)).one()


def first_shown(unit: Unit, statement: SelectOfScalar[Delivery]) -> Row[Any] | None:
    """What is shown of the first of them."""
    return unit.session.execute(statement.with_only_columns(*SHOWN).limit(1)).first()


def delivery_row(unit: Unit, found: Row[Any]) -> DeliveryRow:
    """From the columns of ``SHOWN``."""
    can_replay = (
        found.is_raw and found.state is not DeliveryState.PENDING and unit.actor.can("webhooks.replay")
    )
    return DeliveryRow(**found._mapping, can_replay=can_replay)
