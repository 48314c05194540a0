"""The webhook lane: what is stored raw is understood later (idea 8).

Rows are the work. One applier at a time holds the lane's lock, so updates take effect in the order of their
arrival; a chunk is a short transaction. Applying again what is applied changes nothing, so what a kill
interrupts is simply done again.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import bindparam, text

from core import tracing
from core.inbox.applying import Course, Failed, apply, owners_of
from core.inbox.reading import read
from core.inbox.rules import parsed
from core.inbox.updates import Reading, Unreadable, Update
from core.runtime import Runtime
from core.traffic.measures import WEBHOOKS, Timing, timed
from core.traffic.noting import Noted
from core.unit import Identity, Unit
from data.columns import from_micros, to_micros
from data.enums import DeliveryState

WORKER = Identity(process="inbox")
# 1,000 updates hold SQLite's write lock for some 40 ms; whoever sends waits for it meanwhile.
CHUNK = 1000
LOOK_AHEAD = 200
LOOK_AHEAD_BYTES = 4 * 1_048_576
# Any number will do, as long as every process that applies asks for the same.
_LOCK = 0x57424F58

_NEXT = text(
    "SELECT id, workspace_id, received_at, size FROM delivery WHERE state = 'pending' ORDER BY id LIMIT :most"
)
_BODY = text("SELECT body FROM delivery WHERE id = :id")
_STILL_PENDING = text(
    "SELECT id FROM delivery WHERE id IN :keys AND state = 'pending' ORDER BY id"
).bindparams(bindparam("keys", expanding=True))
_FINISH = text(
    "UPDATE delivery SET state = :state, attempts = attempts + 1, applied_at = :now, updates = :updates, "
    "failures = :failures, error = :error WHERE id = :id"
)
_FORGET_FAILURES = text("DELETE FROM delivery_failure WHERE delivery_id = :id")
_ADD_FAILURE = text(
    "INSERT INTO delivery_failure (delivery_id, path, field, reason, at) "
    "VALUES (:id, :path, :field, :reason, :now)"
)

Chunk = list[tuple[Course, Update]]


def apply_due(runtime: Runtime) -> int:
    """The oldest pending deliveries are applied; returns how many. Call until it is 0."""
    with runtime.unit(WORKER) as unit:
        works = _look_ahead(unit)
    for chunk, finished in _chunks(works):
        with (
            tracing.span("apply webhooks", updates=len(chunk), deliveries=len(finished)),
            runtime.unit(WORKER, write=True) as unit,
        ):
            take_lane(unit)
            pending = _still_pending(unit, {work.id for work, _ in chunk} | {work.id for work in finished})
            apply(unit, [(work, update) for work, update in chunk if work.id in pending])
            _finish(unit, [work for work in finished if work.id in pending])
    return len(works)


def has_due(unit: Unit) -> bool:
    """Whether anything waits to be applied: what the sweep asks every second."""
    return unit.session.connection().execute(_NEXT, {"most": 1}).first() is not None


def take_lane(unit: Unit) -> None:
    """Until this transaction ends no other applies anything. SQLite's write lock does the same."""
    connection = unit.session.connection()
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _look_ahead(unit: Unit) -> list[Course]:
    """The oldest pending deliveries, read and understood before the lane is taken."""
    connection = unit.session.connection()
    works: list[Course] = []
    room = LOOK_AHEAD_BYTES
    for delivery_id, workspace_id, received_at, size in connection.execute(_NEXT, {"most": LOOK_AHEAD}).all():
        room -= size
        if room < 0 and works:
            break
        body = connection.execute(_BODY, {"id": delivery_id}).scalar_one()
        works.append(Course(delivery_id, workspace_id, from_micros(received_at), _read(body)))
    return works


def _read(body: bytes | None) -> Reading:
    if body is None:
        return _unreadable("the raw body is gone: somebody whom it named was erased")
    try:
        return read(parsed(bytes(body)))
    except (ValueError, RecursionError):
        return _unreadable("the body is not JSON that can be read")


def _unreadable(reason: str) -> Reading:
    return Reading(unreadable=[Unreadable("", "", "", None, reason)])


def _chunks(works: list[Course]) -> Iterator[tuple[Chunk, list[Course]]]:
    """The updates of all deliveries in their order, ``CHUNK`` at a time, each chunk with the deliveries that
    are through with it."""
    chunk: Chunk = []
    finished: list[Course] = []
    for work in works:
        for update in work.reading.updates:
            if len(chunk) == CHUNK:
                yield chunk, finished
                chunk, finished = [], []
            chunk.append((work, update))
        finished.append(work)
    if finished:
        yield chunk, finished


def _still_pending(unit: Unit, ids: set[str]) -> set[str]:
    """Another worker may have been faster."""
    return {row[0] for row in unit.session.connection().execute(_STILL_PENDING, {"keys": list(ids)})}


def _finish(unit: Unit, works: list[Course]) -> None:
    if not works:
        return
    owners = owners_of(unit, [part for work in works for part in work.reading.unreadable])
    for work in works:
        work.failures += [
            Failed(part.path, part.field, part.reason)
            for part in work.reading.unreadable
            if _concerns(part, work, owners)
        ]
    connection = unit.session.connection()
    now = to_micros(unit.now)
    connection.execute(_FORGET_FAILURES, [{"id": work.id} for work in works])
    failures = [_failure_row(work, failed, now) for work in works for failed in work.failures]
    if failures:
        connection.execute(_ADD_FAILURE, failures)
    connection.execute(_FINISH, [_finished_row(work, now) for work in works])
    _count(unit, works)


def _count(unit: Unit, works: list[Course]) -> None:
    """For the pictures of what was heard."""
    noted = Noted()
    for work in works:
        if work.workspace_id is not None:
            counts = noted.of_workspace(work.workspace_id)
            counts[WEBHOOKS] += 1
            counts[timed(Timing.APPLIED, to_micros(unit.now) - to_micros(work.received_at))] += 1
    noted.write(unit)


def _concerns(part: Unreadable, work: Course, owners: dict[str, str]) -> bool:
    """What names nobody at all concerns whoever got it."""
    name = part.phone_number_id or part.waba_id
    return not name or owners.get(name) == work.workspace_id


def _failure_row(work: Course, failed: Failed, now: int) -> dict[str, Any]:
    return {"id": work.id, "path": failed.path, "field": failed.field, "reason": failed.reason, "now": now}


def _finished_row(work: Course, now: int) -> dict[str, Any]:
    if work.failures:
        state = DeliveryState.FAILED
    else:
        state = DeliveryState.APPLIED if work.updates else DeliveryState.IGNORED
    return {
        "id": work.id,
        "state": state.value,
        "now": now,
        "updates": work.updates,
        "failures": len(work.failures),
        "error": work.failures[0].reason if work.failures else None,
    }
