"""What Meta reports about messages it took, applied so that states only move forward (Q3, Q6).

Reports come by the hundred. A batch is read at once, worked through in memory in the order of the reports,
and written at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.messaging import rules
from core.messaging.letters import DELIVERED, close_letters
from core.messaging.reports import StatusReport, Told
from core.messaging.settling import Failure, fail_after_acceptance
from core.messaging.status_rows import (
    ReportedAttempt,
    ReportedMessage,
    known_statuses,
    load,
    messages_of,
    status_row,
    write,
)
from core.ports.meta_errors import classify
from core.traffic.measures import FAILED_LATER, READ, Timing, timed
from core.traffic.noting import Noted
from core.unit import Unit
from data.columns import to_micros
from data.enums import LetterState, MessageState, Outcome

_FAILABLE = frozenset(
    {MessageState.SENT, MessageState.SENDING, MessageState.RETRY_QUEUED, MessageState.UNKNOWN}
)
_NO_CODE = 131000


@dataclass(slots=True)
class Heard:
    """What came of a batch. ``meant``: for each report, whether it speaks of a message of ours. ``touched``:
    (phone number id, contact id) of the messages whose first moment or whose failure changed."""

    meant: list[bool]
    touched: set[tuple[str, str]] = field(default_factory=set)


def apply_statuses(unit: Unit, told: Sequence[Told]) -> Heard:
    """Each report is kept, once, and its message moved forward by it; in the order given.

    *read, then a late delivered → still read; unknown, then sent → sent and no retry; failed, then a late
    sent of the same wamid → still failed.*
    """
    heard = Heard([False] * len(told))
    waiting = list(enumerate(told))
    while waiting:
        waiting = _apply_until_a_failure(unit, waiting, heard)
    return heard


def _apply_until_a_failure(unit: Unit, told: list[tuple[int, Told]], heard: Heard) -> list[tuple[int, Told]]:
    """Of each message, all its reports up to the first that ends or delays it. Returns the rest: what that
    failure made of the message is the settling's to write, and theirs to meet."""
    board = _Board(unit, [one for _, one in told])
    failures: dict[str, Failure] = {}
    rest: list[tuple[int, Told]] = []
    for index, one in told:
        message = board.message_of(one)
        if message is None:
            continue
        heard.meant[index] = True
        if message.id in failures:
            rest.append((index, one))
        elif board.take(message, one):
            failures[message.id] = _failure(message, one.report)
    board.write()
    heard.touched |= board.touched
    if failures:
        fail_after_acceptance(unit, list(failures.values()))
    return rest


def _failure(message: ReportedMessage, report: StatusReport) -> Failure:
    why = classify(report.error_code or _NO_CODE, http_status=0, is_transient=False)
    return Failure(message.id, why, report.error_detail)


class _Board:
    """The rows that a batch of reports is about, and what it changes of them."""

    def __init__(self, unit: Unit, told: list[Told]) -> None:
        self._unit = unit
        self._connection = unit.session.connection()
        self._now = to_micros(unit.now)
        self._by_wamid = messages_of(self._connection, [one.report for one in told])
        named = {one.report.message_id or self._by_wamid.get(one.report.wamid) for one in told}
        self._messages = load(self._connection, [one for one in named if one is not None])
        self._known: set[tuple[str, str, int]] = set()
        self._first: dict[str, int] = {}
        self._failed: set[str] = set()
        for wamid, status, at in known_statuses(self._connection, {one.report.wamid for one in told}):
            self._note(wamid, status, at)
        self._added: list[dict[str, object]] = []
        self._resolved: set[str] = set()
        self._noted = Noted()
        self.touched: set[tuple[str, str]] = set()

    def message_of(self, told: Told) -> ReportedMessage | None:
        """The message that the report speaks of, if it is one of that workspace."""
        report = told.report
        message = self._messages.get(report.message_id or self._by_wamid.get(report.wamid, ""))
        return message if message is not None and message.workspace_id == told.workspace_id else None

    def take(self, message: ReportedMessage, told: Told) -> bool:
        """The report is kept and the message moved forward. True when the report is a failure that counts:
        the newest attempt's, the first time, while nothing better is known."""
        report, at = told.report, to_micros(told.report.at)
        if (report.wamid, report.status, at) in self._known:
            return False
        has_failed = report.wamid in self._failed
        if at < self._first.get(report.wamid, at + 1):
            self.touched.add(message.pair)
        self._note(report.wamid, report.status, at)
        self._added.append(status_row(message.id, told, at=at))
        newest = self._credit_attempt(message, report.wamid)
        if newest:
            message.wamid = report.wamid
        reported = rules.STATUS_STATES.get(report.status)
        if reported is not None:
            if not (has_failed and reported is MessageState.SENT):
                self._move_forward(message, report.wamid, reported, at)
            return False
        counts = report.status == "failed" and not has_failed and newest and message.state in _FAILABLE
        if counts:
            self.touched.add(message.pair)
            self._count(message, FAILED_LATER)
        return counts

    def write(self) -> None:
        write(self._connection, self._messages.values(), statuses=self._added)
        self._noted.write(self._unit)
        if self._resolved:
            close_letters(
                self._unit,
                message_ids=self._resolved,
                state=LetterState.RESOLVED,
                at=self._unit.now,
                reason=DELIVERED,
            )

    def _note(self, wamid: str, status: str, at: int) -> None:
        self._known.add((wamid, status, at))
        self._first[wamid] = min(at, self._first.get(wamid, at))
        if status == "failed":
            self._failed.add(wamid)

    def _credit_attempt(self, message: ReportedMessage, wamid: str) -> bool:
        """The attempt that got this wamid is accepted: the newest that has it, else the oldest whose outcome
        nobody knew. Whether that is the newest attempt."""
        attempts = message.attempts
        attempt = next((one for one in reversed(attempts) if one.wamid == wamid), None) or next(
            (one for one in attempts if one.wamid is None and one.is_open), None
        )
        if attempt is None:
            return False
        if attempt.wamid is None:
            if attempt.number == message.attempt:
                _give_back_rung(message, attempt)
            attempt.wamid = wamid
            attempt.outcome = Outcome.ACCEPTED
            attempt.finished_at = attempt.finished_at or self._now
            attempt.error_code = None
            attempt.error_detail = None
            attempt.changed = True
        return attempt.number == message.attempt

    def _move_forward(self, message: ReportedMessage, wamid: str, reported: MessageState, at: int) -> None:
        if message.state is MessageState.DISCARDED:
            return  # a person's word stands; the status is on the timeline all the same
        if message.state in (MessageState.DEAD, MessageState.FAILED):
            self._resolved.add(message.id)
            self.touched.add(message.pair)
        if message.state is MessageState.CLAIMED:
            self._give_up_claim(message)
        message.state = rules.forward(message.state, reported)
        message.wamid = message.wamid or wamid
        message.waiting_for = None
        message.due_at = None
        message.lease_until = None
        message.error_code = None
        message.error_detail = None
        message.sent_at = message.sent_at or self._now
        if reported in (MessageState.DELIVERED, MessageState.READ):
            if message.delivered_at is None:
                self._count(message, timed(Timing.DELIVERED, at - message.created_at))
            message.delivered_at = min(message.delivered_at or at, at)
        if reported is MessageState.READ:
            if message.read_at is None:
                self._count(message, READ)
            message.read_at = min(message.read_at or at, at)

    def _count(self, message: ReportedMessage, name: str) -> None:
        """For the pictures of what was sent."""
        of_message = self._noted.of_message(
            message.workspace_id, message.phone_number_id, message.template_name
        )
        of_message[name] += 1

    def _give_up_claim(self, message: ReportedMessage) -> None:
        """The attempt that was about to leave will not: nothing of it was on the wire."""
        attempt = next(one for one in message.attempts if one.number == message.attempt)
        attempt.outcome = Outcome.LOST
        attempt.finished_at = self._now
        attempt.changed = True


def _give_back_rung(message: ReportedMessage, attempt: ReportedAttempt) -> None:
    """The lost answer of the attempt took a rung. Should the attempt have failed, that takes it again."""
    took_rung = attempt.outcome is Outcome.UNKNOWN and attempt.error_detail != rules.PROCESS_DIED
    if took_rung and message.state is MessageState.RETRY_QUEUED:
        message.rung -= 1
