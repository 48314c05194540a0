"""Updates take effect: in batches, in order, each at most once, none at the cost of another."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError

from core.errors import DomainError
from core.inbox.changes import take_changes
from core.inbox.events import events_changed
from core.inbox.inbound import take_messages
from core.inbox.owners import owners
from core.inbox.preferences import take_preference
from core.inbox.said import Said
from core.inbox.senders import Received
from core.inbox.updates import Change, InboundMessage, Preference, Reading, Unreadable, Update
from core.messaging.reports import StatusReport, Told
from core.messaging.statuses import apply_statuses
from core.unit import Unit
from data.columns import to_micros

log = structlog.get_logger()

REASON_MAX = 500

_HEARD = text(
    "INSERT INTO phone_heard (phone_number_id, last_at) VALUES (:phone_number_id, :at) "
    "ON CONFLICT (phone_number_id) DO UPDATE SET last_at = excluded.last_at "
    "WHERE excluded.last_at > phone_heard.last_at"
)


@dataclass(frozen=True, slots=True)
class Failed:
    """An update that could not be applied: where it stands in its body, and why."""

    path: str
    field: str
    reason: str


@dataclass(slots=True)
class Course:
    """One delivery on its way to being applied. ``updates`` counts those that took effect."""

    id: str
    workspace_id: str
    received_at: datetime
    reading: Reading
    updates: int = 0
    failures: list[Failed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Owned:
    work: Course
    update: Update


def apply(unit: Unit, items: Sequence[tuple[Course, Update]]) -> None:
    """Every update that concerns its delivery's workspace takes effect, in the order given. One that crashes
    is a failure of its own delivery; its neighbours are applied."""
    whose = owners_of(unit, [update for _, update in items])
    owned = [
        _Owned(work, update)
        for work, update in items
        if whose.get(update.phone_number_id or update.waba_id) == work.workspace_id
    ]
    if not owned or _try(unit, owned) is None:
        return
    for item in owned:  # which of them it was shows when each is alone
        crash = _try(unit, [item])
        if crash is not None:
            where = {"delivery": item.work.id, "path": item.update.path}
            log.error("an update could not be applied", exc_info=crash, **where)
            reason = f"Waypost failed on this update: {type(crash).__name__}"
            item.work.failures.append(Failed(item.update.path, item.update.field, reason))


def owners_of(unit: Unit, parts: Sequence[Update | Unreadable]) -> dict[str, str]:
    """The workspaces of the phones and accounts that these name."""
    return owners(unit, {part.phone_number_id or part.waba_id for part in parts})


def _try(unit: Unit, items: Sequence[_Owned]) -> Exception | None:
    """All of them applied, or none and the crash. What ails the database is no update's fault and passes."""
    try:
        with unit.session.begin_nested():
            counted = _apply(unit, items)
    except (OperationalError, InterfaceError, DomainError):
        raise
    except Exception as crash:  # noqa: BLE001 - a crash becomes a failure on record
        unit.session.expire_all()
        return crash
    for work in counted:
        work.updates += 1
    return None


def _apply(unit: Unit, items: Sequence[_Owned]) -> list[Course]:
    """Kind by kind, since different kinds do not depend on each other's order. Returns the delivery of each
    update that meant something of ours."""
    told, received, said = [], [], []
    counted: list[Course] = []
    reporters = []
    for item in items:
        work, update = item.work, item.update
        match update.content:
            case StatusReport() as report:
                told.append(Told(report, work.workspace_id, work.received_at))
                reporters.append(work)
                continue
            case InboundMessage() as message:
                assert update.phone_number_id is not None
                received.append(
                    Received(
                        message, update.phone_number_id, work.workspace_id, work.received_at, update.number
                    )
                )
            case Preference() as preference:
                take_preference(unit, preference, workspace_id=work.workspace_id)
            case Change() as change:
                said.append(Said(update, change, work.workspace_id, work.received_at))
        counted.append(work)
    heard = apply_statuses(unit, told)
    touched = heard.touched | take_messages(unit, received)
    take_changes(unit, said)
    _hear(unit, items)
    events_changed(unit, touched)
    return counted + [work for work, meant in zip(reporters, heard.meant, strict=True) if meant]


def _hear(unit: Unit, items: Sequence[_Owned]) -> None:
    last: dict[str, datetime] = {}
    for item in items:
        phone, at = item.update.phone_number_id, item.work.received_at
        if phone is not None:
            last[phone] = max(at, last.get(phone, at))
    if last:
        rows = [{"phone_number_id": phone, "at": to_micros(at)} for phone, at in sorted(last.items())]
        unit.session.connection().execute(_HEARD, rows)
