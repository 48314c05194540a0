from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.lanes.outages import Heard
from core.messaging import rules
from core.messaging.rules import Ladder, Next, Standing, after_failed_status, after_lost_lease, after_reply
from core.ports.graph_replies import Reply, ReplyKind
from core.ports.meta_errors import META_ROWS, ErrorClass, Scope, classify, explain
from data.enums import MessageState, Outcome, WaitingFor

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SINCE = NOW - timedelta(minutes=3)
LADDER = Ladder((60.0, 300.0, 900.0, 3600.0))
HOLDING = Ladder((60.0, 300.0, 900.0, 3600.0), hold_unknown=True)
TIMEOUT = Reply(ReplyKind.UNKNOWN, word="network_timeout", detail="Meta did not answer in time.")


def standing(**changes: Any) -> Standing:
    values: dict[str, Any] = {
        "state": MessageState.SENDING,
        "attempt": 1,
        "round": 1,
        "rung": 0,
        "rate_waits": 0,
        "leases_lost": 0,
        "expires_at": NOW + timedelta(days=1),
        "may_duplicate": False,
        "since": SINCE,
    }
    return Standing(**values | changes)


def refusal(code: int, *, retry_after_s: float = 0.0, http_status: int = 400) -> Reply:
    return Reply(
        ReplyKind.REFUSED, meta_code=code, http_status=http_status, retry_after_s=retry_after_s, detail="No."
    )


def after(reply: Reply, *, ladder: Ladder = LADDER, jitter: float = 0.0, **changes: Any) -> Next:
    return after_reply(standing(**changes), reply, now=NOW, ladder=ladder, jitter=jitter)


def wait_s(following: Next) -> float:
    assert following.due_at is not None
    return (following.due_at - NOW).total_seconds()


# Q4: the ladder


def test_q4_the_default_ladder_allows_five_attempts_and_then_the_message_is_dead() -> None:
    waits: list[float] = []
    rung = 0
    for attempt in range(1, 5):
        following = after(refusal(131016), attempt=attempt, rung=rung)
        assert following.state is MessageState.RETRY_QUEUED
        assert following.outcome is Outcome.PASSING
        assert following.waiting_for is WaitingFor.RUNG
        waits.append(wait_s(following))
        rung = following.rung
    assert waits == [60, 300, 900, 3600]
    last = after(refusal(131016), attempt=5, rung=rung)
    assert last.is_dead
    assert (last.state, last.due_at, last.error_code) == (MessageState.DEAD, None, "meta_131016")


@pytest.mark.parametrize(("jitter", "expected_s"), [(0.0, 60.0), (0.5, 66.0), (1.0, 72.0)])
def test_q4_jitter_adds_up_to_a_fifth_and_never_comes_earlier(jitter: float, expected_s: float) -> None:
    assert wait_s(after(TIMEOUT, jitter=jitter)) == pytest.approx(expected_s)


def test_q4_retry_after_lengthens_a_rung_and_never_shortens_it() -> None:
    assert wait_s(after(refusal(131016, retry_after_s=400))) == 400
    assert wait_s(after(refusal(131016, retry_after_s=5))) == 60


def test_q4_a_codes_own_minimum_lengthens_a_rung_and_never_shortens_it() -> None:
    assert explain("meta_133015").min_wait_s == 300
    assert wait_s(after(refusal(133015))) == 300
    assert wait_s(after(refusal(133015), rung=3)) == 3600


@pytest.mark.parametrize("code", [130429, 131056, 80007])
def test_q4_a_rate_limit_uses_up_no_rung(code: int) -> None:
    following = after(refusal(code), rung=2)
    assert following.state is MessageState.RETRY_QUEUED
    assert following.waiting_for is WaitingFor.THROUGHPUT
    assert (following.rung, following.rate_waits) == (2, 1)


def test_q4_a_rate_limit_waits_even_when_all_rungs_are_used_up() -> None:
    assert after(refusal(130429), rung=4).state is MessageState.RETRY_QUEUED


def test_q4_the_pair_limit_waits_four_to_the_power_of_n() -> None:
    assert [wait_s(after(refusal(131056), rate_waits=n)) for n in range(6)] == [1, 4, 16, 64, 256, 1024]


def test_q4_other_rate_limits_double_up_to_a_minute() -> None:
    waits = [wait_s(after(refusal(130429), rate_waits=n)) for n in range(9)]
    assert waits == [2, 2, 4, 8, 16, 32, 60, 60, 60]


def test_q4_a_rung_forgets_the_rate_waits_before_it() -> None:
    assert after(refusal(131016), rate_waits=7).rate_waits == 0


def test_q4_a_ladder_of_one_rung_allows_two_attempts() -> None:
    short = Ladder((5.0,))
    assert wait_s(after(TIMEOUT, ladder=short)) == 5
    assert after(TIMEOUT, ladder=short, rung=1).is_dead


# Q5: classes


def test_q5_every_code_of_metas_table_goes_the_way_of_its_class() -> None:
    long_life = NOW + timedelta(days=365)
    for row in META_ROWS:
        why = explain(row.code)
        following = after(refusal(int(row.code.removeprefix("meta_"))), expires_at=long_life)
        if row.code == "meta_132015" or (why.holds and why.scope is Scope.TEMPLATE):
            assert following.parks == why, row.code
            assert (following.waiting_for, following.due_at) == (WaitingFor.TEMPLATE, long_life), row.code
            assert (following.state, following.rung) == (MessageState.QUEUED, 0), row.code
        elif why.holds:
            assert following.holds == why, row.code
            assert (following.waiting_for, following.due_at) == (WaitingFor.LANE, SINCE), row.code
            assert following.rung == 0, row.code
        elif why.klass in (ErrorClass.RETRY, ErrorClass.WAIT):
            assert following.state is MessageState.RETRY_QUEUED, row.code
            assert following.rung == (1 if why.uses_rung else 0), row.code
        else:
            assert (following.outcome, following.state) == (Outcome.REFUSED, MessageState.DEAD), row.code
        assert following.error_code == row.code


@pytest.mark.parametrize("code", [131026, 131047, 132000, 132001, 100, 131050])
def test_q5_what_cannot_pass_is_dead_at_once(code: int) -> None:
    following = after(refusal(code))
    assert (following.state, following.outcome) == (MessageState.DEAD, Outcome.REFUSED)
    assert following.error_code == f"meta_{code}"


def test_q5_the_code_decides_and_not_the_http_status() -> None:
    assert after(refusal(131026, http_status=500)).is_dead
    assert not after(refusal(131016, http_status=400)).is_dead


def test_q5_an_unlisted_code_is_retried_if_transient_or_of_the_server_else_dead_under_its_own_code() -> None:
    assert not after(refusal(987654, http_status=503)).is_dead
    transient = Reply(ReplyKind.REFUSED, meta_code=987654, http_status=400, is_transient=True)
    assert not after(transient).is_dead
    dead = after(refusal(987654))
    assert (dead.state, dead.error_code) == (MessageState.DEAD, "meta_987654")
    assert dead.explanation is not None
    assert "not known" in dead.explanation.title


def test_q5_a_held_lane_keeps_a_message_that_was_never_tried_queued() -> None:
    assert after(refusal(190)).state is MessageState.QUEUED
    assert after(refusal(190), rung=1).state is MessageState.RETRY_QUEUED


# Q6: unknown outcomes


@pytest.mark.parametrize(
    ("word", "kind", "outcome", "doubles"),
    [
        ("network_timeout", ReplyKind.UNKNOWN, Outcome.UNKNOWN, True),
        ("connection_failed", ReplyKind.UNKNOWN, Outcome.UNKNOWN, True),
        ("http_502", ReplyKind.UNKNOWN, Outcome.UNKNOWN, True),
        ("bad_response", ReplyKind.UNKNOWN, Outcome.UNKNOWN, True),
        ("connection_failed", ReplyKind.REFUSED, Outcome.PASSING, False),
    ],
)
def test_q6_only_an_unknown_outcome_may_duplicate(
    word: str, kind: ReplyKind, outcome: Outcome, doubles: bool
) -> None:
    following = after(Reply(kind, word=word))
    assert following.state is MessageState.RETRY_QUEUED
    assert (following.outcome, following.may_duplicate, following.rung) == (outcome, doubles, 1)


def test_q6_once_a_message_may_duplicate_it_stays_so() -> None:
    assert after(refusal(131016), may_duplicate=True).may_duplicate


def test_q6_hold_parks_an_unknown_outcome_for_a_person() -> None:
    following = after(TIMEOUT, ladder=HOLDING)
    assert (following.state, following.waiting_for) == (MessageState.UNKNOWN, WaitingFor.PERSON)
    assert (following.due_at, following.rung) == (None, 0)


def test_q6_hold_does_not_park_what_is_known_to_have_failed() -> None:
    assert after(refusal(131016), ladder=HOLDING).state is MessageState.RETRY_QUEUED


# Q8: age


def test_q8_a_wait_that_outlasts_the_message_is_dead_at_once_under_that_code() -> None:
    soon = NOW + timedelta(seconds=300)
    assert not after(refusal(131016), expires_at=soon).is_dead
    dead = after(refusal(131016), rung=1, expires_at=soon)
    assert (dead.state, dead.error_code) == (MessageState.DEAD, "meta_131016")
    assert after(refusal(130429, retry_after_s=300), expires_at=soon).is_dead
    assert not after(refusal(130429, retry_after_s=299), expires_at=soon).is_dead


def test_q8_a_code_that_asks_for_a_day_is_dead_at_once_with_the_default_age() -> None:
    assert after(refusal(131049)).is_dead


# Q2, Q4: lost leases


def test_q2_a_lease_lost_while_claimed_is_due_at_once_and_costs_nothing() -> None:
    following = after_lost_lease(standing(state=MessageState.CLAIMED), now=NOW, ladder=LADDER)
    assert (following.outcome, following.state) == (Outcome.LOST, MessageState.QUEUED)
    assert (following.due_at, following.rung, following.leases_lost) == (NOW, 0, 0)
    assert not following.may_duplicate


def test_q6_a_lease_lost_while_sending_waits_the_first_rung_and_uses_none() -> None:
    for rung in range(5):
        following = after_lost_lease(standing(rung=rung), now=NOW, ladder=LADDER)
        assert (following.outcome, following.state) == (Outcome.UNKNOWN, MessageState.RETRY_QUEUED)
        assert (wait_s(following), following.rung, following.leases_lost) == (60, rung, 1)
        assert following.may_duplicate


def test_q4_the_second_lease_lost_while_sending_is_poison_whatever_rungs_remain() -> None:
    for ladder in (LADDER, HOLDING):
        following = after_lost_lease(standing(leases_lost=1), now=NOW, ladder=ladder)
        assert (following.state, following.error_code) == (MessageState.DEAD, "poison")


def test_q6_a_lease_lost_while_sending_is_parked_under_hold() -> None:
    assert after_lost_lease(standing(), now=NOW, ladder=HOLDING).state is MessageState.UNKNOWN


def test_q8_a_lost_lease_whose_wait_outlasts_the_message_is_dead() -> None:
    short = standing(expires_at=NOW + timedelta(seconds=60))
    assert after_lost_lease(short, now=NOW, ladder=LADDER).is_dead


# Q3: statuses


@pytest.mark.parametrize(
    ("present", "reported", "expected"),
    [
        ("sent", "delivered", "delivered"),
        ("sent", "read", "read"),
        ("delivered", "sent", "delivered"),
        ("read", "delivered", "read"),
        ("read", "sent", "read"),
        ("delivered", "read", "read"),
        ("unknown", "sent", "sent"),
        ("retry_queued", "sent", "sent"),
        ("sending", "delivered", "delivered"),
        ("dead", "delivered", "delivered"),
        ("failed", "read", "read"),
    ],
)
def test_q3_statuses_only_move_forward(present: str, reported: str, expected: str) -> None:
    assert rules.forward(MessageState(present), MessageState(reported)) == expected


def test_q3_played_counts_as_read() -> None:
    assert rules.STATUS_STATES["played"] is MessageState.READ


def failed_later(code: int, *, ladder: Ladder = LADDER, **changes: Any) -> Next:
    why = classify(code, http_status=0, is_transient=False)
    given = standing(**{"state": MessageState.SENT} | changes)
    return after_failed_status(given, why, "", now=NOW, ladder=ladder, jitter=0.0)


def test_q3_a_failure_reported_later_climbs_if_it_can_pass_and_keeps_the_attempt_accepted() -> None:
    following = failed_later(131016)
    assert (following.state, following.outcome) == (MessageState.RETRY_QUEUED, Outcome.ACCEPTED)
    assert (following.rung, wait_s(following)) == (1, 60)


def test_q3_a_failure_reported_later_that_cannot_pass_is_failed_with_a_letter() -> None:
    following = failed_later(131026)
    assert following.is_dead
    assert following.state is MessageState.FAILED


def test_q3_a_failure_reported_later_with_no_rung_left_is_failed() -> None:
    assert failed_later(131016, rung=4).state is MessageState.FAILED


def test_q7_a_failure_reported_later_of_class_hold_holds_the_lane() -> None:
    following = failed_later(131042)
    assert following.holds is not None
    assert following.waiting_for is WaitingFor.LANE


@pytest.mark.parametrize("code", [132015, 131063, 134102])
def test_q5_a_paused_template_reported_later_parks_the_message(code: int) -> None:
    following = failed_later(code, rung=1)
    assert (following.state, following.waiting_for) == (MessageState.RETRY_QUEUED, WaitingFor.TEMPLATE)
    assert (following.due_at, following.rung) == (NOW + timedelta(days=1), 1)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(ReplyKind.ACCEPTED, wamid="wamid.1"), Heard.ANSWER),
        (refusal(131026), Heard.ANSWER),
        (refusal(190), Heard.ANSWER),
        (refusal(131016), Heard.FAILURE),
        (Reply(ReplyKind.UNKNOWN, word="bad_response"), Heard.FAILURE),
        (TIMEOUT, Heard.SILENCE),
        (Reply(ReplyKind.REFUSED, word="connection_failed"), Heard.SILENCE),
        (Reply(ReplyKind.UNKNOWN, word="http_502", http_status=502), Heard.SILENCE),
        (refusal(130429), None),
        (refusal(131056), None),
        (refusal(80007), None),
    ],
)
def test_q7_what_a_reply_tells_of_metas_state(reply: Reply, told: Heard | None) -> None:
    assert rules.heard(reply) is told


def test_q4_a_rate_limit_reported_later_uses_up_no_rung() -> None:
    following = failed_later(131056, rung=1, rate_waits=2)
    assert (following.rung, following.rate_waits, wait_s(following)) == (1, 3, 16)


def test_a_claim_that_is_not_on_the_wire_yet_is_shown_as_sending() -> None:
    shown = {state: rules.public_state(state) for state in MessageState}
    assert shown.pop(MessageState.CLAIMED) == "sending"
    assert all(word == state.value for state, word in shown.items())
