"""What becomes of a message after an attempt (Q3-Q6, Q8): pure functions, no clock, no database."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.lanes.outages import Heard
from core.ports.graph_replies import Reply, ReplyKind
from core.ports.meta_errors import ErrorClass, Explanation, Scope, classify, explain
from data.enums import MessageState, Outcome, WaitingFor

JITTER = 0.2
RATE_WAIT_BASE_S = 1.0
RATE_WAIT_MAX_S = 60.0
PAIR_LIMIT = 131056
TEMPLATE_PAUSED = 132015
SILENCES = frozenset({"network_timeout", "connection_failed"})
LEASES_TO_POISON = 2
PROCESS_DIED = "The process that sent it stopped before it could write down the answer."

WAITING = frozenset({MessageState.QUEUED, MessageState.RETRY_QUEUED})
ON_THE_WAY = frozenset({MessageState.CLAIMED, MessageState.SENDING})
TAKEN = frozenset({MessageState.SENT, MessageState.DELIVERED, MessageState.READ})

_FORWARD = {MessageState.SENT: 1, MessageState.DELIVERED: 2, MessageState.READ: 3}
# Meta's word for a status → ours. A voice message that was played has been read.
STATUS_STATES = {
    "sent": MessageState.SENT,
    "delivered": MessageState.DELIVERED,
    "read": MessageState.READ,
    "played": MessageState.READ,
}


@dataclass(frozen=True, slots=True)
class Ladder:
    """The waits between attempts, in seconds: one original attempt, then one per rung (Q4)."""

    delays_s: tuple[float, ...]
    hold_unknown: bool = False

    @property
    def first_s(self) -> float:
        return self.delays_s[0]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules need to know of a message. ``state`` is its state as it is stored now; ``since`` when it
    was due, which is its place in the order of its lane."""

    state: MessageState
    attempt: int
    round: int
    rung: int
    rate_waits: int
    leases_lost: int
    expires_at: datetime
    may_duplicate: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Next:
    """What the message is after an attempt, and what became of the attempt."""

    outcome: Outcome
    state: MessageState
    waiting_for: WaitingFor | None = None
    due_at: datetime | None = None
    rung: int = 0
    rate_waits: int = 0
    leases_lost: int = 0
    may_duplicate: bool = False
    wamid: str | None = None
    error_code: str | None = None
    error_detail: str | None = None
    holds: Explanation | None = None
    parks: Explanation | None = None
    explanation: Explanation | None = None

    @property
    def is_dead(self) -> bool:
        return self.state in (MessageState.DEAD, MessageState.FAILED)


def explain_reply(reply: Reply) -> Explanation:
    """Why a send that was not accepted was not."""
    if reply.meta_code is not None:
        return classify(reply.meta_code, http_status=reply.http_status or 0, is_transient=reply.is_transient)
    return explain(reply.word or "bad_response")


def after_reply(standing: Standing, reply: Reply, *, now: datetime, ladder: Ladder, jitter: float) -> Next:
    """What follows from Meta's answer, or from the lack of one. ``jitter``: 0 to 1, spreads the wait.

    *A timeout on the first attempt, ladder 60,300,900,3600 → retry_queued, due in 60 to 72 s, may duplicate;
    131026 → dead at once; 130429 → again in a second, no rung used.*
    """
    if reply.kind is ReplyKind.ACCEPTED:
        return Next(
            Outcome.ACCEPTED,
            MessageState.SENT,
            rung=standing.rung,
            leases_lost=standing.leases_lost,
            may_duplicate=standing.may_duplicate,
            wamid=reply.wamid,
        )
    why = explain_reply(reply)
    failed = Next(
        Outcome.UNKNOWN if reply.kind is ReplyKind.UNKNOWN else Outcome.PASSING,
        MessageState.RETRY_QUEUED,
        rung=standing.rung,
        rate_waits=standing.rate_waits,
        leases_lost=standing.leases_lost,
        may_duplicate=standing.may_duplicate or reply.kind is ReplyKind.UNKNOWN,
        error_code=why.code,
        error_detail=reply.detail or why.meaning,
        explanation=why,
    )
    if reply.kind is ReplyKind.UNKNOWN:
        if ladder.hold_unknown:
            return _parked(failed)
        return _climb(failed, standing, why, reply.retry_after_s, now=now, ladder=ladder, jitter=jitter)
    if _parks_template(why):
        return _wait_for_template(failed, standing, why)
    if why.holds:
        return _wait_for_lane(failed, standing, why)
    if not why.can_pass:
        return replace(failed, outcome=Outcome.REFUSED, state=MessageState.DEAD)
    if not why.uses_rung:
        return _wait_for_rate(failed, standing, why, reply.retry_after_s, now=now, jitter=jitter)
    return _climb(failed, standing, why, reply.retry_after_s, now=now, ladder=ladder, jitter=jitter)


def after_failed_status(
    standing: Standing, why: Explanation, detail: str, *, now: datetime, ladder: Ladder, jitter: float
) -> Next:
    """What follows when Meta accepted a send and reports later that it failed: the ladder if that can pass,
    else ``failed`` with a dead letter (Q3)."""
    failed = Next(
        Outcome.ACCEPTED,
        MessageState.RETRY_QUEUED,
        rung=standing.rung,
        rate_waits=standing.rate_waits,
        leases_lost=standing.leases_lost,
        may_duplicate=standing.may_duplicate,
        error_code=why.code,
        error_detail=detail or why.meaning,
        explanation=why,
    )
    if _parks_template(why):
        return _wait_for_template(failed, standing, why)
    if why.holds:
        return _wait_for_lane(failed, standing, why)
    if why.can_pass:
        if why.uses_rung:
            following = _climb(failed, standing, why, 0.0, now=now, ladder=ladder, jitter=jitter)
        else:
            following = _wait_for_rate(failed, standing, why, 0.0, now=now, jitter=jitter)
        if not following.is_dead:
            return following
    return replace(failed, state=MessageState.FAILED)


def after_nothing_left(standing: Standing, *, now: datetime) -> Next:
    """What follows when nothing of an attempt was on the wire: it is due at once, as it was."""
    return Next(
        Outcome.LOST,
        waiting_state(standing),
        waiting_for=None if standing.rung == 0 else WaitingFor.RUNG,
        due_at=now,
        rung=standing.rung,
        rate_waits=standing.rate_waits,
        leases_lost=standing.leases_lost,
        may_duplicate=standing.may_duplicate,
    )


def after_lost_lease(standing: Standing, *, now: datetime, ladder: Ladder) -> Next:
    """What follows when the process that had a message is gone.

    Claimed: nothing was on the wire, so it is due at once. Sending: nobody knows, so it waits the first
    rung's time for a status, using up no rung; the second such loss is ``poison``.
    """
    if standing.state is MessageState.CLAIMED:
        return after_nothing_left(standing, now=now)
    lost = Next(
        Outcome.UNKNOWN,
        MessageState.RETRY_QUEUED,
        rung=standing.rung,
        rate_waits=standing.rate_waits,
        leases_lost=standing.leases_lost + 1,
        may_duplicate=True,
        error_code="network_timeout",
        error_detail=PROCESS_DIED,
        explanation=explain("network_timeout"),
    )
    if lost.leases_lost >= LEASES_TO_POISON:
        why = explain("poison")
        return replace(
            lost, state=MessageState.DEAD, error_code=why.code, error_detail=why.meaning, explanation=why
        )
    if ladder.hold_unknown:
        return _parked(lost)
    due_at = now + timedelta(seconds=ladder.first_s)
    if due_at >= standing.expires_at:
        return replace(lost, state=MessageState.DEAD)
    return replace(lost, waiting_for=WaitingFor.RUNG, due_at=due_at)


def waiting_state(standing: Standing) -> MessageState:
    """``queued`` until an attempt of this round failed, then ``retry_queued``."""
    failed_before = standing.rung or standing.rate_waits or standing.leases_lost
    return MessageState.RETRY_QUEUED if failed_before else MessageState.QUEUED


def forward(present: MessageState, reported: MessageState) -> MessageState:
    """The further of the two on sent, delivered, read. *read, then a late delivered → read.*"""
    return reported if _FORWARD.get(present, 0) < _FORWARD[reported] else present


def public_state(state: MessageState) -> str:
    """The word that people and scripts see: whether a claim is on the wire yet is our own business."""
    return "sending" if state is MessageState.CLAIMED else state.value


def _climb(
    failed: Next,
    standing: Standing,
    why: Explanation,
    retry_after_s: float,
    *,
    now: datetime,
    ladder: Ladder,
    jitter: float,
) -> Next:
    """The next rung, or dead: when there is none, or when its wait would outlast the message (Q8)."""
    if standing.rung >= len(ladder.delays_s):
        return replace(failed, state=MessageState.DEAD)
    wait_s = max(ladder.delays_s[standing.rung], why.min_wait_s, retry_after_s)
    if now + timedelta(seconds=wait_s) >= standing.expires_at:
        return replace(failed, state=MessageState.DEAD)
    return replace(
        failed,
        rung=standing.rung + 1,
        rate_waits=0,
        waiting_for=WaitingFor.RUNG,
        due_at=now + timedelta(seconds=wait_s * (1.0 + JITTER * jitter)),
    )


def _wait_for_rate(
    failed: Next, standing: Standing, why: Explanation, retry_after_s: float, *, now: datetime, jitter: float
) -> Next:
    """A rate limit uses up no rung; only age ends it. 131056 waits 1, 4, 16, … s (Meta: 4^n)."""
    factor = 4.0 if why.code == f"meta_{PAIR_LIMIT}" else 2.0
    backoff_s = RATE_WAIT_BASE_S * factor ** min(standing.rate_waits, 16)
    if why.code != f"meta_{PAIR_LIMIT}":
        backoff_s = min(backoff_s, RATE_WAIT_MAX_S)
    wait_s = max(backoff_s, why.min_wait_s, retry_after_s)
    if now + timedelta(seconds=wait_s) >= standing.expires_at:
        return replace(failed, state=MessageState.DEAD)
    return replace(
        failed,
        rate_waits=standing.rate_waits + 1,
        waiting_for=WaitingFor.THROUGHPUT,
        due_at=now + timedelta(seconds=wait_s * (1.0 + JITTER * jitter)),
    )


def _parks_template(why: Explanation) -> bool:
    """A cause that reaches one template only lets the lane go on; all messages of that template wait."""
    return why.code == f"meta_{TEMPLATE_PAUSED}" or (why.holds and why.scope is Scope.TEMPLATE)


def _wait_for_lane(failed: Next, standing: Standing, why: Explanation) -> Next:
    """The lane is held; its messages wait in their order, and this one uses up no rung."""
    return replace(
        failed,
        state=waiting_state(standing),
        waiting_for=WaitingFor.LANE,
        due_at=standing.since,
        holds=why,
    )


def _wait_for_template(failed: Next, standing: Standing, why: Explanation) -> Next:
    """It waits until the template may be sent again, and uses up no rung. When it is too old to be sent it is
    due, and dies of that (Q8)."""
    return replace(
        failed,
        state=waiting_state(standing),
        waiting_for=WaitingFor.TEMPLATE,
        due_at=standing.expires_at,
        parks=why,
    )


def heard(reply: Reply) -> Heard | None:
    """What a reply tells of Meta's state (Q7); None for Meta's rate limits, which tell nothing."""
    if reply.kind is ReplyKind.ACCEPTED:
        return Heard.ANSWER
    why = explain_reply(reply)
    if not why.uses_rung:
        return None
    if reply.meta_code is None and (why.code in SILENCES or why.code.startswith("http_5")):
        return Heard.SILENCE
    return Heard.FAILURE if why.klass is ErrorClass.RETRY else Heard.ANSWER


def _parked(failed: Next) -> Next:
    return replace(failed, state=MessageState.UNKNOWN, waiting_for=WaitingFor.PERSON)
