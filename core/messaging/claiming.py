"""Taking due work: due → claimed, then claimed → sending just before the first byte leaves (Q2)."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Row, TextClause, TextualSelect, bindparam, text
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
from data.messages import Message, ServiceWindow
from data.sending import Template

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
SELECT id, phone_number_id, contact_id, kind, payload, attempt, round, may_duplicate, expires_at,
       template_name, template_language,
       EXISTS (SELECT 1 FROM suppression
               WHERE suppression.contact_id = message.contact_id AND suppression.lifted_at IS NULL
              ) AS has_suppression
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
_OPEN_ATTEMPT = text(
    "INSERT INTO attempt (message_id, number, round, may_duplicate, claimed_at) "
    "VALUES (:id, :number, :round, :may_duplicate, :now)"
)
_TAKE_SLOTS = text("UPDATE lane SET slots = :slots WHERE phone_number_id = :phone_number_id")
_MARK = text(
    "UPDATE message SET state = 'sending', lease_until = :until "
    "WHERE (id, attempt) IN :claims AND state = 'claimed' AND lease_holder = :holder RETURNING id"
).bindparams(bindparam("claims", expanding=True))
_START = text("UPDATE attempt SET started_at = :now WHERE message_id = :id AND number = :number")


@dataclass(frozen=True, slots=True)
class Claim:
    """One message that is ours until its lease runs out. It holds an unsealed token, so it never shows it."""

    message_id: str
    phone_number_id: str
    attempt: int
    payload: dict[str, Any]
    token: str

    @property
    def body(self) -> dict[str, Any]:
        """What goes to Meta. Made by whoever calls: a payload that breaks it costs its own attempt, not the
        claim of all the others."""
        return meta_body(self.payload, message_id=self.message_id)

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
    All lanes are served by the same few statements: one a lane more would cost half the rate of a drain.
    """
    lanes = _open_lanes(unit, lock=True)
    tokens = _tokens(unit, lanes)
    served = [lane for lane in lanes if lane.waba_id in tokens]
    random.shuffle(served)  # so that no lane is always last when there is not room for all
    rows, waits_s = _due(unit, served, in_flight=in_flight, per_lane=per_lane, in_all=in_all)
    by_phone = {lane.phone_number_id: lane for lane in served}
    hopeless = _hopeless(unit, by_phone, rows)
    if hopeless:
        for message_id, code in hopeless.items():
            letters.bury(unit, message_id=message_id, error_code=code)
        rows = [row for row in rows if row.id not in hopeless]
        waits_s.append(0.0)  # the dead made no use of the room they were given
    if rows:
        _open_attempts(unit, rows, holder=holder)
        if not unit.throughput_lifted:
            _take_slots(unit, by_phone, rows)
    claims = [
        Claim(
            message_id=row.id,
            phone_number_id=row.phone_number_id,
            attempt=row.attempt + 1,
            payload=row.payload,
            token=tokens[by_phone[row.phone_number_id].waba_id],
        )
        for row in rows
    ]
    return Taken(claims, min(waits_s, default=None))


def mark_sending(unit: Unit, claims: list[Claim], *, holder: str) -> list[Claim]:
    """Those claims that are still ours, now marked as on the wire. The others' leases ran out: leave them."""
    if not claims:
        return []
    until = to_micros(unit.now + timedelta(seconds=unit.settings.lease_s))
    connection = unit.session.connection()
    found = [(claim.message_id, claim.attempt) for claim in claims]
    rows = connection.execute(_MARK, {"claims": found, "until": until, "holder": holder})
    marked = {row[0] for row in rows}
    ours = [claim for claim in claims if claim.message_id in marked]
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
    statement = _open_lanes_sql(_dialect(unit), lock=lock)
    rows = unit.session.connection().execute(statement, {"now": to_micros(unit.now)})
    return [_OpenLane(row[0], row[1], bytes(row[2]), row[3], row[4], PlanName(row[5])) for row in rows]


def _tokens(unit: Unit, lanes: list[_OpenLane]) -> dict[str, str]:
    """waba id → its token. The lanes of an account that has none are held until it is connected again."""
    tokens: dict[str, str] = {}
    for waba_id in {lane.waba_id for lane in lanes}:
        try:
            tokens[waba_id] = token_of(unit, waba_id=waba_id)
        except Conflict as error:
            for lane in lanes:
                if lane.waba_id == waba_id:
                    hold(
                        unit,
                        scope=HoldScope.LANE,
                        subject=lane.phone_number_id,
                        cause=HoldCause.TOKEN,
                        reason=error.sentence,
                        workspace_id=lane.workspace_id,
                    )
    return tokens


def _due(
    unit: Unit, lanes: list[_OpenLane], *, in_flight: Mapping[str, int], per_lane: int, in_all: int
) -> tuple[list[Row[Any]], list[float]]:
    """The due messages that there is room for, and for each lane at its limit how long until it may go on."""
    plans = plans_in_force(unit.session, at=unit.now)
    connection = unit.session.connection()
    statement = _due_sql(_dialect(unit))
    now = to_micros(unit.now)
    rows: list[Row[Any]] = []
    waits_s: list[float] = []
    for lane in lanes:
        room = min(per_lane - in_flight.get(lane.phone_number_id, 0), in_all - len(rows))
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
            wanted = {"phone_number_id": lane.phone_number_id, "now": now, "count": room}
            rows += connection.execute(statement, wanted)
    return rows, waits_s


def _hopeless(unit: Unit, lanes: Mapping[str, _OpenLane], rows: list[Row[Any]]) -> dict[str, str]:
    """message id → the code under which it is dead without a call, for those that must not be sent."""
    codes = {row.id: "expired" for row in rows if row.expires_at is not None and row.expires_at <= unit.now}
    fresh = [row for row in rows if row.id not in codes]
    if not fresh:
        return codes
    listed = {row.contact_id for row in fresh if row.has_suppression}
    kinds = suppressed(unit.session, listed) if listed else {}
    windows = _last_inbound(unit, [row for row in fresh if row.kind == MessageKind.TEXT])
    templates = _templates(unit, lanes, fresh)
    for row in fresh:
        waba_id = lanes[row.phone_number_id].waba_id
        template = templates.get((waba_id, row.template_name, row.template_language))
        if is_suppressed(kinds.get(row.contact_id, frozenset()), template):
            codes[row.id] = "recipient_suppressed"
        elif row.kind == MessageKind.TEXT:
            last = windows.get((row.phone_number_id, row.contact_id))
            if last is None or last + SERVICE_WINDOW <= unit.now:
                codes[row.id] = "window_closed"
        elif template is not None and template.status not in SENDABLE:
            codes[row.id] = "template_not_sendable"
    return codes


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


def _templates(
    unit: Unit, lanes: Mapping[str, _OpenLane], rows: list[Row[Any]]
) -> dict[tuple[str, str, str], Template]:
    """(waba, name, language) → the template."""
    names = {row.template_name for row in rows if row.template_name is not None}
    if not names:
        return {}
    accounts = {lanes[row.phone_number_id].waba_id for row in rows}
    statement = select(Template).where(col(Template.waba_id).in_(accounts), col(Template.name).in_(names))
    return {(row.waba_id, row.name, row.language): row for row in unit.session.exec(statement)}


def _open_attempts(unit: Unit, rows: list[Row[Any]], *, holder: str) -> None:
    until = to_micros(unit.now + timedelta(seconds=unit.settings.lease_s))
    now = to_micros(unit.now)
    opened = [
        {
            "id": row.id,
            "number": row.attempt + 1,
            "round": row.round,
            "may_duplicate": row.may_duplicate,
            "until": until,
            "holder": holder,
            "now": now,
        }
        for row in rows
    ]
    connection = unit.session.connection()
    connection.execute(_CLAIM, opened)
    connection.execute(_OPEN_ATTEMPT, opened)


def _take_slots(unit: Unit, lanes: Mapping[str, _OpenLane], rows: list[Row[Any]]) -> None:
    counts = Counter(row.phone_number_id for row in rows)
    taken = [
        {
            "phone_number_id": phone_number_id,
            "slots": lane_rules.take(lanes[phone_number_id].slots, count=count, now=unit.now),
        }
        for phone_number_id, count in counts.items()
    ]
    unit.session.connection().execute(_TAKE_SLOTS, taken)


def _dialect(unit: Unit) -> str:
    return unit.session.get_bind().dialect.name


@cache
def _open_lanes_sql(dialect: str, *, lock: bool) -> TextClause:
    return _worded(_OPEN_LANES, dialect, lock="FOR UPDATE OF lane SKIP LOCKED" if lock else "")


@cache
def _due_sql(dialect: str) -> TextualSelect:
    table = Message.__table__  # type: ignore[attr-defined]
    return _worded(_DUE_OF_LANE, dialect, lock="FOR UPDATE SKIP LOCKED").columns(
        payload=table.c.payload.type, expires_at=Instant, may_duplicate=table.c.may_duplicate.type
    )


def _worded(template: str, dialect: str, *, lock: str) -> TextClause:
    on_sqlite = dialect == "sqlite"  # whose one writer needs no row locks
    return text(template.format(hint=_HINTS.get(dialect, ""), lock="" if on_sqlite else lock))
