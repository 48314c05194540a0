"""The rows that a batch of reports is about: read by a handful of statements, written by a handful more. One
statement a report would be ten times slower."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from core.messaging.reports import StatusReport, Told
from data.columns import to_micros
from data.engine import Keyed, execute_many
from data.enums import MessageState, Outcome

_FIND = Keyed("SELECT wamid, message_id FROM attempt WHERE wamid {among} ORDER BY wamid, message_id")
_LOAD = Keyed(
    "SELECT id, workspace_id, phone_number_id, contact_id, attempt, wamid, waiting_for, due_at, lease_until, "
    "rung, error_code, error_detail, sent_at, state, delivered_at, read_at, created_at, template_name "
    "FROM message WHERE id {among} AND recipient <> 'erased' ORDER BY id {lock}"
)  # what Meta still says of an erased contact is not kept
_ATTEMPTS = Keyed(
    "SELECT message_id, number, outcome, started_at, finished_at, wamid, error_code, error_detail "
    "FROM attempt WHERE message_id {among} ORDER BY message_id, number"
)
_STATUSES = Keyed("SELECT wamid, status, at FROM message_status WHERE wamid {among}")
_ADD_STATUS = (
    "INSERT INTO message_status "
    "(wamid, status, at, message_id, received_at, error_code, error_detail, pricing, conversation) VALUES "
    "(:wamid, :status, :at, :message_id, :received_at, :error_code, :error_detail, :pricing, :conversation)"
)
# Most statuses change nothing else, and that spares SQLite the indexes on what stays the same.
_ADVANCE = (
    "UPDATE message SET state = :state, delivered_at = :delivered_at, read_at = :read_at WHERE id = :id"
)
_CHANGE = (
    "UPDATE message SET wamid = :wamid, waiting_for = :waiting_for, due_at = :due_at, "
    "lease_until = :lease_until, rung = :rung, error_code = :error_code, error_detail = :error_detail, "
    "sent_at = :sent_at, state = :state, delivered_at = :delivered_at, read_at = :read_at WHERE id = :id"
)
_CHANGE_ATTEMPT = (
    "UPDATE attempt SET outcome = :outcome, finished_at = :finished_at, wamid = :wamid, "
    "error_code = :error_code, error_detail = :error_detail WHERE message_id = :id AND number = :number"
)


@dataclass(slots=True)
class ReportedAttempt:
    number: int
    outcome: Outcome | None
    started_at: int | None
    finished_at: int | None
    wamid: str | None
    error_code: str | None
    error_detail: str | None
    changed: bool = False

    @property
    def is_open(self) -> bool:
        return self.started_at is not None and self.outcome in (None, Outcome.UNKNOWN)


@dataclass(slots=True)
class ReportedMessage:
    """The columns that a status can change, as they are stored: moments are microseconds."""

    id: str
    workspace_id: str
    phone_number_id: str
    contact_id: str
    attempt: int
    wamid: str | None
    waiting_for: str | None
    due_at: int | None
    lease_until: int | None
    rung: int
    error_code: str | None
    error_detail: str | None
    sent_at: int | None
    state: MessageState
    delivered_at: int | None
    read_at: int | None
    created_at: int
    template_name: str | None
    attempts: list[ReportedAttempt] = field(default_factory=list)
    before: tuple[tuple[object, ...], tuple[object, ...]] = ((), ())

    @property
    def pair(self) -> tuple[str, str]:
        return (self.phone_number_id, self.contact_id)

    def rarely_changed(self) -> tuple[object, ...]:
        return (
            *(self.wamid, self.waiting_for, self.due_at, self.lease_until, self.rung),
            *(self.error_code, self.error_detail, self.sent_at),
        )

    def often_changed(self) -> tuple[object, ...]:
        return (self.state, self.delivered_at, self.read_at)


def messages_of(connection: Connection, reports: Iterable[StatusReport]) -> dict[str, str]:
    """wamid → our message, for reports that do not say it."""
    wamids = {report.wamid for report in reports if report.message_id is None}
    return dict(_FIND.rows(connection, wamids))


def load(connection: Connection, ids: Collection[str]) -> dict[str, ReportedMessage]:
    """Those messages by id, locked, with their attempts in order."""
    found = {}
    for row in _LOAD.rows(connection, ids):
        message = ReportedMessage(*row)
        message.state = MessageState(message.state)
        message.before = (message.rarely_changed(), message.often_changed())
        found[message.id] = message
    # Read after the messages are locked: an answer that settled meanwhile has written its wamid.
    for message_id, number, outcome, *others in _ATTEMPTS.rows(connection, found):
        attempt = ReportedAttempt(number, Outcome(outcome) if outcome else None, *others)
        found[message_id].attempts.append(attempt)
    return found


def known_statuses(connection: Connection, wamids: Collection[str]) -> Sequence[Any]:
    """(wamid, status, at in microseconds) of each that is kept already."""
    return _STATUSES.rows(connection, wamids)


def write(
    connection: Connection, messages: Iterable[ReportedMessage], *, statuses: list[dict[str, object]]
) -> None:
    """What changed of them is written, and the new statuses, each made by ``status_row``."""
    advanced, changed, attempts = [], [], []
    for message in messages:
        rarely, often = message.before
        if message.rarely_changed() != rarely:
            changed.append(_change(message))
        elif message.often_changed() != often:
            advanced.append(_advance(message))
        attempts += [_change_of_attempt(message.id, one) for one in message.attempts if one.changed]
    for statement, rows in (
        (_ADD_STATUS, statuses),
        (_ADVANCE, advanced),
        (_CHANGE, changed),
        (_CHANGE_ATTEMPT, attempts),
    ):
        if rows:
            execute_many(connection, statement, rows)


def status_row(message_id: str, told: Told, *, at: int) -> dict[str, object]:
    report = told.report
    return {
        "wamid": report.wamid,
        "status": report.status,
        "at": at,
        "message_id": message_id,
        "received_at": to_micros(told.received_at),
        "error_code": None if report.error_code is None else f"meta_{report.error_code}",
        "error_detail": report.error_detail or None,
        "pricing": report.pricing,
        "conversation": report.conversation,
    }


def _advance(message: ReportedMessage) -> dict[str, object]:
    return {
        "id": message.id,
        "state": message.state.value,
        "delivered_at": message.delivered_at,
        "read_at": message.read_at,
    }


def _change(message: ReportedMessage) -> dict[str, object]:
    return {
        **_advance(message),
        "wamid": message.wamid,
        "waiting_for": message.waiting_for,
        "due_at": message.due_at,
        "lease_until": message.lease_until,
        "rung": message.rung,
        "error_code": message.error_code,
        "error_detail": message.error_detail,
        "sent_at": message.sent_at,
    }


def _change_of_attempt(message_id: str, attempt: ReportedAttempt) -> dict[str, object]:
    return {
        "id": message_id,
        "number": attempt.number,
        "outcome": attempt.outcome.value if attempt.outcome else None,
        "finished_at": attempt.finished_at,
        "wamid": attempt.wamid,
        "error_code": attempt.error_code,
        "error_detail": attempt.error_detail,
    }
