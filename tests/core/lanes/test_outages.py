"""Meta down (Q7): what counts, what is held, and who probes."""

from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select

from core.lanes import commands
from core.messaging.claiming import Claim, has_due
from core.ports.graph_replies import Reply, ReplyKind
from data.alerts import Alert
from data.enums import HoldCause, HoldScope, LetterState, MessageState, WaitingFor
from data.messages import Message
from data.sending import FailureRun
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import HOPELESS, PASSING, TIMEOUT, WORKER, Desk, accepted

REFUSED = Reply(ReplyKind.REFUSED, word="connection_failed", detail="Could not connect to Meta.")
RATE = Reply(ReplyKind.REFUSED, meta_code=130429, http_status=429, detail="Too fast")


def fail(desk: Desk, claims: Iterable[Claim], reply: Reply = REFUSED) -> None:
    answers = [(ours, reply) for ours in claims]
    if answers:
        desk.answer(*answers)


def held(desk: Desk) -> list[tuple[HoldScope, str, HoldCause]]:
    return [(hold.scope, hold.subject, hold.cause) for hold in desk.holds()]


def open_alerts(desk: Desk) -> list[tuple[str, str]]:
    with desk.runtime.unit(WORKER) as unit:
        found = select(Alert).where(col(Alert.resolved_at).is_(None))
        return [(alert.kind, alert.subject) for alert in unit.session.exec(found)]


EVERYTHING = (HoldScope.EVERYTHING, "*", HoldCause.META)
LANE = (HoldScope.LANE, PHONE_ID, HoldCause.META)


def test_q7_ten_different_messages_that_meet_no_answer_hold_everything_and_use_up_no_rung(
    desk: Desk,
) -> None:
    queued = desk.queue(12)
    claims = desk.put_on_the_wire()
    fail(desk, claims[:9])
    assert held(desk) == []
    assert desk.message(queued[0]).rung == 1
    fail(desk, claims[9:10])
    assert held(desk) == [EVERYTHING]
    assert open_alerts(desk) == [("lane_held", "*")]
    fail(desk, claims[10:])
    for message_id in queued:
        message = desk.message(message_id)
        assert (message.state, message.waiting_for, message.rung) == (
            MessageState.RETRY_QUEUED,
            WaitingFor.LANE,
            0,
        )
        assert len(desk.attempts(message_id)) == 1
    assert desk.claim() == []


def test_q7_what_meta_itself_fails_at_holds_its_lane_alone(desk: Desk) -> None:
    desk.queue(10)
    (other,) = desk.queue(first=20, phone_number_id=SECOND_PHONE_ID)
    fail(desk, [one for one in desk.put_on_the_wire() if one.message_id != other], PASSING)
    assert held(desk) == [LANE]
    desk.advance(desk.runtime.settings.lease_s)
    desk.rescue()
    desk.advance(70)
    assert other in [one.message_id for one in desk.claim()]


@pytest.mark.parametrize("breaks", [accepted(), HOPELESS])
def test_q7_an_answer_between_starts_the_count_anew(desk: Desk, breaks: Reply) -> None:
    desk.queue(15)
    claims = desk.put_on_the_wire()
    fail(desk, claims[:9])
    fail(desk, claims[9:10], breaks)
    fail(desk, claims[10:])
    assert held(desk) == []


def test_q7_a_rate_limit_between_neither_counts_nor_starts_anew(desk: Desk) -> None:
    desk.queue(11)
    claims = desk.put_on_the_wire()
    fail(desk, claims[:9])
    fail(desk, claims[9:10], RATE)
    assert held(desk) == []
    fail(desk, claims[10:])
    assert held(desk) == [EVERYTHING]


def test_q7_one_message_that_fails_ten_times_is_one(desk: Desk) -> None:
    patient = desk.under(waypost_retry_delays=(1.0,) * 30)
    message_id = patient.send_and_get(PASSING)
    for _ in range(12):
        patient.try_again(message_id, PASSING)
    assert held(desk) == []


def test_q7_the_hold_counts_all_that_a_message_lost_to_it_and_kills_none(desk: Desk) -> None:
    short = desk.under(waypost_retry_delays=(1.0,))
    last_try = short.send_and_get(REFUSED)
    short.try_again(last_try, REFUSED)
    assert short.message(last_try).state is MessageState.DEAD
    short.queue(9, first=2)
    fail(short, short.put_on_the_wire())
    assert held(desk) == [EVERYTHING]
    message = short.message(last_try)
    assert (message.state, message.rung, message.waiting_for) == (
        MessageState.RETRY_QUEUED,
        0,
        WaitingFor.LANE,
    )
    (letter,) = short.letters(last_try)
    assert letter.state is LetterState.RESOLVED


def down(desk: Desk, count: int = 10) -> list[str]:
    """The ids of messages of the first phone that all wait because Meta is down."""
    queued = desk.queue(count)
    fail(desk, desk.put_on_the_wire())
    assert held(desk) == [EVERYTHING]
    return queued


def test_q7_one_message_probes_after_5_10_20_40_and_then_every_60_seconds(desk: Desk) -> None:
    queued = down(desk)
    waited = []
    since = desk.now
    while len(waited) < 6:
        with desk.runtime.unit(WORKER) as unit:
            due = has_due(unit)
        claims = desk.put_on_the_wire()
        assert bool(claims) is due
        if claims:
            assert [one.message_id for one in claims] == queued[:1]
            waited.append(round((desk.now - since).total_seconds()))
            since = desk.now
            fail(desk, claims)
        desk.advance(1)
    assert waited == [5, 10, 20, 40, 60, 60]
    message = desk.message(queued[0])
    assert (message.rung, message.attempt, message.waiting_for) == (0, 7, WaitingFor.LANE)


@pytest.mark.parametrize("reply", [accepted(), HOPELESS, RATE, PASSING])
def test_q7_the_first_answer_releases_everything_in_order(desk: Desk, reply: Reply) -> None:
    queued = down(desk, 14)
    desk.advance(5)
    (probe,) = desk.put_on_the_wire()
    fail(desk, [probe], reply)
    if reply is RATE:
        assert held(desk) == [EVERYTHING]
        return
    assert held(desk) == []
    assert open_alerts(desk) == []
    assert [one.message_id for one in desk.claim()] == queued[1:]


def test_q7_a_probe_goes_from_no_lane_that_something_else_holds(desk: Desk) -> None:
    down(desk)
    (other,) = desk.queue(first=20, phone_number_id=SECOND_PHONE_ID)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        commands.pause(unit, phone_number_id=PHONE_ID)
    desk.advance(5)
    assert [one.message_id for one in desk.claim()] == [other]


def test_q7_a_person_releases_an_outage_and_the_count_begins_anew(desk: Desk) -> None:
    queued = down(desk)
    with desk.runtime.unit(WORKER, write=True) as unit:
        commands.resume_everything(unit, reason="It is back")
    claims = desk.put_on_the_wire()
    assert [one.message_id for one in claims] == queued
    fail(desk, claims[:9])
    assert held(desk) == []
    fail(desk, claims[9:])
    assert held(desk) == [EVERYTHING]


def test_q7_two_hours_without_meta_kill_no_message_and_all_go_in_order_afterwards(desk: Desk) -> None:
    few = desk.queue(3, first=100, phone_number_id=SECOND_PHONE_ID)
    fail(desk, desk.put_on_the_wire())
    busy = desk.queue(30)
    end = desk.now.timestamp() + 7200
    while desk.now.timestamp() < end:
        fail(desk, desk.put_on_the_wire(per_lane=5))
        desk.advance(1 if desk.now.timestamp() < end - 7000 else 20)
    for message_id in few + busy:
        message = desk.message(message_id)
        assert (message.state in (MessageState.QUEUED, MessageState.RETRY_QUEUED), message.rung) == (True, 0)
    sent: dict[str, list[str]] = {PHONE_ID: [], SECOND_PHONE_ID: []}
    for _ in range(200):
        claims = desk.put_on_the_wire(per_lane=5)
        for ours in claims:
            sent[ours.phone_number_id].append(ours.message_id)
            desk.answer((ours, accepted(f"wamid.{ours.message_id}")))
        desk.advance(1)
    assert sent == {PHONE_ID: busy, SECOND_PHONE_ID: few}


def test_q7_a_late_status_still_settles_a_message_that_met_no_answer(desk: Desk, place: Place) -> None:
    desk.queue(10)
    fail(desk, desk.put_on_the_wire(), TIMEOUT)
    assert held(desk) == [EVERYTHING]
    with desk.runtime.unit(WORKER) as unit:
        waits = unit.session.exec(select(Message.due_at)).all()
    assert all(due_at is not None and (due_at - desk.now).total_seconds() >= 60 for due_at in waits)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_run_that_another_process_ends_meanwhile_is_there_all_the_same(desk: Desk) -> None:
    """One worker counts a failure while another hears an answer: it can end the run before or after."""
    desk.send_and_get(PASSING)
    ended: list[bool] = []

    def end_elsewhere(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("INSERT INTO failure_run"):
            return
        try:
            with desk.runtime.database.write.connect() as other:
                other.execute(text("SET LOCAL lock_timeout = '100ms'"))
                other.execute(text("DELETE FROM failure_run"))
                other.commit()
            ended.append(True)
        except OperationalError:  # it waits for us, as it must
            ended.append(False)

    event.listen(desk.runtime.database.write, "after_cursor_execute", end_elsewhere)
    desk.send_and_get(PASSING)
    assert ended == [False]
    with desk.runtime.unit(WORKER) as unit:
        [run] = unit.session.exec(select(FailureRun).where(col(FailureRun.subject) == PHONE_ID))
    assert len(run.message_ids) == 2
