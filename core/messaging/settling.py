"""Writing down what came of attempts (Q2, third step), and taking back what a dead process had."""

import random
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, text, update
from sqlmodel import col, select

from core.contacts.commands import suppress
from core.lanes.commands import hold
from core.messaging import rules
from core.messaging.letters import Death, close_letter, open_letters
from core.messaging.rules import Ladder, Next, Standing
from core.ports.graph import Reply, ReplyKind
from core.ports.meta_errors import Explanation, Scope, suppresses
from core.unit import Unit
from data.columns import to_micros
from data.enums import HoldCause, HoldScope, LetterState, MessageState, Outcome, SuppressionKind
from data.messages import Message
from data.sending import Phone

RESCUE_BATCH = 500

_FINAL = frozenset({Outcome.ACCEPTED, Outcome.REFUSED, Outcome.PASSING})
_DEAF_TO_LATE_ACCEPTANCES = rules.TAKEN | rules.ON_THE_WAY | {MessageState.DISCARDED}

_MESSAGE = (
    Message.id,
    Message.workspace_id,
    Message.phone_number_id,
    Message.contact_id,
    Message.recipient,
    Message.template_name,
    Message.state,
    Message.attempt,
    Message.round,
    Message.rung,
    Message.rate_waits,
    Message.leases_lost,
    Message.expires_at,
    Message.may_duplicate,
    Message.created_at,
    Message.error_code,
    Message.error_detail,
)
_UPDATE_MESSAGE = (
    update(Message.__table__)  # type: ignore[attr-defined]
    .where(col(Message.id) == bindparam("key"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "state",
                "waiting_for",
                "due_at",
                "rung",
                "rate_waits",
                "leases_lost",
                "may_duplicate",
                "error_code",
                "error_detail",
                "lease_until",
                "lease_holder",
            )
        }
    )
)
# What every send runs through is plain text: made ready once, with its parameters as they are stored.
_ACCEPT_MESSAGE = text(
    "UPDATE message SET state = 'sent', waiting_for = NULL, due_at = NULL, wamid = :wamid, sent_at = :now, "
    "error_code = NULL, error_detail = NULL, lease_until = NULL, lease_holder = NULL WHERE id = :id"
)
_UPDATE_ATTEMPT = text(
    "UPDATE attempt SET outcome = :outcome, finished_at = :now, error_code = :error_code, "
    "error_detail = :error_detail, http_status = :http_status, trace_id = :trace_id, wamid = :wamid "
    "WHERE message_id = :id AND number = :number"
)
_LOAD = select(*_MESSAGE).where(col(Message.id).in_(bindparam("ids", expanding=True))).with_for_update()  # type: ignore[call-overload]
_OUTCOMES = text("SELECT message_id, number, outcome FROM attempt WHERE message_id IN :ids").bindparams(
    bindparam("ids", expanding=True)
)


@dataclass(frozen=True, slots=True)
class Result:
    """What came back for one attempt."""

    message_id: str
    attempt: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Settled:
    """Where the message stands once its attempt is written down."""

    message_id: str
    state: MessageState
    due_at: datetime | None
    error_code: str | None


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    workspace_id: str
    phone_number_id: str
    contact_id: str
    recipient: str
    template_name: str | None
    state: MessageState
    attempt: int
    round: int
    rung: int
    rate_waits: int
    leases_lost: int
    expires_at: datetime
    may_duplicate: bool
    created_at: datetime
    error_code: str | None
    error_detail: str | None

    @property
    def standing(self) -> Standing:
        return Standing(
            state=self.state,
            attempt=self.attempt,
            round=self.round,
            rung=self.rung,
            rate_waits=self.rate_waits,
            leases_lost=self.leases_lost,
            expires_at=self.expires_at,
            may_duplicate=self.may_duplicate,
        )


def ladder_of(unit: Unit) -> Ladder:
    settings = unit.settings
    return Ladder(settings.waypost_retry_delays, hold_unknown=settings.waypost_unknown_outcome == "hold")


def settle(unit: Unit, results: list[Result]) -> list[Settled]:
    """Every result is written down, each exactly once; in the order given.

    A result whose attempt was taken from us meanwhile (its lease ran out) is kept as ``late``; only a late
    acceptance still counts, as evidence, if no newer attempt is out.
    """
    message_ids = [result.message_id for result in results]
    rows = _load(unit, message_ids)
    if len(rows) < len(results):  # two attempts of one message: the second must see what the first wrote
        return [standing for result in results for standing in settle(unit, [result])]
    outcomes = _outcomes(unit, message_ids)
    ladder = ladder_of(unit)
    changes = _Changes(unit)
    settled = []
    for result in results:
        row = rows[result.message_id]
        outcome = outcomes[(result.message_id, result.attempt)]
        settled.append(_settle_one(changes, row, outcome, result, now=unit.now, ladder=ladder))
    changes.write()
    return settled


def rescue(unit: Unit) -> int:
    """Work whose lease ran out is taken back (Q2, Q6); returns how many messages. Call until it is 0."""
    statement = (
        select(*_MESSAGE)  # type: ignore[call-overload]
        .where(
            col(Message.state).in_([MessageState.CLAIMED, MessageState.SENDING]),
            col(Message.lease_until) <= unit.now,
        )
        .order_by(col(Message.lease_until))
        .limit(RESCUE_BATCH)
        .with_for_update(skip_locked=True)
    )
    rows = [_Row(*row) for row in unit.session.exec(statement)]
    ladder = ladder_of(unit)
    changes = _Changes(unit)
    for row in rows:
        changes.apply(row, row.attempt, rules.after_lost_lease(row.standing, now=unit.now, ladder=ladder))
    changes.write()
    return len(rows)


def fail_after_acceptance(unit: Unit, *, message_id: str, why: Explanation, detail: str) -> None:
    """Meta took the message and reports later that it failed (Q3)."""
    row = _load(unit, [message_id])[message_id]
    following = rules.after_failed_status(
        row.standing, why, detail, now=unit.now, ladder=ladder_of(unit), jitter=random.random()
    )
    changes = _Changes(unit)
    changes.apply(row, None, following)
    changes.write()


def _settle_one(
    changes: "_Changes", row: _Row, outcome: Outcome | None, result: Result, *, now: datetime, ladder: Ladder
) -> Settled:
    reply = result.reply
    accepted = reply.kind is ReplyKind.ACCEPTED
    if outcome in _FINAL:
        return _standing_of(row)  # a status told us before the answer did, or this is that answer again
    following = rules.after_reply(row.standing, reply, now=now, ladder=ladder, jitter=random.random())
    if outcome is not None:
        changes.record_attempt(row.id, result.attempt, Outcome.LATE, following, reply)
        if accepted and row.state not in _DEAF_TO_LATE_ACCEPTANCES:
            changes.accept(row, following)
            return Settled(row.id, MessageState.SENT, None, None)
        return _standing_of(row)
    if row.state in rules.TAKEN or row.attempt != result.attempt:
        changes.record_attempt(row.id, result.attempt, following.outcome, following, reply)
        return _standing_of(row)
    changes.apply(row, result.attempt, following, reply)
    return Settled(row.id, following.state, following.due_at, following.error_code)


def _standing_of(row: _Row) -> Settled:
    return Settled(row.id, row.state, None, None)


class _Changes:
    """Gathers the writes of a batch, so that each table is written once."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._now = to_micros(unit.now)
        self._messages: list[dict[str, object]] = []
        self._accepted: list[dict[str, object]] = []
        self._attempts: list[dict[str, object]] = []
        self._deaths: list[Death] = []
        self._resolved: list[str] = []
        self._holds: list[tuple[_Row, Explanation]] = []
        self._suppressions: list[tuple[_Row, Explanation]] = []

    def apply(self, row: _Row, attempt: int | None, following: Next, reply: Reply | None = None) -> None:
        """The message moves on; ``attempt`` None leaves the attempts as they are."""
        if attempt is not None:
            self.record_attempt(row.id, attempt, following.outcome, following, reply)
        if following.state is MessageState.SENT:
            self.accept(row, following)
            return
        self._messages.append(
            {
                "key": row.id,
                "new_state": following.state,
                "new_waiting_for": following.waiting_for,
                "new_due_at": following.due_at,
                "new_rung": following.rung,
                "new_rate_waits": following.rate_waits,
                "new_leases_lost": following.leases_lost,
                "new_may_duplicate": following.may_duplicate,
                "new_error_code": following.error_code or row.error_code,
                "new_error_detail": following.error_detail or row.error_detail,
                "new_lease_until": None,
                "new_lease_holder": None,
            }
        )
        why = following.explanation
        if following.is_dead:
            self._deaths.append(_death(row, following))
            if why is not None and suppresses(why.code):
                self._suppressions.append((row, why))
        if following.holds is not None:
            self._holds.append((row, following.holds))

    def accept(self, row: _Row, following: Next) -> None:
        self._accepted.append({"id": row.id, "wamid": following.wamid, "now": self._now})
        if row.state in (MessageState.DEAD, MessageState.FAILED):
            self._resolved.append(row.id)

    def record_attempt(
        self, message_id: str, number: int, outcome: Outcome, following: Next, reply: Reply | None
    ) -> None:
        self._attempts.append(
            {
                "id": message_id,
                "number": number,
                "outcome": outcome.value,
                "now": self._now,
                "error_code": following.error_code,
                "error_detail": following.error_detail,
                "http_status": reply.http_status if reply else None,
                "trace_id": reply.trace_id if reply else None,
                "wamid": reply.wamid if reply else None,
            }
        )

    def write(self) -> None:
        connection = self._unit.session.connection()
        if self._accepted:
            connection.execute(_ACCEPT_MESSAGE, self._accepted)
        if self._messages:
            connection.execute(_UPDATE_MESSAGE, self._messages)
        if self._attempts:
            connection.execute(_UPDATE_ATTEMPT, self._attempts)
        if self._deaths:
            open_letters(self._unit, self._deaths)
        for message_id in self._resolved:
            close_letter(self._unit, message_id=message_id, state=LetterState.RESOLVED, at=self._unit.now)
        for row, why in self._suppressions:
            suppress(
                self._unit,
                workspace_id=row.workspace_id,
                contact_id=row.contact_id,
                kind=SuppressionKind(suppresses(why.code) or SuppressionKind.ALL),
                error_code=why.code,
                message_id=row.id,
            )
        for row, why in self._holds:
            hold_for(self._unit, row.workspace_id, row.phone_number_id, why)


def hold_for(unit: Unit, workspace_id: str, phone_number_id: str, why: Explanation) -> None:
    """The lane of the phone is held for that cause; with scope account, so are its account's other lanes."""
    subjects = [phone_number_id]
    if why.scope in (Scope.ACCOUNT, Scope.APP):
        phone = unit.session.get(Phone, phone_number_id)
        if phone is not None:
            found = select(Phone.id).where(col(Phone.waba_id) == phone.waba_id)
            subjects = list(unit.session.exec(found))
    for subject in subjects:
        hold(
            unit,
            scope=HoldScope.LANE,
            subject=subject,
            cause=_cause(why),
            reason=f"{why.title}. {why.advice}",
            workspace_id=workspace_id,
            error_code=why.code,
        )


def _cause(why: Explanation) -> HoldCause:
    number = int(why.code.removeprefix("meta_")) if why.code.startswith("meta_") else 0
    if number in (0, 10, 102, 104, 190) or 200 <= number <= 299:
        return HoldCause.TOKEN
    if number in (131042, 131044):
        return HoldCause.PAYMENT
    if number in (33, 133005, 133006, 133010, 131045):
        return HoldCause.REGISTRATION
    return HoldCause.RESTRICTION


def _death(row: _Row, following: Next) -> Death:
    return Death(
        message_id=row.id,
        workspace_id=row.workspace_id,
        round=row.round,
        attempts=row.attempt,
        recipient=row.recipient,
        phone_number_id=row.phone_number_id,
        template_name=row.template_name,
        may_duplicate=following.may_duplicate,
        error_code=following.error_code or "bad_response",
        error_detail=following.error_detail or "",
    )


def _load(unit: Unit, message_ids: list[str]) -> dict[str, _Row]:
    rows = unit.session.connection().execute(_LOAD, {"ids": message_ids})
    return {row[0]: _Row(*row) for row in rows}


def _outcomes(unit: Unit, message_ids: list[str]) -> dict[tuple[str, int], Outcome | None]:
    rows = unit.session.connection().execute(_OUTCOMES, {"ids": message_ids})
    return {(row[0], row[1]): Outcome(row[2]) if row[2] else None for row in rows}
