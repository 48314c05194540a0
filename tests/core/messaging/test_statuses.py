import random
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from data.enums import LetterState, MessageState, Outcome
from tests.conftest import Place
from tests.core.desk import (
    HOPELESS,
    PASSING,
    TIMEOUT,
    Desk,
    accepted,
    envelope,
    status,
)

PASSES = 131016
NEVER = 131026


def tell(
    desk: Desk, *names: str, message_id: str | None = None, wamid: str = "wamid.one", **more: Any
) -> None:
    for name in names:
        code = more.get("code", NEVER) if name == "failed" else None
        one = status(name, wamid=wamid, at=desk.now, message_id=message_id, code=code)
        assert desk.hear(envelope(statuses=[one])) == 1


# Q3: forward only


def test_q3_statuses_move_a_message_forward_with_metas_times(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    for name in ("sent", "delivered", "read"):
        desk.advance(10)
        tell(desk, name)
        assert desk.message(message_id).state == name
    message = desk.message(message_id)
    assert message.delivered_at == desk.now.replace(microsecond=0) - timedelta(seconds=10)
    assert message.read_at == desk.now.replace(microsecond=0)


def test_q3_a_late_delivered_never_undoes_read(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    tell(desk, "read", "delivered", "sent")
    assert desk.message(message_id).state is MessageState.READ


def test_q3_played_is_recorded_and_counts_as_read(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    tell(desk, "delivered", "played")
    assert desk.message(message_id).state is MessageState.READ
    assert desk.rows()["MessageStatus"] == 2


@pytest.mark.parametrize("first", ["delivered", "read"])
def test_q3_failed_after_delivered_is_recorded_and_changes_nothing(desk: Desk, first: str) -> None:
    message_id = desk.send_and_get(accepted())
    tell(desk, first)
    before = desk.message(message_id)
    tell(desk, "failed", code=PASSES)
    assert desk.message(message_id) == before
    assert desk.rows()["MessageStatus"] == 2
    assert desk.letters(message_id) == []


def test_q3_a_failure_that_can_pass_queues_a_retry(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    tell(desk, "sent")
    tell(desk, "failed", code=PASSES)
    message, (attempt,) = desk.message(message_id), desk.attempts(message_id)
    assert (message.state, message.rung, message.error_code) == (MessageState.RETRY_QUEUED, 1, "meta_131016")
    assert attempt.outcome is Outcome.ACCEPTED
    desk.try_again(message_id, accepted("wamid.two"))
    assert desk.message(message_id).wamid == "wamid.two"
    assert [one.wamid for one in desk.attempts(message_id)] == ["wamid.one", "wamid.two"]


def test_q3_a_failure_that_cannot_pass_is_failed_with_an_open_letter(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    tell(desk, "failed")
    assert desk.message(message_id).state is MessageState.FAILED
    (letter,) = desk.letters(message_id)
    assert (letter.state, letter.error_code) == (LetterState.OPEN, "meta_131026")


def test_q3_a_late_sent_does_not_undo_the_failure_of_the_same_wamid(desk: Desk) -> None:
    for code, expected in ((PASSES, MessageState.RETRY_QUEUED), (NEVER, MessageState.FAILED)):
        wamid = f"wamid.{code}"
        message_id = desk.send_and_get(accepted(wamid))
        tell(desk, "failed", wamid=wamid, code=code)
        tell(desk, "sent", wamid=wamid)
        assert desk.message(message_id).state is expected
        desk.advance(72)
        for ours in desk.put_on_the_wire():
            desk.answer((ours, accepted(f"{wamid}.again")))


def test_q4_a_failure_that_is_reported_twice_takes_one_rung(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    tell(desk, "failed", code=PASSES)
    desk.advance(1)
    tell(desk, "failed", code=PASSES)
    assert desk.message(message_id).rung == 1


def test_q3_a_delivery_cancels_the_retry_of_a_failure(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    tell(desk, "failed", code=PASSES)
    tell(desk, "delivered")
    message = desk.message(message_id)
    assert (message.state, message.due_at, message.error_code) == (MessageState.DELIVERED, None, None)
    desk.advance(7200)
    assert desk.claim() == []


def test_q3_a_delivery_resolves_the_letter_of_a_dead_or_failed_message(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    tell(desk, "failed")
    tell(desk, "delivered")
    assert desk.message(message_id).state is MessageState.DELIVERED
    (letter,) = desk.letters(message_id)
    assert (letter.state, letter.closed_at) == (LetterState.RESOLVED, desk.now)


def test_q3_a_message_that_fails_after_its_letter_was_resolved_has_it_open_again(desk: Desk) -> None:
    quick = desk.under(waypost_retry_delays=(1.0,))
    message_id = quick.send_and_get(PASSING)
    quick.try_again(message_id, TIMEOUT)
    assert desk.letters(message_id)[0].state is LetterState.OPEN
    tell(desk, "sent", message_id=message_id, wamid="wamid.lost")
    assert desk.message(message_id).state is MessageState.SENT
    assert desk.letters(message_id)[0].state is LetterState.RESOLVED
    tell(desk, "failed", wamid="wamid.lost")
    assert desk.message(message_id).state is MessageState.FAILED
    (letter,) = desk.letters(message_id)
    assert (letter.state, letter.error_code, letter.closed_at) == (LetterState.OPEN, "meta_131026", None)


# Q6: unknown outcomes settle by the id that Meta echoes


def test_q6_a_status_that_echoes_our_id_settles_an_unknown_send_and_cancels_its_retry(desk: Desk) -> None:
    message_id = desk.send_and_get(TIMEOUT)
    assert desk.message(message_id).wamid is None
    tell(desk, "sent", message_id=message_id, wamid="wamid.lost")
    message, (attempt,) = desk.message(message_id), desk.attempts(message_id)
    assert (message.state, message.wamid, message.due_at) == (MessageState.SENT, "wamid.lost", None)
    assert (attempt.outcome, attempt.wamid, attempt.error_code) == (Outcome.ACCEPTED, "wamid.lost", None)
    desk.advance(7200)
    assert desk.claim() == []


def test_q6_so_does_one_for_a_parked_unknown(desk: Desk) -> None:
    message_id = desk.under(waypost_unknown_outcome="hold").send_and_get(TIMEOUT)
    tell(desk, "delivered", message_id=message_id, wamid="wamid.lost")
    assert desk.message(message_id).state is MessageState.DELIVERED


def test_q6_so_does_one_for_a_send_whose_process_died(desk: Desk) -> None:
    (message_id,) = desk.queue()
    desk.put_on_the_wire()
    desk.advance(desk.runtime.settings.lease_s)
    desk.rescue()
    tell(desk, "sent", message_id=message_id, wamid="wamid.lost")
    assert desk.message(message_id).state is MessageState.SENT


def test_q6_a_failure_of_an_unknown_send_uses_the_rung_that_it_had_taken(desk: Desk) -> None:
    message_id = desk.send_and_get(TIMEOUT)
    tell(desk, "failed", message_id=message_id, wamid="wamid.lost", code=PASSES)
    message = desk.message(message_id)
    assert (message.state, message.rung, message.error_code) == (MessageState.RETRY_QUEUED, 1, "meta_131016")


def test_q6_a_final_failure_of_an_unknown_send_ends_it(desk: Desk) -> None:
    message_id = desk.send_and_get(TIMEOUT)
    tell(desk, "failed", message_id=message_id, wamid="wamid.lost")
    assert desk.message(message_id).state is MessageState.FAILED
    desk.advance(7200)
    assert desk.claim() == []


def test_q3_only_the_newest_attempts_failure_counts(desk: Desk) -> None:
    message_id = desk.send_and_get(accepted())
    tell(desk, "failed", code=PASSES)
    desk.try_again(message_id, accepted("wamid.two"))
    desk.advance(1)
    tell(desk, "failed")
    assert desk.message(message_id).state is MessageState.SENT
    tell(desk, "failed", wamid="wamid.two")
    assert desk.message(message_id).state is MessageState.FAILED


def test_q3_the_newest_attempt_that_has_the_wamid_is_meant(desk: Desk) -> None:
    message_id = desk.send_and_get(TIMEOUT)
    desk.advance(72)
    (ours,) = desk.put_on_the_wire()
    tell(desk, "sent", message_id=message_id, wamid="wamid.two")
    desk.answer((ours, accepted("wamid.two")))
    tell(desk, "failed", wamid="wamid.two")
    assert desk.message(message_id).state is MessageState.FAILED


# P5 and what is not meant


def test_p5_a_status_never_touches_another_workspaces_message(desk: Desk, other_place: Place) -> None:
    message_id = desk.send_and_get(TIMEOUT)
    before = desk.message(message_id)
    foreign_phone = "106540352242972"
    one = status("delivered", wamid="wamid.x", at=desk.now, message_id=message_id)
    assert desk.hear(envelope(phone=foreign_phone, statuses=[one])) == 0
    assert desk.message(message_id) == before


def test_a_status_of_nothing_we_sent_is_passed_over(desk: Desk) -> None:
    desk.send_and_get(accepted())
    one = status("delivered", wamid="wamid.unknown", at=desk.now)
    assert desk.hear(envelope(statuses=[one])) == 0
    other = status("delivered", wamid="wamid.unknown", at=desk.now, message_id="msg_unknown")
    assert desk.hear(envelope(statuses=[other])) == 0
    assert desk.rows()["MessageStatus"] == 0


def test_a_status_of_a_phone_that_nobody_has_is_passed_over(desk: Desk) -> None:
    one = status("delivered", wamid="wamid.one", at=desk.now)
    assert desk.hear(envelope(phone="999", statuses=[one])) == 0


def test_a_person_who_discarded_a_message_is_not_overruled(desk: Desk) -> None:
    from core.dead_letters.commands import discard

    message_id = desk.send_and_get(HOPELESS)
    (letter,) = desk.letters(message_id)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        discard(unit, letter.id, reason="Wrong person")
    tell(desk, "delivered", message_id=message_id)
    assert desk.message(message_id).state is MessageState.DISCARDED
    assert desk.letters(message_id)[0].state is LetterState.DISCARDED
    assert desk.rows()["MessageStatus"] == 1


# Any order, any duplicates


def canonical(desk: Desk, message_id: str) -> tuple[Any, ...]:
    """What must not depend on the order of arrival. A letter that was opened and resolved in between is as
    good as none."""
    message = desk.message(message_id)
    ended = message.state not in (MessageState.RETRY_QUEUED, MessageState.QUEUED)
    attempts = [
        (one.number, one.outcome, one.wamid, one.finished_at is None) for one in desk.attempts(message_id)
    ]
    open_letters = [one.error_code for one in desk.letters(message_id) if one.state is LetterState.OPEN]
    return (
        message.state,
        message.wamid,
        message.error_code,
        message.delivered_at,
        message.read_at,
        None if ended else message.rung,
        message.due_at is None,
        tuple(attempts),
        tuple(open_letters),
    )


def reports(desk: Desk, names: tuple[str, ...], *, wamid: str, message_id: str, code: int) -> list[Any]:
    return [
        status(
            name,
            wamid=wamid,
            at=desk.now + timedelta(seconds=index),
            message_id=message_id,
            code=code if name == "failed" else None,
        )
        for index, name in enumerate(names)
    ]


@pytest.mark.parametrize("code", [PASSES, NEVER])
@pytest.mark.parametrize(
    "names",
    [
        ("sent", "delivered", "read"),
        ("sent", "failed"),
        ("sent", "delivered", "failed"),
        ("sent", "delivered", "played", "read"),
    ],
)
@pytest.mark.parametrize("first_reply", [accepted(), TIMEOUT])
def test_q3_any_order_and_duplication_of_statuses_ends_the_same(
    desk: Desk, names: tuple[str, ...], code: int, first_reply: Any
) -> None:
    dice = random.Random(f"{names} {code}")
    orders = list(permutations(range(len(names))))
    ends = set()
    for number, order in enumerate(dice.sample(orders, min(len(orders), 4))):
        wamid = f"wamid.{number}"
        reply = accepted(wamid) if first_reply != TIMEOUT else TIMEOUT
        message_id = desk.send_and_get(reply)
        told = reports(desk, names, wamid=wamid, message_id=message_id, code=code)
        heard = [told[index] for index in order]
        heard += dice.choices(heard, k=3)
        if dice.random() < 0.5:
            desk.hear(envelope(statuses=heard))
        else:
            for one in heard:
                desk.hear(envelope(statuses=[one]))
        state, own_wamid, error, delivered, read, *rest = canonical(desk, message_id)
        assert own_wamid == wamid
        base = desk.now.replace(microsecond=0)
        (attempt,) = rest[2]
        ends.add(
            (
                state,
                error,
                delivered and (delivered - base),
                read and (read - base),
                rest[0],
                rest[1],
                (attempt[0], attempt[1], attempt[3]),
                rest[3],
            )
        )
        desk.advance(72)  # a retry leaves, so that the next round has the queue to itself
        for ours in desk.put_on_the_wire():
            desk.answer((ours, HOPELESS))
    assert len(ends) == 1, ends


@pytest.mark.parametrize("reply", [accepted(), TIMEOUT, PASSING])
def test_q6_an_answer_and_its_statuses_may_come_in_either_order(desk: Desk, reply: Any) -> None:
    ends = []
    for answer_first in (True, False):
        (message_id,) = desk.queue()
        (ours,) = desk.put_on_the_wire()
        if answer_first and reply is not PASSING:
            desk.answer((ours, reply))
        tell(desk, "sent", "delivered", message_id=message_id, wamid="wamid.one")
        if not answer_first:
            desk.answer((ours, reply))
        state, wamid, error, *_ = canonical(desk, message_id)
        ends.append((state, wamid, error, desk.attempts(message_id)[0].outcome))
        desk.advance(1)
    assert ends[0] == ends[1] == (MessageState.DELIVERED, "wamid.one", None, Outcome.ACCEPTED)
