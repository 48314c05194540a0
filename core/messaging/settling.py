"""Writing down what came of attempts (Q2, third step), and taking back what a dead process had."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import bindparam, text, update
from sqlmodel import col, select

from core.contacts.commands import suppress
from core.contacts.rules import ERASED
from core.conversations.commands import mark_due
from core.lanes import outages
from core.lanes.holding import hold
from core.messaging import pairs, rules
from core.messaging.letters import DELIVERED, GOES_ON, Death, close_letter, open_letters
from core.messaging.rules import Ladder, Next, Standing
from core.ports.graph_replies import Reply, ReplyKind
from core.ports.meta_errors import Explanation, Scope, suppresses
from core.templates import commands as templates
from core.templates.rules import SENDABLE
from core.traffic import measures
from core.traffic.measures import Timing
from core.traffic.noting import Noted
from core.unit import Unit
from data.columns import to_micros
from data.engine import Keyed
from data.enums import (
    HoldCause,
    HoldScope,
    LetterState,
    MessageState,
    Outcome,
    SuppressionKind,
    WaitingFor,
)
from data.messages import LEASED, Message
from data.sending import Phone, Template

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
    Message.template_language,
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
    Message.due_at,
    Message.wamid,
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
# What every send runs through is one statement for all that came back together.
_ACCEPT_MESSAGES = Keyed(
    "UPDATE message SET state = 'sent', waiting_for = NULL, due_at = NULL, wamid = one.value->>1, "
    "sent_at = :now, error_code = NULL, error_detail = NULL, lease_until = NULL, lease_holder = NULL "
    "FROM {pairs} AS one WHERE message.id = one.value->>0"
)
_UPDATE_ATTEMPTS = Keyed(
    "UPDATE attempt SET outcome = one.value->>2, finished_at = :now, error_code = one.value->>3, "
    "error_detail = one.value->>4, http_status = CAST(one.value->>5 AS INTEGER), "
    "trace_id = one.value->>6, wamid = one.value->>7 FROM {pairs} AS one "
    "WHERE attempt.message_id = one.value->>0 AND attempt.number = CAST(one.value->>1 AS INTEGER)"
)
_LOAD = (
    select(*_MESSAGE)  # type: ignore[call-overload]
    .where(col(Message.id).in_(bindparam("ids", expanding=True)))
    .order_by(col(Message.id))  # whoever locks several takes them in this order, or two could wait forever
    .with_for_update()
)
_ATTEMPTS = text(
    "SELECT message_id, number, outcome, claimed_at, started_at FROM attempt WHERE message_id IN :ids"
).bindparams(bindparam("ids", expanding=True))


@dataclass(frozen=True, slots=True)
class Result:
    """What came back for one attempt; ``reply`` None: nothing of it left us."""

    message_id: str
    attempt: int
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class Failure:
    """What Meta reports about a message that it had accepted: why it failed, in its own words too."""

    message_id: str
    why: Explanation
    detail: str


@dataclass(frozen=True, slots=True)
class Settled:
    """Where the message stands once its attempt is written down."""

    message_id: str
    state: MessageState
    due_at: datetime | None
    error_code: str | None
    wamid: str | None = None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Moments in microseconds."""

    outcome: Outcome | None
    claimed_at: int
    started_at: int | None


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    workspace_id: str
    phone_number_id: str
    contact_id: str
    recipient: str
    template_name: str | None
    template_language: str | None
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
    due_at: datetime | None
    wamid: str | None

    @property
    def pair(self) -> pairs.Pair:
        return self.phone_number_id, self.contact_id

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
            since=self.due_at or self.created_at,
        )


def ladder_of(unit: Unit) -> Ladder:
    settings = unit.settings
    return Ladder(settings.waypost_retry_delays, hold_unknown=settings.waypost_unknown_outcome == "hold")


def settle(unit: Unit, results: list[Result]) -> list[Settled]:
    """Every result is written down, each exactly once; in the order given.

    A result whose attempt was taken from us meanwhile (its lease ran out) is kept as ``late``; only a late
    acceptance still counts, as evidence, if no newer attempt is out.
    """
    if not results:
        return []
    message_ids = [result.message_id for result in results]
    rows = _load(unit, message_ids)
    if len(rows) < len(results):  # two attempts of one message: the second must see what the first wrote
        return [standing for result in results for standing in settle(unit, [result])]
    attempts = _attempts(unit, message_ids)
    ladder = ladder_of(unit)
    changes = _Changes(unit, attempts)
    settled = []
    for result in results:
        row = rows[result.message_id]
        outcome = attempts[(result.message_id, result.attempt)].outcome
        settled.append(_settle_one(changes, row, outcome, result, now=unit.now, ladder=ladder))
    changes.write()
    give_back(unit, outages.note(unit, changes.signs) if changes.signs else Counter())
    return settled


def rescue(unit: Unit) -> int:
    """Work whose lease ran out is taken back (Q2, Q6); returns how many messages. Call until it is 0."""
    statement = (
        select(*_MESSAGE)  # type: ignore[call-overload]
        .where(LEASED, col(Message.lease_until) <= unit.now)
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


def fail_after_acceptance(unit: Unit, failures: list[Failure]) -> None:
    """Meta took the messages and reports later that they failed (Q3). Each message at most once."""
    rows = _load(unit, [failure.message_id for failure in failures])
    ladder = ladder_of(unit)
    changes = _Changes(unit)
    for failure in failures:
        row = rows[failure.message_id]
        following = rules.after_failed_status(
            row.standing, failure.why, failure.detail, now=unit.now, ladder=ladder, jitter=random.random()
        )
        changes.apply(row, None, following)
    changes.write()


def _settle_one(
    changes: "_Changes", row: _Row, outcome: Outcome | None, result: Result, *, now: datetime, ladder: Ladder
) -> Settled:
    reply = result.reply
    if outcome in _FINAL or row.recipient == ERASED:
        return _standing_of(row)  # a status told us before the answer did, or this is that answer again
    if reply is None:
        if outcome is None and row.attempt == result.attempt and row.state in rules.ON_THE_WAY:
            changes.apply(row, result.attempt, rules.after_nothing_left(row.standing, now=now))
        return _standing_of(row)
    accepted = reply.kind is ReplyKind.ACCEPTED
    standing = changes.standing_before(row, reply)
    following = rules.after_reply(standing, reply, now=now, ladder=ladder, jitter=random.random())
    if outcome is not None:
        changes.record_attempt(row, result.attempt, Outcome.LATE, following, reply)
        if accepted and row.state not in _DEAF_TO_LATE_ACCEPTANCES:
            changes.accept(row, following)
            return Settled(row.id, MessageState.SENT, None, None, following.wamid)
        return _standing_of(row)
    if row.state in rules.TAKEN or row.attempt != result.attempt:
        changes.record_attempt(row, result.attempt, following.outcome, following, reply)
        return _standing_of(row)
    changes.apply(row, result.attempt, following, reply)
    changes.listen(row, following, reply)
    return Settled(row.id, following.state, following.due_at, following.error_code, following.wamid)


def _standing_of(row: _Row) -> Settled:
    return Settled(row.id, row.state, row.due_at, row.error_code, row.wamid)


class _Changes:
    """Gathers the writes of a batch, so that each table is written once."""

    def __init__(self, unit: Unit, attempts: Mapping[tuple[str, int], _Attempt] | None = None) -> None:
        self._unit = unit
        self._now = to_micros(unit.now)
        self._read = attempts or {}
        self._noted = Noted()
        self._messages: list[dict[str, object]] = []
        self._accepted: list[tuple[str, str | None]] = []
        self._events: set[tuple[str, str]] = set()
        self._attempts: list[tuple[str | int | None, ...]] = []
        self._deaths: list[Death] = []
        self._resolved: list[str] = []
        self._holds: list[tuple[_Row, Explanation]] = []
        self._parks: list[tuple[_Row, Explanation]] = []
        self.signs: list[outages.Sign] = []
        self._suppressions: list[tuple[_Row, Explanation]] = []

    def apply(self, row: _Row, attempt: int | None, following: Next, reply: Reply | None = None) -> None:
        """The message moves on; ``attempt`` None leaves the attempts as they are."""
        if attempt is not None:
            self.record_attempt(row, attempt, following.outcome, following, reply)
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
        if following.parks is not None:
            self._parks.append((row, following.parks))

    def standing_before(self, row: _Row, reply: Reply) -> Standing:
        """The row's; of the waits for a rate limit those of its pair count, not its own alone."""
        if reply.meta_code != rules.PAIR_LIMIT:
            return row.standing
        return replace(row.standing, rate_waits=pairs.refusals(self._unit, row.pair))

    def listen(self, row: _Row, following: Next, reply: Reply) -> None:
        """Others than this message learn from the reply: its pair, and all if Meta seems to be down."""
        if reply.meta_code == rules.PAIR_LIMIT and following.due_at is not None:
            pairs.put_off(self._unit, row.pair, refusals=following.rate_waits, until=following.due_at)
        heard = rules.heard(reply)
        if heard is not None:
            self.signs.append(outages.Sign(row.phone_number_id, row.workspace_id, row.id, heard))

    def accept(self, row: _Row, following: Next) -> None:
        self._accepted.append((row.id, following.wamid))
        self._events.add((row.phone_number_id, row.contact_id))
        if row.state in (MessageState.DEAD, MessageState.FAILED):
            self._resolved.append(row.id)

    def record_attempt(
        self, row: _Row, number: int, outcome: Outcome, following: Next, reply: Reply | None
    ) -> None:
        self._note(row, number, outcome, following.error_code)
        self._attempts.append(
            (
                row.id,
                number,
                outcome.value,
                following.error_code,
                following.error_detail,
                reply.http_status if reply else None,
                reply.trace_id if reply else None,
                reply.wamid if reply else None,
            )
        )
        self._unit.count("sends", outcome.value)

    def _note(self, row: _Row, number: int, outcome: Outcome, error_code: str | None) -> None:
        """For the pictures of what was sent."""
        counts = self._noted.of_message(row.workspace_id, row.phone_number_id, row.template_name)
        counts[outcome.value] += 1
        if error_code is not None:
            counts[measures.error(error_code)] += 1
        if row.rung and row.attempt == number:
            counts[measures.retry(row.rung)] += 1
        created_at = to_micros(row.created_at)
        if outcome is Outcome.ACCEPTED and row.round == 1:
            counts[measures.timed(Timing.TAKEN, self._now - created_at)] += 1
        attempt = self._read.get((row.id, number))
        if attempt is None:
            return
        if number == 1:
            counts[measures.timed(Timing.WAITED, attempt.claimed_at - created_at)] += 1
        if attempt.started_at is not None:
            counts[measures.BUSY_MS] += max(0, self._now - attempt.started_at) // 1000

    def write(self) -> None:
        connection = self._unit.session.connection()
        self._noted.write(self._unit)
        _ACCEPT_MESSAGES.write(connection, self._accepted, now=self._now)
        if self._accepted:
            mark_due(self._unit, self._events)
        if self._messages:
            connection.execute(_UPDATE_MESSAGE, self._messages)
        _UPDATE_ATTEMPTS.write(connection, self._attempts, now=self._now)
        if self._deaths:
            open_letters(self._unit, self._deaths)
        for message_id in self._resolved:
            close_letter(
                self._unit,
                message_id=message_id,
                state=LetterState.RESOLVED,
                at=self._unit.now,
                reason=DELIVERED,
            )
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
        for row, why in self._parks:
            _park(self._unit, row, why)


def give_back(unit: Unit, met: Counter[str]) -> None:
    """Messages that met an outage wait for their lane with the rungs that it cost them, and none is dead of
    it (Q7). ``met``: message id → how many of its tries did.

    Those that somebody else is just writing down are left: they find the lane held.
    """
    if not met:
        return
    statement = (
        select(Message)
        .where(
            col(Message.id).in_(met), col(Message.state).in_([MessageState.RETRY_QUEUED, MessageState.DEAD])
        )
        .order_by(col(Message.id))
        .with_for_update(skip_locked=True)
    )
    for message in unit.session.exec(statement.execution_options(populate_existing=True)):
        used_up = met[message.id]
        if message.state is MessageState.DEAD:  # the try that killed it took no further rung
            used_up -= 1
            close_letter(unit, message_id=message.id, state=LetterState.RESOLVED, at=unit.now, reason=GOES_ON)
            message.due_at = message.created_at
        elif not message.may_duplicate:  # else a status may still come before its rung is over
            message.due_at = message.created_at
        message.rung = max(0, message.rung - used_up)
        message.state = MessageState.RETRY_QUEUED
        message.waiting_for = WaitingFor.LANE
        unit.session.add(message)
    unit.session.flush()


def _park(unit: Unit, row: _Row, why: Explanation) -> None:
    """The template takes all its messages out of their lanes: until our copy of it, or its hold, says that it
    may be sent again."""
    found = (
        select(Template)
        .join(Phone, col(Phone.waba_id) == col(Template.waba_id))
        .where(
            col(Phone.id) == row.phone_number_id,
            col(Template.name) == row.template_name,
            col(Template.language) == row.template_language,
        )
    )
    template = unit.session.exec(found).first()
    if template is None:
        return
    if why.holds:
        hold(
            unit,
            scope=HoldScope.TEMPLATE,
            subject=template.id,
            cause=_cause(why),
            reason=f"{why.title}. {why.advice}",
            workspace_id=row.workspace_id,
            error_code=why.code,
        )
    elif template.status in SENDABLE:
        templates.pause(unit, template)


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


def _attempts(unit: Unit, message_ids: list[str]) -> dict[tuple[str, int], _Attempt]:
    rows = unit.session.connection().execute(_ATTEMPTS, {"ids": message_ids})
    return {(row[0], row[1]): _Attempt(Outcome(row[2]) if row[2] else None, row[3], row[4]) for row in rows}
