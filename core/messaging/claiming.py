"""Taking due work: due → claimed, then claimed → sending just before the first byte leaves (Q2)."""

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Row, String, TextClause, TextualSelect, bindparam, text

from core.errors import Conflict
from core.lanes import rules as lane_rules
from core.lanes.holding import hold, probe_after
from core.lanes.outages import due_probes
from core.lanes.pace import PhonePace, limits_now
from core.lanes.rules import Allotted
from core.messaging.aside import set_aside
from core.messaging.redrive_pace import keep_pace
from core.messaging.requests import meta_body
from core.phones.queries import token_of
from core.unit import Unit
from data.columns import Instant, to_micros
from data.engine import Keyed
from data.enums import HoldCause, HoldScope, PlanName
from data.messages import Message

# SQLite would sort the whole backlog for each claim if it chose another index.
_HINTS = {"sqlite": "INDEXED BY ix_message_due"}

_OPEN_LANES = """
SELECT lane.phone_number_id, lane.workspace_id, lane.slots, phone.waba_id, phone.throughput_level,
       phone.own_limit, workspace.plan
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
_TO_PROBE = """
SELECT lane.phone_number_id, lane.workspace_id, lane.slots, phone.waba_id, phone.throughput_level,
       phone.own_limit, workspace.plan
FROM lane
JOIN phone ON phone.id = lane.phone_number_id
JOIN workspace ON workspace.id = lane.workspace_id
JOIN (SELECT phone_number_id, MIN(due_at) AS due_at FROM message {hint}
      WHERE state IN ('queued', 'retry_queued') AND due_at <= :now GROUP BY phone_number_id
     ) AS oldest ON oldest.phone_number_id = lane.phone_number_id
WHERE lane.phone_number_id = COALESCE(:phone_number_id, lane.phone_number_id)
AND NOT EXISTS (
    SELECT 1 FROM hold
    WHERE hold.released_at IS NULL AND hold.cause <> 'meta'
      AND ((hold.scope = 'lane' AND hold.subject = lane.phone_number_id)
        OR (hold.scope = 'workspace' AND hold.subject = lane.workspace_id)
        OR hold.scope = 'everything'))
ORDER BY oldest.due_at
LIMIT 1
{lock}
"""

_DUE_OF_LANE = """
SELECT id, phone_number_id, contact_id, kind, payload, attempt, round, may_duplicate, expires_at,
       template_name, template_language, redrive_id,
       EXISTS (SELECT 1 FROM suppression
               WHERE suppression.contact_id = message.contact_id AND suppression.lifted_at IS NULL
              ) AS has_suppression,
       (SELECT until FROM pair_limit
        WHERE pair_limit.phone_number_id = message.phone_number_id
          AND pair_limit.contact_id = message.contact_id) AS pair_until,
       (SELECT owed_until FROM pair_limit
        WHERE pair_limit.phone_number_id = message.phone_number_id
          AND pair_limit.contact_id = message.contact_id) AS owed_until
FROM message {hint}
WHERE phone_number_id = :phone_number_id
  AND state IN ('queued', 'retry_queued') AND due_at <= :now
ORDER BY due_at, id
LIMIT :count
{lock}
"""

# SQLite has no way to say it for all lanes, and answers each within microseconds.
_DUE_OF_LANES = f"""
SELECT due.*
FROM jsonb_to_recordset(CAST(:rooms AS jsonb)) AS wanted (phone_number_id text, room integer)
CROSS JOIN LATERAL (
{_DUE_OF_LANE.replace(":phone_number_id", "wanted.phone_number_id").replace(":count", "wanted.room")}
) AS due
LIMIT :count
"""  # noqa: S608 - constants of ours

_CLAIM = Keyed(
    "UPDATE message SET state = 'claimed', waiting_for = NULL, attempt = attempt + 1, lease_until = :until, "
    "lease_holder = :holder WHERE id {among}"
)
_OPEN_ATTEMPT = text(
    "INSERT INTO attempt (message_id, number, round, may_duplicate, claimed_at) "
    "VALUES (:id, :number, :round, :may_duplicate, :now)"
)
_TAKE_SLOTS = text("UPDATE lane SET slots = :slots WHERE phone_number_id = :phone_number_id")
_MARK = Keyed(
    "UPDATE message SET state = 'sending', lease_until = :until "
    "WHERE (id, attempt) IN (SELECT value->>0, CAST(value->>1 AS INTEGER) FROM {pairs}) "
    "AND state = 'claimed' AND lease_holder = :holder RETURNING id"
)
_START = Keyed(
    "UPDATE attempt SET started_at = :now "
    "WHERE (message_id, number) IN (SELECT value->>0, CAST(value->>1 AS INTEGER) FROM {pairs})"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One message that is ours until its lease runs out. ``slot`` is the moment at which its request is to be
    written (Q13); None: at once. ``redrive_id``: the bulk redrive whose pace it keeps too (Q10). It holds an
    unsealed token, so it never shows it."""

    message_id: str
    workspace_id: str
    phone_number_id: str
    attempt: int
    payload: dict[str, Any]
    token: str
    slot: datetime | None = None
    redrive_id: str | None = None

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
    """A lane with due work. ``most``: how much of it may go now; None is as much as there is room for."""

    phone_number_id: str
    workspace_id: str
    slots: bytes
    waba_id: str
    limit: int
    most: int | None = None


def claim(
    unit: Unit,
    *,
    holder: str,
    in_flight: Mapping[str, int],
    per_lane: int,
    in_all: int,
    lead: timedelta = lane_rules.LEAD,
) -> Taken:
    """Up to ``in_all`` due messages, at most ``per_lane`` less ``in_flight`` of each open lane and within its
    throughput, oldest due first; each with a new attempt, a lease and a slot, not sooner than in ``lead``.

    What must not be sent any more (too old, window closed, opted out, template gone) dies here instead, and
    what must wait (template paused, its pair put off) is due later. Of a lane that Meta's outage holds one
    message goes, as a probe.
    All lanes are served by the same few statements: one a lane more would cost half the rate of a drain.
    """
    lanes = _open_lanes(unit, lock=True) + _probed_lanes(unit)
    tokens = _tokens(unit, lanes)
    served = [lane for lane in lanes if lane.waba_id in tokens]
    random.shuffle(served)  # so that no lane is always last when there is not room for all
    rows, waits_s, allotted = _due(
        unit, served, in_flight=in_flight, per_lane=per_lane, in_all=in_all, lead=lead
    )
    by_phone = {lane.phone_number_id: lane for lane in served}
    aside = set_aside(unit, {phone: lane.waba_id for phone, lane in by_phone.items()}, rows)
    if aside:
        rows = [row for row in rows if row.id not in aside]
        waits_s.append(0.0)  # they made no use of the room they were given
    slots: dict[str, datetime] = {}
    if rows and not unit.throughput_lifted:
        windows, slots = _take_slots(by_phone, rows, allotted, now=unit.now, lead=lead)
        late = keep_pace(
            unit, rows, windows, slots, limits={phone: one.limit for phone, one in by_phone.items()}
        )
        rows = [row for row in rows if row.id not in late]
        waits_s += [lane_rules.wait_s(moment, now=unit.now, lead=lead) for moment in late.values()]
        unit.session.connection().execute(
            _TAKE_SLOTS, [{"phone_number_id": phone, "slots": window} for phone, window in windows.items()]
        )
    if rows:
        _open_attempts(unit, rows, holder=holder)
    claims = [
        Claim(
            message_id=row.id,
            workspace_id=by_phone[row.phone_number_id].workspace_id,
            phone_number_id=row.phone_number_id,
            attempt=row.attempt + 1,
            payload=row.payload,
            token=tokens[by_phone[row.phone_number_id].waba_id],
            slot=slots.get(row.id),
            redrive_id=row.redrive_id,
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
    marked = {row[0] for row in _MARK.rows(connection, found, until=until, holder=holder)}
    ours = [claim for claim in claims if claim.message_id in marked]
    started = [(claim.message_id, claim.attempt) for claim in ours]
    _START.write(connection, started, now=to_micros(unit.now))
    return ours


def has_due(unit: Unit) -> bool:
    """Whether any open lane has due work, or one that is held a due probe: what the sweep asks every
    second."""
    return bool(_open_lanes(unit, lock=False)) or bool(due_probes(unit, lock=False))


def _open_lanes(unit: Unit, *, lock: bool) -> list[_OpenLane]:
    statement = _open_lanes_sql(_dialect(unit), lock=lock)
    return _lanes(unit, unit.session.connection().execute(statement, {"now": to_micros(unit.now)}))


def _lanes(unit: Unit, found: Iterable[Any]) -> list[_OpenLane]:
    rows = list(found)
    limits = limits_now(unit, [PhonePace(row[0], PlanName(row[6]), row[4], row[5]) for row in rows])
    return [_OpenLane(row[0], row[1], bytes(row[2]), row[3], limits[row[0]]) for row in rows]


def _probed_lanes(unit: Unit) -> list[_OpenLane]:
    """For each outage whose probe is due a lane with one message to try; the next probe has its time (Q7)."""
    found: list[_OpenLane] = []
    for outage in due_probes(unit, lock=True):
        outage.probes += 1
        outage.probe_at = unit.now + probe_after(outage.probes)
        unit.session.add(outage)
        values = {
            "now": to_micros(unit.now),
            "phone_number_id": outage.subject if outage.scope is HoldScope.LANE else None,
        }
        lanes = _lanes(unit, unit.session.connection().execute(_probe_sql(_dialect(unit)), values))
        found += [replace(lane, most=1) for lane in lanes[:1]]
    unit.session.flush()
    return list({lane.phone_number_id: lane for lane in found}.values())


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
    unit: Unit,
    lanes: list[_OpenLane],
    *,
    in_flight: Mapping[str, int],
    per_lane: int,
    in_all: int,
    lead: timedelta,
) -> tuple[list[Row[Any]], list[float], dict[str, Allotted]]:
    """The due messages that there is room for, for each lane at its limit how long until it may go on, and
    phone → what room it had."""
    waits_s: list[float] = []
    allotments: dict[str, Allotted] = {}
    rooms: dict[str, int] = {}
    for lane in lanes:
        room = min(per_lane - in_flight.get(lane.phone_number_id, 0), in_all)
        room = room if lane.most is None else min(room, lane.most)
        if room > 0 and not unit.throughput_lifted:
            allotted = lane_rules.allot(lane.slots, limit=lane.limit, count=room, now=unit.now, lead=lead)
            allotments[lane.phone_number_id] = allotted
            if allotted.next_at is not None:
                waits_s.append(lane_rules.wait_s(allotted.next_at, now=unit.now, lead=lead))
            room = len(allotted.moments)
        if room > 0:
            rooms[lane.phone_number_id] = room
    return _due_rows(unit, rooms, in_all=in_all), waits_s, allotments


def _due_rows(unit: Unit, rooms: Mapping[str, int], *, in_all: int) -> list[Row[Any]]:
    """The first ``in_all`` of them. ``rooms``: phone → how many messages it may send."""
    if not rooms:
        return []
    connection = unit.session.connection()
    statement = _due_sql(_dialect(unit))
    now = to_micros(unit.now)
    if _dialect(unit) == "postgresql":
        wanted = json.dumps([{"phone_number_id": phone, "room": room} for phone, room in rooms.items()])
        return list(connection.execute(statement, {"rooms": wanted, "now": now, "count": in_all}))
    rows: list[Row[Any]] = []
    for phone, room in rooms.items():
        if len(rows) == in_all:
            break
        count = min(room, in_all - len(rows))
        rows += connection.execute(statement, {"phone_number_id": phone, "now": now, "count": count})
    return rows


def _open_attempts(unit: Unit, rows: list[Row[Any]], *, holder: str) -> None:
    until = to_micros(unit.now + timedelta(seconds=unit.settings.lease_s))
    now = to_micros(unit.now)
    opened = [
        {
            "id": row.id,
            "number": row.attempt + 1,
            "round": row.round,
            "may_duplicate": row.may_duplicate,
            "now": now,
        }
        for row in rows
    ]
    connection = unit.session.connection()
    _CLAIM.write(connection, [row.id for row in rows], until=until, holder=holder)
    connection.execute(_OPEN_ATTEMPT, opened)


def _take_slots(
    lanes: Mapping[str, _OpenLane],
    rows: list[Row[Any]],
    rooms: Mapping[str, Allotted],
    *,
    now: datetime,
    lead: timedelta,
) -> tuple[dict[str, bytes], dict[str, datetime]]:
    """phone → its window with these sends, and message id → the moment at which it is to be written."""
    by_lane: dict[str, list[str]] = {}
    for row in rows:
        by_lane.setdefault(row.phone_number_id, []).append(row.id)
    moments: dict[str, datetime] = {}
    windows: dict[str, bytes] = {}
    for phone_number_id, message_ids in by_lane.items():
        lane = lanes[phone_number_id]
        allotted = rooms[phone_number_id]
        if len(allotted.moments) != len(message_ids):  # there were fewer, or some were set aside
            allotted = lane_rules.allot(
                lane.slots, limit=lane.limit, count=len(message_ids), now=now, lead=lead
            )
        moments.update(zip(message_ids, allotted.moments, strict=True))
        windows[phone_number_id] = allotted.slots
    return windows, moments


def _dialect(unit: Unit) -> str:
    return unit.session.get_bind().dialect.name


@cache
def _open_lanes_sql(dialect: str, *, lock: bool) -> TextClause:
    return _worded(_OPEN_LANES, dialect, lock="FOR UPDATE OF lane SKIP LOCKED" if lock else "")


@cache
def _probe_sql(dialect: str) -> TextClause:
    worded = _worded(_TO_PROBE, dialect, lock="FOR UPDATE OF lane SKIP LOCKED")
    return worded.bindparams(bindparam("phone_number_id", type_=String))


@cache
def _due_sql(dialect: str) -> TextualSelect:
    table = Message.__table__  # type: ignore[attr-defined]
    asked = _DUE_OF_LANE if dialect == "sqlite" else _DUE_OF_LANES
    return _worded(asked, dialect, lock="FOR UPDATE SKIP LOCKED").columns(
        payload=table.c.payload.type,
        expires_at=Instant,
        may_duplicate=table.c.may_duplicate.type,
        pair_until=Instant,
        owed_until=Instant,
    )


def _worded(template: str, dialect: str, *, lock: str) -> TextClause:
    on_sqlite = dialect == "sqlite"  # whose one writer needs no row locks
    return text(template.format(hint=_HINTS.get(dialect, ""), lock="" if on_sqlite else lock))
