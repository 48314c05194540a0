"""What Meta reports about a message it took, applied so that states only move forward (Q3, Q6)."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select

from core.messaging import rules
from core.messaging.letters import close_letter
from core.messaging.settling import fail_after_acceptance
from core.ports.meta_errors import classify
from core.unit import Unit
from data.enums import LetterState, MessageState, Outcome
from data.messages import Attempt, Message, MessageStatus


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One item of ``statuses[]``. ``message_id`` is what Meta echoed of our own, if it did."""

    wamid: str
    status: str
    at: datetime
    message_id: str | None = None
    error_code: int | None = None
    error_detail: str = ""


def apply_status(unit: Unit, report: StatusReport, *, workspace_id: str) -> bool:
    """The report is kept, once, and the message moved forward by it. False when no message is meant.

    *read, then a late delivered → still read; unknown, then sent → sent and no retry; failed, then a late
    sent of the same wamid → still failed.*
    """
    message = _message_of(unit, report, workspace_id=workspace_id)
    if message is None:
        return False
    if unit.session.get(MessageStatus, (report.wamid, report.status, report.at)) is not None:
        return True
    has_failed = _has_failed(unit, report.wamid)
    unit.session.add(
        MessageStatus(
            wamid=report.wamid,
            status=report.status,
            at=report.at,
            message_id=message.id,
            received_at=unit.now,
            error_code=None if report.error_code is None else f"meta_{report.error_code}",
            error_detail=report.error_detail or None,
        )
    )
    newest = _credit_attempt(unit, message, report.wamid)
    if newest:
        message.wamid = report.wamid
        unit.session.add(message)
    reported = rules.STATUS_STATES.get(report.status)
    if reported is not None and not (has_failed and reported is MessageState.SENT):
        _move_forward(unit, message, report, reported)
    elif report.status == "failed" and not has_failed:
        _fail(unit, message, report, newest=newest)
    unit.session.flush()
    return True


def _message_of(unit: Unit, report: StatusReport, *, workspace_id: str) -> Message | None:
    message_id = report.message_id
    if message_id is None:
        found = select(Attempt.message_id).where(col(Attempt.wamid) == report.wamid)
        message_id = unit.session.exec(found).first()
    if message_id is None:
        return None
    statement = select(Message).where(
        col(Message.id) == message_id, col(Message.workspace_id) == workspace_id
    )
    return unit.session.exec(statement.with_for_update()).first()


def _has_failed(unit: Unit, wamid: str) -> bool:
    """Whether Meta reported that already: a failure counts once, and only a delivery speaks against it."""
    statement = select(MessageStatus.status).where(
        col(MessageStatus.wamid) == wamid, col(MessageStatus.status) == "failed"
    )
    return unit.session.exec(statement).first() is not None


def _credit_attempt(unit: Unit, message: Message, wamid: str) -> bool:
    """The attempt that got this wamid is accepted: the newest that has it, else the oldest whose outcome
    nobody knew. Whether that is the newest attempt."""
    attempts = unit.session.exec(
        select(Attempt).where(col(Attempt.message_id) == message.id).order_by(col(Attempt.number))
    ).all()
    attempt = next((a for a in reversed(attempts) if a.wamid == wamid), None) or next(
        (a for a in attempts if a.wamid is None and a.started_at is not None and _is_open(a)), None
    )
    if attempt is None:
        return False
    if attempt.wamid is None:
        if attempt.number == message.attempt:
            _give_back_rung(message, attempt)
        attempt.wamid = wamid
        attempt.outcome = Outcome.ACCEPTED
        attempt.finished_at = attempt.finished_at or unit.now
        attempt.error_code = None
        attempt.error_detail = None
        unit.session.add(attempt)
    return attempt.number == message.attempt


def _give_back_rung(message: Message, attempt: Attempt) -> None:
    """The lost answer of the attempt took a rung. Should the attempt have failed, that takes it again."""
    took_rung = attempt.outcome is Outcome.UNKNOWN and attempt.error_detail != rules.PROCESS_DIED
    if took_rung and message.state is MessageState.RETRY_QUEUED:
        message.rung -= 1


def _is_open(attempt: Attempt) -> bool:
    return attempt.outcome in (None, Outcome.UNKNOWN)


def _move_forward(unit: Unit, message: Message, report: StatusReport, reported: MessageState) -> None:
    if message.state is MessageState.DISCARDED:
        return  # a person's word stands; the status is on the timeline all the same
    if message.state in (MessageState.DEAD, MessageState.FAILED):
        close_letter(unit, message_id=message.id, state=LetterState.RESOLVED, at=unit.now)
    if message.state is MessageState.CLAIMED:
        _give_up_claim(unit, message)
    message.state = rules.forward(message.state, reported)
    message.wamid = message.wamid or report.wamid
    message.waiting_for = None
    message.due_at = None
    message.lease_until = None
    message.error_code = None
    message.error_detail = None
    message.sent_at = message.sent_at or unit.now
    if reported in (MessageState.DELIVERED, MessageState.READ):
        message.delivered_at = min(message.delivered_at or report.at, report.at)
    if reported is MessageState.READ:
        message.read_at = min(message.read_at or report.at, report.at)
    unit.session.add(message)


def _give_up_claim(unit: Unit, message: Message) -> None:
    """The attempt that was about to leave will not: nothing of it was on the wire."""
    attempt = unit.session.get_one(Attempt, (message.id, message.attempt))
    attempt.outcome = Outcome.LOST
    attempt.finished_at = unit.now
    unit.session.add(attempt)


def _fail(unit: Unit, message: Message, report: StatusReport, *, newest: bool) -> None:
    """Only the newest attempt's failure counts, and only while nothing better is known."""
    if not newest or message.state not in (
        MessageState.SENT,
        MessageState.SENDING,
        MessageState.RETRY_QUEUED,
        MessageState.UNKNOWN,
    ):
        return
    unit.session.flush()
    why = classify(report.error_code or 131000, http_status=0, is_transient=False)
    fail_after_acceptance(unit, message_id=message.id, why=why, detail=report.error_detail)
    unit.session.expire(message)
