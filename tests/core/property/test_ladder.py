"""Q2-Q8 as a state machine: whatever Meta answers, in whatever order, the promises hold."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from core.messaging.rules import (
    JITTER,
    TAKEN,
    Ladder,
    Next,
    Standing,
    after_failed_status,
    after_lost_lease,
    after_reply,
    explain_reply,
    forward,
)
from core.ports.graph_replies import Reply, ReplyKind
from core.ports.meta_errors import TABLE, ErrorClass, classify, explain
from data.enums import MessageState, Outcome, WaitingFor

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
S = MessageState
# Written from the rules by hand, not from the code: where an attempt that was on its way may lead.
ALLOWED: dict[MessageState, set[MessageState]] = {
    S.SENDING: {S.SENT, S.QUEUED, S.RETRY_QUEUED, S.UNKNOWN, S.DEAD},
    S.CLAIMED: {S.QUEUED, S.RETRY_QUEUED},
    S.SENT: {S.QUEUED, S.RETRY_QUEUED, S.FAILED},
}
CODES = [int(code.removeprefix("meta_")) for code in TABLE if code.startswith("meta_")] + [987654]
WORDS = [
    "network_timeout",
    "connection_failed",
    "bad_response",
    "http_502",
    "http_503",
    "http_404",
    "http_429",
]

replies = st.one_of(
    st.just(Reply(ReplyKind.ACCEPTED, wamid="wamid.x", http_status=200)),
    st.builds(
        Reply,
        kind=st.just(ReplyKind.REFUSED),
        meta_code=st.sampled_from(CODES),
        http_status=st.sampled_from([400, 401, 403, 429, 500, 503]),
        is_transient=st.booleans(),
        retry_after_s=st.sampled_from([0.0, 0.5, 30.0, 4000.0]),
    ),
    st.builds(
        Reply,
        kind=st.sampled_from([ReplyKind.REFUSED, ReplyKind.UNKNOWN]),
        word=st.sampled_from(WORDS),
        retry_after_s=st.sampled_from([0.0, 90.0]),
    ),
)
# 132015 passes, but its messages wait for their template and not for a time.
PASSING_CODES = [code for code in CODES if explain(f"meta_{code}").can_pass and code != 132015]
passing_replies = st.one_of(
    st.builds(
        Reply,
        kind=st.just(ReplyKind.REFUSED),
        meta_code=st.sampled_from(PASSING_CODES),
        retry_after_s=st.sampled_from([0.0, 30.0, 4000.0]),
    ),
    st.builds(
        Reply, kind=st.just(ReplyKind.UNKNOWN), word=st.sampled_from(["network_timeout", "bad_response"])
    ),
)
ladders = st.builds(
    Ladder,
    st.lists(st.floats(0.5, 4000), min_size=1, max_size=6).map(tuple),
    st.booleans(),
)
jitters = st.floats(0, 1)


@dataclass
class Life:
    """One message, driven by what happens to it; counts written apart from the code's own."""

    ladder: Ladder
    now: datetime = START
    standing: Standing = field(
        default_factory=lambda: Standing(
            S.QUEUED, 0, 1, 0, 0, 0, START + timedelta(days=30), may_duplicate=False, since=START
        )
    )
    rungs_taken: int = 0
    seen: list[MessageState] = field(default_factory=list)

    def send(self) -> None:
        self.standing = replace(self.standing, state=S.SENDING, attempt=self.standing.attempt + 1)

    def follow(self, following: Next) -> None:
        before = self.standing
        assert following.state in ALLOWED[before.state], (before.state, following.state)
        assert following.rung in (before.rung, before.rung + 1)
        self.rungs_taken += following.rung - before.rung
        assert following.may_duplicate >= before.may_duplicate
        if following.due_at is not None and following.waiting_for is not WaitingFor.LANE:
            assert self.now <= following.due_at
            self.now = following.due_at
        if following.is_dead or following.state is S.UNKNOWN:
            assert following.due_at is None
        self.seen.append(following.state)
        self.standing = replace(
            before,
            state=following.state,
            rung=following.rung,
            rate_waits=following.rate_waits,
            leases_lost=following.leases_lost,
            may_duplicate=following.may_duplicate,
        )


@settings(max_examples=300, deadline=None)
@given(ladders, st.lists(st.tuples(replies, jitters), max_size=25))
def test_q4_any_sequence_of_replies_takes_only_allowed_steps_and_at_most_the_ladders_rungs(
    ladder: Ladder, answers: list[tuple[Reply, float]]
) -> None:
    life = Life(ladder)
    for reply, jitter in answers:
        if life.standing.state not in (S.QUEUED, S.RETRY_QUEUED):
            break
        life.send()
        life.follow(after_reply(life.standing, reply, now=life.now, ladder=ladder, jitter=jitter))
    assert life.rungs_taken <= len(ladder.delays_s)


@settings(max_examples=200, deadline=None)
@given(ladders.map(lambda ladder: replace(ladder, hold_unknown=False)), st.data())
def test_q4_a_message_that_always_fails_in_passing_dies_with_the_attempt_after_the_last_rung(
    ladder: Ladder, data: st.DataObject
) -> None:
    life = Life(ladder)
    attempts_that_count = 0
    counts = True
    while life.standing.state in (S.QUEUED, S.RETRY_QUEUED) and life.standing.attempt < 60:
        reply = data.draw(passing_replies)
        life.send()
        life.follow(after_reply(life.standing, reply, now=life.now, ladder=ladder, jitter=0.0))
        counts = reply.kind is ReplyKind.UNKNOWN or explain_reply(reply).uses_rung
        attempts_that_count += counts
    assert attempts_that_count <= len(ladder.delays_s) + 1
    grew_old = not counts or life.now > START + timedelta(days=15)
    if life.standing.state is S.DEAD and not grew_old:
        assert attempts_that_count == len(ladder.delays_s) + 1


@settings(max_examples=300, deadline=None)
@given(passing_replies, st.integers(0, 5), st.integers(0, 12), jitters)
def test_q4_every_wait_equals_the_naive_reckoning(
    reply: Reply, rung: int, rate_waits: int, jitter: float
) -> None:
    delays = (60.0, 300.0, 900.0, 3600.0)
    standing = Standing(S.SENDING, rung + 1, 1, rung, rate_waits, 0, START + timedelta(days=7), False, START)
    following = after_reply(standing, reply, now=START, ladder=Ladder(delays), jitter=jitter)
    why = explain_reply(reply)
    if reply.kind is ReplyKind.UNKNOWN or why.uses_rung:
        promised = [*delays, None][min(rung, 4)]
    elif reply.meta_code == 131056:
        promised = 4.0**rate_waits
    else:
        promised = min(2.0**rate_waits, 60.0)
    if promised is not None:
        promised = max(promised, why.min_wait_s, reply.retry_after_s)
    if promised is None or START + timedelta(seconds=promised) >= standing.expires_at:
        assert following.state is S.DEAD
        return
    assert following.due_at is not None
    waited = (following.due_at - START).total_seconds()
    assert promised - 1e-5 <= waited <= promised * (1 + JITTER) + 1e-5


@settings(max_examples=200, deadline=None)
@given(ladders, st.lists(st.sampled_from(["claimed", "sending"]), max_size=8))
def test_q2_any_sequence_of_lost_leases_uses_no_rung_and_the_second_on_the_wire_is_poison(
    ladder: Ladder, losses: list[str]
) -> None:
    life = Life(replace(ladder, hold_unknown=False))
    on_the_wire = 0
    for loss in losses:
        life.send()
        life.standing = replace(life.standing, state=S(loss))
        on_the_wire += loss == "sending"
        life.follow(after_lost_lease(life.standing, now=life.now, ladder=life.ladder))
        if on_the_wire == 2:
            assert life.standing.state is S.DEAD
            return
        assert life.standing.state is (S.RETRY_QUEUED if on_the_wire else S.QUEUED)
    assert life.rungs_taken == 0


@given(st.lists(st.sampled_from([S.SENT, S.DELIVERED, S.READ]), min_size=1, max_size=12))
def test_q3_forward_ends_at_the_furthest_status_whatever_the_order(reported: list[MessageState]) -> None:
    order = [S.SENT, S.DELIVERED, S.READ]
    state = S.SENDING
    for status in reported:
        before, state = state, forward(state, status)
        if before in order:
            assert order.index(state) >= order.index(before)
    assert state is order[max(order.index(status) for status in reported)]
    assert state in TAKEN


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CODES), st.integers(0, 6), ladders, jitters)
def test_q3_a_failure_reported_later_never_leaves_a_message_as_sent(
    code: int, rung: int, ladder: Ladder, jitter: float
) -> None:
    standing = Standing(
        S.SENT, 1, 1, rung, 0, 0, START + timedelta(days=30), may_duplicate=False, since=START
    )
    why = classify(code, http_status=0, is_transient=False)
    following = after_failed_status(standing, why, "", now=START, ladder=ladder, jitter=jitter)
    assert following.state in ALLOWED[S.SENT]
    assert following.outcome is Outcome.ACCEPTED
    if why.klass in (ErrorClass.FIX, ErrorClass.PERMANENT, ErrorClass.RECIPIENT):
        assert following.state is S.FAILED
