"""Taking due work: due → claimed, then claimed → sending just before the first byte leaves (Q2)."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, TextClause, bindparam, text
from sqlmodel import col, select

from core.billing.plans import plans_in_force
from core.contacts.queries import SERVICE_WINDOW, suppressed
from core.errors import Conflict
from core.lanes import rules as lane_rules
from core.lanes.commands import hold
from core.messaging import letters
from core.messaging.checks import is_suppressed
from core.messaging.requests import meta_body
from core.phones.queries import token_of
from core.templates.rules import SENDABLE
from core.unit import Unit
from data.columns import Instant, to_micros
from data.enums import HoldCause, HoldScope, MessageKind, PlanName
from data.messages import Attempt, Message, ServiceWindow
from data.sending import Lane, Template

# SQLite would sort the whole backlog for each claim if it chose another index.
_HINTS = {"sqlite": "INDEXED BY ix_message_due"}

_OPEN_LANES = """
SELECT lane.phone_number_id, lane.workspace_id, lane.slots, phone.waba_id, phone.throughput_level,
       workspace.plan
FROM lane
JOIN phone ON phone.id = lane.phone_number_id
JOIN workspace ON workspace.id = lane.workspace_id
WHERE EXISTS (
    SELECT 1 FROM message {hint}
    WHERE message.phone_number_id = lane.phone_number_id
      AND message.state IN ('queued', 'retry_queued') AND message.due_at <= :now)
AND NOT EXISTS (
    SELECT 1 FROM hold
    WHERE hold.released_at IS NULL
      AND ((hold.scope = 'lane' AND hold.subject = lane.phone_number_id)
        OR (hold.scope = 'workspace' AND hold.subject = lane.workspace_id)
        OR hold.scope = 'everything'))
{lock}
"""

_DUE_OF_LANE = """
SELECT id, contact_id, kind, payload, attempt, round, may_duplicate, expires_at, template_name,
       template_language
FROM message {hint}
WHERE phone_number_id = :phone_number_id
  AND state IN ('queued', 'retry_queued') AND due_at <= :now
ORDER BY due_at, id
LIMIT :count
{lock}
"""

_CLAIM = text(
    "UPDATE message SET state = 'claimed', waiting_for = NULL, attempt = :number, lease_until = :until, "
    "lease_holder = :holder WHERE id = :id"
)
_MARK = text(
    "UPDATE message SET state = 'sending', lease_until = :until "
    "WHERE id IN :ids AND state = 'claimed' AND lease_holder = :holder RETURNING id, attempt"
).bindparams(bindparam("ids", expanding=True))
_START = text("UPDATE attempt SET started_at = :now WHERE message_id = :id AND number = :number")


@dataclass(frozen=True, slots=True)
class Claim:
    """One message that is ours until its lease runs out. It holds an unsealed token, so it never shows it."""

    message_id: str
    phone_number_id: str
    attempt: int
    body: dict[str, Any]
    token: str

    def __repr__(self) -> str:
        return f"Claim({self.message_id}, attempt {self.attempt})"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a claim took. ``again_in_s``: when to ask again, such as when a lane's slots are free; None when
    the next call that comes back is soon enough."""

    claims: list[Claim]
    again_in_s: float | None = None


NOTHING = Taken([])


@dataclass(frozen=True, slots=True)
class _OpenLane:
    phone_number_id: str
    workspace_id: str
    slots: bytes
    waba_id: str
    throughput_level: str
    plan: PlanName


def claim(unit: Unit, *, holder: str, in_flight: Mapping[str, int], per_lane: int, in_all: int) -> Taken:
    """Up to ``in_all`` due messages, at most ``per_lane`` less ``in_flight`` of each open lane and within its
    throughput, oldest due first; each with a new attempt and a lease.

    What must not be sent any more (too old, window closed, opted out, template gone) dies here instead.
    """
    lanes = _open_lanes(unit, lock=True)
    random.shuffle(lanes)  # so that no lane is always last when there is not room for all
    plans = plans_in_force(unit.session, at=unit.now)
    claims: list[Claim] = []
    waits_s: list[float] = []
    for lane in lanes:
        room = min(per_lane - in_flight.get(lane.phone_number_id, 0), in_all - len(claims))
        if not unit.throughput_lifted:
            limit = lane_rules.limit_per_second(
                plan_limit=plans[lane.plan].messages_per_second, level=lane.throughput_level
            )
            free = lane_rules.free(lane.slots, limit=limit, now=unit.now)
            if free < room:
                free_at = lane_rules.next_free_at(lane.slots, limit=limit, now=unit.now)
                waits_s.append(max(0.0, (free_at - unit.now).total_seconds()))
            room = min(room, free)
        if room > 0:
            taken = _claim_of_lane(unit, lane, count=room, holder=holder)
            claims += taken.claims
            if taken.again_in_s is not None:
                waits_s.append(taken.again_in_s)
    return Taken(claims, min(waits_s, default=None))


def mark_sending(unit: Unit, claims: list[Claim], *, holder: str) -> list[Claim]:
    """Those claims that are still ours, now marked as on the wire. The others' leases ran out: leave them."""
    until = to_micros(unit.now + timedelta(seconds=unit.settings.lease_s))
    connection = unit.session.connection()
    rows = connection.execute(
        _MARK, {"ids": [claim.message_id for claim in claims], "until": until, "holder": holder}
    )
    marked = {(row[0], row[1]) for row in rows}
    ours = [claim for claim in claims if (claim.message_id, claim.attempt) in marked]
    if ours:
        now = to_micros(unit.now)
        connection.execute(
            _START, [{"now": now, "id": claim.message_id, "number": claim.attempt} for claim in ours]
        )
    return ours


def has_due(unit: Unit) -> bool:
    """Whether any open lane has due work: what the sweep asks every second."""
    return bool(_open_lanes(unit, lock=False))


def _open_lanes(unit: Unit, *, lock: bool) -> list[_OpenLane]:
    statement = _sql(unit, _OPEN_LANES, lock="FOR UPDATE OF lane SKIP LOCKED" if lock else "")
    rows = unit.session.connection().execute(statement, {"now": to_micros(unit.now)})
    return [_OpenLane(row[0], row[1], bytes(row[2]), row[3], row[4], PlanName(row[5])) for row in rows]


def _claim_of_lane(unit: Unit, lane: _OpenLane, *, count: int, holder: str) -> Taken:
    try:
        token = token_of(unit, waba_id=lane.waba_id)
    except Conflict as error:  # nothing can be sent from here until the account is connected again
        hold(
            unit,
            scope=HoldScope.LANE,
            subject=lane.phone_number_id,
            cause=HoldCause.TOKEN,
            reason=error.sentence,
            workspace_id=lane.workspace_id,
        )
        return NOTHING
    table = Message.__table__  # type: ignore[attr-defined]
    statement = _sql(unit, _DUE_OF_LANE, lock="FOR UPDATE SKIP LOCKED").columns(
        payload=table.c.payload.type, expires_at=Instant, may_duplicate=table.c.may_duplicate.type
    )
    found = {"phone_number_id": lane.phone_number_id, "now": to_micros(unit.now), "count": count}
    rows = unit.session.connection().execute(statement, found).all()
    hopeless = _hopeless(unit, lane, rows)
    for row in rows:
        if row.id in hopeless:
            letters.bury(unit, message_id=row.id, error_code=hopeless[row.id])
    living = [row for row in rows if row.id not in hopeless]
    again_in_s = 0.0 if hopeless else None  # those made no use of the room they were given
    if not living:
        return Taken([], again_in_s)
    _open_attempts(unit, living, holder=holder)
    if not unit.throughput_lifted:
        slots = lane_rules.take(lane.slots, count=len(living), now=unit.now)
        unit.session.connection().execute(
            Lane.__table__.update()  # type: ignore[attr-defined]
            .where(col(Lane.phone_number_id) == lane.phone_number_id)
            .values(slots=slots)
        )
    claims = [
        Claim(
            message_id=row.id,
            phone_number_id=lane.phone_number_id,
            attempt=row.attempt + 1,
            body=meta_body(row.payload, message_id=row.id),
            token=token,
        )
        for row in living
    ]
    return Taken(claims, again_in_s)


def _hopeless(unit: Unit, lane: _OpenLane, rows: Iterable[Row[Any]]) -> dict[str, str]:
    """message id → the code under which it is dead without a call, for those that must not be sent."""
    codes: dict[str, str] = {}
    fresh = []
    for row in rows:
        if row.expires_at is not None and row.expires_at <= unit.now:
            codes[row.id] = "expired"
        else:
            fresh.append(row)
    if not fresh:
        return codes
    kinds = suppressed(unit.session, {row.contact_id for row in fresh})
    windows = _last_inbound(unit, lane, {row.contact_id for row in fresh if row.kind == MessageKind.TEXT})
    templates = _templates(unit, lane, {(row.template_name, row.template_language) for row in fresh})
    for row in fresh:
        template = templates.get((row.template_name, row.template_language))
        if is_suppressed(kinds.get(row.contact_id, frozenset()), template):
            codes[row.id] = "recipient_suppressed"
        elif row.kind == MessageKind.TEXT:
            last = windows.get(row.contact_id)
            if last is None or last + SERVICE_WINDOW <= unit.now:
                codes[row.id] = "window_closed"
        elif template is not None and template.status not in SENDABLE:
            codes[row.id] = "template_not_sendable"
    return codes


def _last_inbound(unit: Unit, lane: _OpenLane, contact_ids: set[str]) -> dict[str, datetime]:
    if not contact_ids:
        return {}
    statement = select(ServiceWindow).where(
        col(ServiceWindow.phone_number_id) == lane.phone_number_id,
        col(ServiceWindow.contact_id).in_(contact_ids),
    )
    return {row.contact_id: row.last_inbound_at for row in unit.session.exec(statement)}


def _templates(
    unit: Unit, lane: _OpenLane, wanted: set[tuple[str | None, str | None]]
) -> dict[tuple[str | None, str | None], Template]:
    names = {name for name, _ in wanted if name is not None}
    if not names:
        return {}
    statement = select(Template).where(col(Template.waba_id) == lane.waba_id, col(Template.name).in_(names))
    return {(row.name, row.language): row for row in unit.session.exec(statement)}


def _open_attempts(unit: Unit, rows: list[Row[Any]], *, holder: str) -> None:
    until = to_micros(unit.now + timedelta(seconds=unit.settings.lease_s))
    connection = unit.session.connection()
    connection.execute(
        _CLAIM,
        [{"id": row.id, "number": row.attempt + 1, "until": until, "holder": holder} for row in rows],
    )
    connection.execute(
        Attempt.__table__.insert(),  # type: ignore[attr-defined]
        [
            {
                "message_id": row.id,
                "number": row.attempt + 1,
                "round": row.round,
                "may_duplicate": bool(row.may_duplicate),
                "claimed_at": unit.now,
            }
            for row in rows
        ],
    )


def _sql(unit: Unit, template: str, *, lock: str) -> TextClause:
    dialect = unit.session.get_bind().dialect.name
    on_sqlite = dialect == "sqlite"  # whose one writer needs no row locks
    return text(template.format(hint=_HINTS.get(dialect, ""), lock="" if on_sqlite else lock))
