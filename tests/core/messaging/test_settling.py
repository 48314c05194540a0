from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import col, select

from core.messaging.settling import Result
from core.ports.graph_replies import Reply, ReplyKind
from data.enums import HoldCause, LetterState, MessageState, Outcome, SuppressionKind, WaitingFor
from data.messages import Message, Suppression
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import HOPELESS, PASSING, TIMEOUT, WORKER, Desk, accepted, envelope, status


def refusal(code: int) -> Reply:
    return Reply(ReplyKind.REFUSED, meta_code=code, http_status=400, detail="No.", trace_id="trace-1")


# Q1, Q2: what came back is written down, once


def test_q2_an_acceptance_is_written_to_message_and_attempt(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted("wamid.a"))
    message, (attempt,) = desk.message(message_id), desk.attempts(message_id)
    assert (message.state, message.wamid, message.sent_at) == (MessageState.SENT, "wamid.a", desk.now)
    assert (message.due_at, message.lease_until, message.lease_holder) == (None, None, None)
    assert (attempt.outcome, attempt.wamid, attempt.http_status) == (Outcome.ACCEPTED, "wamid.a", 200)
    assert attempt.finished_at == desk.now


def test_q4_a_passing_failure_waits_its_rung(desk: Desk) -> None:
    message_id = desk.send_and_get(PASSING)
    message, (attempt,) = desk.message(message_id), desk.attempts(message_id)
    assert (message.state, message.waiting_for) == (MessageState.RETRY_QUEUED, WaitingFor.RUNG)
    assert message.due_at is not None
    assert timedelta(seconds=60) <= message.due_at - desk.now <= timedelta(seconds=72)
    assert (message.rung, message.error_code) == (1, "meta_131016")
    assert (attempt.outcome, attempt.error_detail) == (Outcome.PASSING, "Service unavailable")
    assert desk.letters(message_id) == []


def test_q4_five_attempts_in_all_then_dead_with_one_open_letter(desk: Desk) -> None:
    message_id = desk.send_and_get(PASSING)
    for _ in range(4):
        assert desk.message(message_id).state is MessageState.RETRY_QUEUED
        desk.try_again(message_id, PASSING)
    message = desk.message(message_id)
    assert (message.state, message.attempt, message.due_at) == (MessageState.DEAD, 5, None)
    assert [one.number for one in desk.attempts(message_id)] == [1, 2, 3, 4, 5]
    (letter,) = desk.letters(message_id)
    assert (letter.state, letter.attempts, letter.error_code) == (LetterState.OPEN, 5, "meta_131016")
    assert (letter.recipient, letter.phone_number_id) == (message.recipient, PHONE_ID)


def test_q5_a_hopeless_failure_is_dead_at_once(desk: Desk) -> None:
    message_id = desk.send_and_get(HOPELESS)
    assert desk.message(message_id).state is MessageState.DEAD
    (letter,) = desk.letters(message_id)
    assert (letter.state, letter.attempts) == (LetterState.OPEN, 1)
    assert desk.attempts(message_id)[0].outcome is Outcome.REFUSED


def test_q11_letters_of_one_cause_share_a_fingerprint(desk: Desk) -> None:
    desk.queue(2)
    first, second = desk.put_on_the_wire()
    told = [
        replace(HOPELESS, detail=f"Message {wamid} undeliverable") for wamid in ("wamid.AB1", "wamid.CD2")
    ]
    desk.answer((first, told[0]), (second, told[1]))
    (one,), (two,) = desk.letters(first.message_id), desk.letters(second.message_id)
    assert one.fingerprint == two.fingerprint


def test_a_batch_settles_each_of_its_messages_by_its_own_reply(desk: Desk) -> None:
    desk.queue(4)
    claims = desk.put_on_the_wire()
    replies = [accepted("wamid.a"), PASSING, HOPELESS, TIMEOUT]
    settled = desk.answer(*zip(claims, replies, strict=True))
    expected = [MessageState.SENT, MessageState.RETRY_QUEUED, MessageState.DEAD, MessageState.RETRY_QUEUED]
    assert [one.state for one in settled] == expected
    assert [desk.message(one.message_id).state for one in claims] == expected


def test_q2_a_result_that_comes_twice_is_written_once(desk: Desk) -> None:
    for reply, outcome in (
        (accepted("wamid.a"), Outcome.ACCEPTED),
        (PASSING, Outcome.PASSING),
        (HOPELESS, Outcome.REFUSED),
    ):
        (message_id,) = desk.queue()
        (ours,) = desk.put_on_the_wire()
        desk.answer((ours, reply))
        before = desk.message(message_id)
        desk.answer((ours, reply))
        assert desk.message(message_id) == before
        assert desk.attempts(message_id)[0].outcome is outcome
        assert len(desk.letters(message_id)) == (1 if reply is HOPELESS else 0)


def test_two_attempts_of_one_message_in_one_batch_see_each_other(desk: Desk) -> None:
    (message_id,) = desk.queue()
    (first,) = desk.put_on_the_wire()
    desk.advance(desk.runtime.settings.lease_s)
    desk.rescue()
    desk.advance(72)
    (second,) = desk.put_on_the_wire()
    desk.answer((first, accepted("wamid.a")), (second, accepted("wamid.b")))
    assert desk.message(message_id).state is MessageState.SENT
    assert [one.outcome for one in desk.attempts(message_id)] == [Outcome.LATE, Outcome.ACCEPTED]


# Q6: unknown outcomes


def test_q6_an_unknown_outcome_waits_its_rung_and_its_retry_is_marked(desk: Desk) -> None:
    message_id = desk.send_and_get(TIMEOUT)
    assert desk.message(message_id).may_duplicate
    desk.try_again(message_id, accepted())
    first, second = desk.attempts(message_id)
    assert (first.outcome, first.may_duplicate) == (Outcome.UNKNOWN, False)
    assert (second.outcome, second.may_duplicate) == (Outcome.ACCEPTED, True)


def test_q6_hold_parks_it_for_a_person(desk: Desk) -> None:
    message_id = desk.under(waypost_unknown_outcome="hold").send_and_get(TIMEOUT)
    message = desk.message(message_id)
    assert (message.state, message.waiting_for, message.due_at) == (
        MessageState.UNKNOWN,
        WaitingFor.PERSON,
        None,
    )
    desk.advance(7200)
    assert desk.claim() == []


# Q5, Q7: what a refusal does beyond its message


@pytest.mark.parametrize(
    ("code", "kind"), [(131050, SuppressionKind.MARKETING), (130403, SuppressionKind.ALL)]
)
def test_q5_class_recipient_suppresses_the_contact_once(desk: Desk, code: int, kind: SuppressionKind) -> None:
    desk.queue(1)
    desk.queue(1)
    first, second = desk.put_on_the_wire()
    desk.answer((first, refusal(code)), (second, refusal(code)))
    with desk.runtime.unit(WORKER) as unit:
        (one,) = unit.session.exec(select(Suppression))
    assert (one.kind, one.error_code, one.lifted_at) == (kind, f"meta_{code}", None)
    assert one.contact_id == desk.message(first.message_id).contact_id


@pytest.mark.parametrize(
    ("code", "cause", "held"),
    [
        (190, HoldCause.TOKEN, {PHONE_ID, SECOND_PHONE_ID}),
        (0, HoldCause.TOKEN, {PHONE_ID, SECOND_PHONE_ID}),
        (10, HoldCause.TOKEN, {PHONE_ID, SECOND_PHONE_ID}),
        (250, HoldCause.TOKEN, {PHONE_ID, SECOND_PHONE_ID}),
        (131042, HoldCause.PAYMENT, {PHONE_ID, SECOND_PHONE_ID}),
        (368, HoldCause.RESTRICTION, {PHONE_ID, SECOND_PHONE_ID}),
        (131031, HoldCause.RESTRICTION, {PHONE_ID, SECOND_PHONE_ID}),
        (131048, HoldCause.RESTRICTION, {PHONE_ID}),
        (133010, HoldCause.REGISTRATION, {PHONE_ID}),
    ],
)
def test_q7_a_cause_of_class_hold_holds_its_lanes_and_the_message_waits(
    desk: Desk, other_place: Place, code: int, cause: HoldCause, held: set[str]
) -> None:
    message_id = desk.send_and_get(refusal(code))
    message = desk.message(message_id)
    assert (message.state, message.waiting_for, message.rung) == (MessageState.QUEUED, WaitingFor.LANE, 0)
    holds = desk.holds()
    assert {hold.subject for hold in holds} == held
    assert {hold.cause for hold in holds} == {cause}
    assert {hold.workspace_id for hold in holds} == {desk.place.workspace.id}
    assert all(hold.error_code == f"meta_{code}" and hold.reason for hold in holds)
    assert desk.claim() == []


def test_q7_many_messages_that_meet_one_cause_make_one_hold(desk: Desk) -> None:
    desk.queue(5)
    desk.answer(*[(ours, refusal(131048)) for ours in desk.put_on_the_wire()])
    assert len(desk.holds()) == 1


# Q2, Q6: leases that ran out


def test_q2_a_live_lease_is_left_alone(desk: Desk) -> None:
    desk.queue()
    desk.put_on_the_wire()
    desk.advance(desk.runtime.settings.lease_s - 0.001)
    assert desk.rescue() == 0
    desk.advance(0.001)
    assert desk.rescue() == 1
    assert desk.rescue() == 0


def test_q2_a_claim_that_was_lost_is_due_at_once(desk: Desk) -> None:
    (message_id,) = desk.queue()
    desk.claim()
    desk.advance(desk.runtime.settings.lease_s)
    desk.rescue()
    message = desk.message(message_id)
    assert (message.state, message.due_at, message.rung) == (MessageState.QUEUED, desk.now, 0)
    assert (message.lease_until, message.may_duplicate) == (None, False)
    assert desk.attempts(message_id)[0].outcome is Outcome.LOST
    assert desk.put_on_the_wire()[0].attempt == 2


def test_q2_a_claim_that_was_lost_keeps_the_error_it_waits_for(desk: Desk) -> None:
    message_id = desk.send_and_get(PASSING)
    desk.advance(72)
    desk.claim()
    desk.advance(desk.runtime.settings.lease_s)
    desk.rescue()
    message = desk.message(message_id)
    assert (message.state, message.rung) == (MessageState.RETRY_QUEUED, 1)
    assert message.error_code == "meta_131016"


def test_q6_a_send_that_was_lost_is_unknown_and_waits_the_first_rung_using_none(desk: Desk) -> None:
    (message_id,) = desk.queue()
    desk.put_on_the_wire()
    desk.advance(desk.runtime.settings.lease_s)
    desk.rescue()
    message, (attempt,) = desk.message(message_id), desk.attempts(message_id)
    assert (message.state, message.rung, message.may_duplicate) == (MessageState.RETRY_QUEUED, 0, True)
    assert message.due_at == desk.now + timedelta(seconds=60)
    assert attempt.outcome is Outcome.UNKNOWN


def test_q4_the_second_loss_on_the_wire_is_poison_and_the_first_of_a_claim_does_not_count(desk: Desk) -> None:
    (message_id,) = desk.queue()
    desk.claim()
    desk.advance(desk.runtime.settings.lease_s)
    desk.rescue()
    for expected in (MessageState.RETRY_QUEUED, MessageState.DEAD):
        assert len(desk.put_on_the_wire()) == 1
        desk.advance(desk.runtime.settings.lease_s)
        desk.rescue()
        assert desk.message(message_id).state is expected
        desk.advance(60)
    (letter,) = desk.letters(message_id)
    assert (letter.error_code, letter.attempts, letter.may_duplicate) == ("poison", 3, True)
    assert desk.claim() == []


# Q2: results that come after their lease


def lose(desk: Desk) -> tuple[str, Result]:
    """A message whose only attempt was taken from us, and the acceptance that came too late."""
    (message_id,) = desk.queue()
    (ours,) = desk.put_on_the_wire()
    desk.advance(desk.runtime.settings.lease_s)
    desk.rescue()
    return message_id, Result(ours.message_id, ours.attempt, accepted("wamid.late"))


def test_q2_a_late_acceptance_settles_the_message(desk: Desk) -> None:
    message_id, late = lose(desk)
    (settled,) = desk.settle(late)
    assert settled.state is MessageState.SENT
    message, (attempt,) = desk.message(message_id), desk.attempts(message_id)
    assert (message.state, message.wamid, message.due_at) == (MessageState.SENT, "wamid.late", None)
    assert (attempt.outcome, attempt.wamid) == (Outcome.LATE, "wamid.late")
    desk.advance(3600)
    assert desk.claim() == []


def test_q2_a_late_failure_is_kept_and_settles_nothing(desk: Desk) -> None:
    message_id, late = lose(desk)
    before = desk.message(message_id)
    for reply in (PASSING, HOPELESS, TIMEOUT):
        desk.settle(replace(late, reply=reply))
        assert desk.message(message_id) == before
        assert desk.attempts(message_id)[0].outcome is Outcome.LATE
    assert desk.letters(message_id) == []


def test_q2_a_late_acceptance_does_not_settle_while_a_newer_attempt_is_out(desk: Desk) -> None:
    message_id, late = lose(desk)
    desk.advance(60)
    (newer,) = desk.put_on_the_wire()
    desk.settle(late)
    assert desk.message(message_id).state is MessageState.SENDING
    assert desk.attempts(message_id)[0].outcome is Outcome.LATE
    desk.answer((newer, accepted("wamid.b")))
    assert desk.message(message_id).state is MessageState.SENT


def test_q2_a_late_acceptance_settles_once_the_newer_attempt_is_back(desk: Desk) -> None:
    message_id, late = lose(desk)
    desk.try_again(message_id, PASSING)
    desk.settle(late)
    assert desk.message(message_id).state is MessageState.SENT
    desk.advance(3600)
    assert desk.claim() == []


def test_q2_a_late_acceptance_of_a_dead_message_resolves_its_letter(desk: Desk) -> None:
    message_id, _ = lose(desk)
    desk.advance(60)
    desk.put_on_the_wire()
    desk.advance(desk.runtime.settings.lease_s)
    desk.rescue()
    assert desk.letters(message_id)[0].state is LetterState.OPEN
    desk.settle(Result(message_id, 2, accepted("wamid.two")))
    assert desk.message(message_id).state is MessageState.SENT
    assert desk.letters(message_id)[0].state is LetterState.RESOLVED


def test_q9_a_late_acceptance_leaves_a_discarded_message_as_a_person_left_it(desk: Desk) -> None:
    from core.dead_letters.commands import discard

    message_id, _ = lose(desk)
    desk.advance(60)
    desk.put_on_the_wire()
    desk.advance(desk.runtime.settings.lease_s)
    desk.rescue()
    (letter,) = desk.letters(message_id)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        discard(unit, letter.id, reason="Too late anyway")
    desk.settle(Result(message_id, 2, accepted("wamid.two")))
    assert desk.message(message_id).state is MessageState.DISCARDED
    assert desk.attempts(message_id)[1].outcome is Outcome.LATE


# Statuses and answers cross


def test_q6_a_status_that_overtakes_the_answer_settles_the_attempt(desk: Desk) -> None:
    (message_id,) = desk.queue()
    (ours,) = desk.put_on_the_wire()
    desk.hear(envelope(statuses=[status("delivered", wamid="wamid.a", at=desk.now, message_id=message_id)]))
    assert desk.message(message_id).state is MessageState.DELIVERED
    for reply in (accepted("wamid.a"), TIMEOUT):
        desk.answer((ours, reply))
        message, (attempt,) = desk.message(message_id), desk.attempts(message_id)
        assert (message.state, message.wamid) == (MessageState.DELIVERED, "wamid.a")
        assert (attempt.outcome, attempt.wamid) == (Outcome.ACCEPTED, "wamid.a")


def test_q3_a_failure_that_overtakes_the_answer_is_not_undone_by_it(desk: Desk) -> None:
    (message_id,) = desk.queue()
    (ours,) = desk.put_on_the_wire()
    desk.hear(
        envelope(
            statuses=[status("failed", wamid="wamid.a", at=desk.now, message_id=message_id, code=131026)]
        )
    )
    assert desk.message(message_id).state is MessageState.FAILED
    desk.answer((ours, accepted("wamid.a")))
    assert desk.message(message_id).state is MessageState.FAILED
    assert desk.letters(message_id)[0].state is LetterState.OPEN


def test_q6_a_status_of_an_older_attempt_settles_a_message_before_its_retry_leaves(desk: Desk) -> None:
    message_id = desk.send_and_get(TIMEOUT)
    desk.advance(72)
    claims = desk.claim()
    desk.hear(envelope(statuses=[status("sent", wamid="wamid.a", at=desk.now, message_id=message_id)]))
    assert desk.mark(claims) == []
    assert desk.message(message_id).state is MessageState.SENT
    assert [one.outcome for one in desk.attempts(message_id)] == [Outcome.ACCEPTED, Outcome.LOST]


def test_a_rescue_takes_back_what_is_there_in_batches(desk: Desk) -> None:
    desk.queue(20)
    desk.claim()
    with desk.runtime.unit(WORKER) as unit:
        lease = unit.session.exec(select(Message.lease_until).where(col(Message.attempt) == 1)).first()
    assert lease is not None
    desk.advance(desk.runtime.settings.lease_s)
    assert desk.rescue() == 20


def test_nothing_to_settle_is_nothing_done(desk: Desk) -> None:
    assert desk.settle() == []
