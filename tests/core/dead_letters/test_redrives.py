"""Bulk redrives (Q10), step by step, on both databases."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from core.contacts.commands import suppress
from core.dead_letters import bulk
from core.dead_letters.bulk import Order, WorkView
from core.dead_letters.filters import LetterFilter
from core.errors import Conflict, Forbidden, Impossible, Malformed, NotFound
from core.lanes.commands import pause as hold_queue
from core.ports.graph_replies import Reply
from core.unit import Unit
from data.enums import BulkState, BulkVerb, LetterState, MessageState, Role, SuppressionKind
from data.letters import BulkWork
from data.messages import Attempt, DeadLetter, LetterAction, Message
from data.operations import AuditEntry
from tests.conftest import PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import (
    HOPELESS,
    PASSING,
    TIMEOUT,
    WORKER,
    Desk,
    accepted,
    envelope,
    status,
)

ALL = LetterFilter(state=LetterState.OPEN)


def kill(desk: Desk, count: int, *, reply: Reply = HOPELESS, first: int = 1, **options: Any) -> list[str]:
    """The ids of that many messages that died, oldest first."""
    ids = desk.queue(count, first=first, **options)
    desk.answer(*((ours, reply) for ours in desk.put_on_the_wire()))
    desk.advance(0.001)
    return ids


def asked(**more: Any) -> Order:
    return replace(Order(BulkVerb.REDRIVE, wanted=ALL, confirm=True, reason="They fixed it"), **more)


def start(desk: Desk, wanted: Order | None = None, *, role: Role = Role.MANAGER) -> str:
    with desk.runtime.unit(desk.place.acting(role), write=True) as unit:
        return bulk.start(unit, wanted or asked()).id


def step(desk: Desk) -> None:
    """What the clock does, twice a second."""
    bulk.run_due(desk.runtime)


def view(desk: Desk, work_id: str) -> WorkView:
    with desk.runtime.unit(desk.place.owner) as unit:
        return bulk.work_view(unit, work_id)


def steer(desk: Desk, command: Callable[[Unit], Any], *, role: Role = Role.MANAGER) -> None:
    with desk.runtime.unit(desk.place.acting(role), write=True) as unit:
        command(unit)


def answer_all(desk: Desk, reply: Reply | None = None) -> int:
    """Sends what is in the queue; each gets that answer, or is accepted and delivered."""
    claims = desk.put_on_the_wire()
    desk.answer(*((ours, reply or accepted(f"wamid.{ours.message_id}")) for ours in claims))
    if reply is None and claims:
        said = [
            status("delivered", wamid=f"wamid.{ours.message_id}", at=desk.now, message_id=ours.message_id)
            for ours in claims
        ]
        desk.hear(envelope(statuses=said))
    return len(claims)


def run(desk: Desk, work_id: str, *, reply: Reply | None = None, steps: int = 40) -> WorkView:
    """Half a second at a time, until it runs no more."""
    for _ in range(steps):
        step(desk)
        answer_all(desk, reply)
        desk.advance(0.5)
        if view(desk, work_id).state is not BulkState.RUNNING:
            break
    return view(desk, work_id)


def states(desk: Desk) -> list[LetterState]:
    with desk.runtime.unit(WORKER) as unit:
        letters = unit.session.exec(select(DeadLetter).order_by(col(DeadLetter.dead_at), col(DeadLetter.id)))
        return [letter.state for letter in letters]


def test_q10_all_that_match_are_sent_again_once_and_counted(desk: Desk) -> None:
    ids = kill(desk, 7)
    work_id = start(desk)
    later = kill(desk, 1, first=50)
    step(desk)
    seen = view(desk, work_id)
    assert (seen.state, seen.total, seen.done) == (BulkState.RUNNING, 7, 3)
    assert seen.remaining_s == pytest.approx(0.8)
    answer_all(desk)
    done = run(desk, work_id)
    assert (done.state, done.done, done.skipped_count, done.delivered, done.failed_again) == (
        *(BulkState.DONE, 7, 0, 7, 0),
    )
    assert done.finished_at is not None
    with desk.runtime.unit(WORKER) as unit:
        messages = {message.id: message for message in unit.session.exec(select(Message))}
        acts = unit.session.exec(select(LetterAction)).all()
        audit = [
            entry.action
            for entry in unit.session.exec(select(AuditEntry).order_by(col(AuditEntry.number)))
            if "redrive_" in entry.action
        ]
    assert {(messages[one].round, messages[one].attempt, messages[one].state) for one in ids} == {
        (2, 2, MessageState.DELIVERED)
    }
    assert messages[later[0]].round == 1
    assert {(act.verb, act.text, act.actor, act.bulk_id) for act in acts} == {
        ("redrove", "They fixed it", "manager", work_id)
    }
    assert len(acts) == 7
    assert audit == ["dead_letters.redrive_started", "dead_letters.redrive_finished"]
    with desk.runtime.unit(desk.place.owner) as unit:
        letters = unit.session.exec(select(DeadLetter).where(col(DeadLetter.bulk_id) == work_id)).all()
    assert {(one.state, one.closed_reason) for one in letters} == {(LetterState.REDRIVEN, "They fixed it")}


def test_q10_what_failed_again_is_counted_and_stays_counted_when_it_is_sent_by_other_means(
    desk: Desk,
) -> None:
    kill(desk, 4)
    first = start(desk)
    assert run(desk, first, reply=HOPELESS).failed_again == 4
    second = start(desk)
    assert run(desk, second).delivered == 4
    assert (view(desk, first).failed_again, view(desk, first).delivered) == (4, 0)
    assert view(desk, second).failed_again == 0


def test_q10_a_dry_run_says_what_would_go_what_stays_and_why_and_changes_nothing(desk: Desk) -> None:
    kill(desk, 12)
    kill(desk, 1, first=20, reply=TIMEOUT)  # the first try of an unknown outcome is no letter yet
    (doubtful,) = kill(desk, 1, first=21)
    (blocked,) = kill(desk, 1, first=22)
    kill(desk, 2, first=30, phone_number_id=SECOND_PHONE_ID)
    (paused,) = kill(desk, 1, first=40)
    desk.change(DeadLetter, desk.letters(doubtful)[0].id, may_duplicate=True)
    desk.change(Message, paused, template_name="spring_sale")
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        contact_id = unit.session.get_one(Message, blocked).contact_id
        suppress(
            unit,
            workspace_id=unit.workspace_id,
            contact_id=contact_id,
            kind=SuppressionKind.ALL,
            error_code="meta_131050",
            message_id=blocked,
        )
        hold_queue(unit, phone_number_id=SECOND_PHONE_ID, reason="Look at it")
    before = desk.rows()
    with desk.runtime.unit(desk.place.acting(Role.MANAGER)) as unit:
        found = bulk.dry_run(unit, asked())
        twice = bulk.dry_run(unit, asked(include_unknown=True, rate_per_second=100))
    assert desk.rows() == before
    assert (found.count, found.going) == (17, 12)
    assert found.by_error_code == {"meta_131026": 17}
    assert found.by_class == {"permanent": 17}
    assert found.skipped == {
        "lane_held": 2,
        "outcome_unknown": 1,
        "recipient_suppressed": 1,
        "template_paused": 1,
    }
    assert (found.pace, found.estimated_s) == (5.0, 3)
    assert (twice.going, "outcome_unknown" in twice.skipped) == (13, False)
    assert twice.pace == 30.0  # the lane's, whatever was asked for
    work_id = start(desk)
    done = run(desk, work_id)
    assert (done.done, done.skipped) == (12, found.skipped)
    assert states(desk).count(LetterState.OPEN) == 5


def test_q10_a_letter_that_is_no_longer_open_is_neither_sent_nor_forgotten(desk: Desk) -> None:
    ids = kill(desk, 3)
    work_id = start(desk)
    desk.change(DeadLetter, desk.letters(ids[1])[0].id, state=LetterState.RESOLVED)
    done = run(desk, work_id)
    assert (done.state, done.done, done.skipped) == (BulkState.DONE, 2, {"not_open": 1})
    assert desk.message(ids[1]).round == 1


def test_q10_pause_resume_another_pace_and_cancel(desk: Desk) -> None:
    kill(desk, 20)
    work_id = start(desk)
    step(desk)
    steer(desk, lambda unit: bulk.pause(unit, work_id))
    answer_all(desk)
    step(desk)
    assert (view(desk, work_id).state, view(desk, work_id).done) == (BulkState.PAUSED, 3)
    steer(desk, lambda unit: bulk.resume(unit, work_id))
    steer(desk, lambda unit: bulk.set_pace(unit, work_id, rate_per_second=10))
    step(desk)
    assert view(desk, work_id).done == 9
    steer(desk, lambda unit: bulk.cancel(unit, work_id))
    answer_all(desk)
    step(desk)
    over = view(desk, work_id)
    assert (over.state, over.done, over.delivered) == (BulkState.CANCELLED, 9, 9)
    assert states(desk).count(LetterState.OPEN) == 11
    for again in (bulk.pause, bulk.resume):
        with pytest.raises(Conflict, match="cancelled") as refused:
            steer(desk, lambda unit, act=again: act(unit, work_id))  # type: ignore[misc]
        assert refused.value.code == "not_running"


def test_q10_it_stops_itself_when_more_than_a_fifth_of_the_last_fifty_fail_again(desk: Desk) -> None:
    kill(desk, 120)
    work_id = start(desk, asked(rate_per_second=100))
    for _ in range(9):  # the lane's 30 a second allow 18 at a time
        step(desk)
        claims = desk.put_on_the_wire()
        desk.answer(
            *(
                (ours, PASSING if index % 3 == 0 else accepted(f"wamid.{ours.message_id}"))
                for index, ours in enumerate(claims)
            )
        )
        desk.advance(11)  # nothing was heard of what was accepted: it got through
        if view(desk, work_id).state is BulkState.STOPPED:
            break
    seen = view(desk, work_id)
    assert seen.state is BulkState.STOPPED
    assert seen.cause is not None
    assert "of the last 50 failed again" in seen.cause
    assert seen.done < 120
    assert states(desk).count(LetterState.OPEN) == 120 - seen.done
    steer(desk, lambda unit: bulk.resume(unit, work_id))
    assert run(desk, work_id).state is BulkState.DONE


@pytest.mark.parametrize(("failing", "state"), [(1, BulkState.DONE), (2, BulkState.STOPPED)])
def test_q10_the_first_ten_go_alone_and_the_rest_when_nine_got_through(
    desk: Desk, failing: int, state: BulkState
) -> None:
    kill(desk, 12)
    work_id = start(desk, asked(canary=10, rate_per_second=30))
    step(desk)
    step(desk)
    assert (view(desk, work_id).done, view(desk, work_id).waits_for_canary) == (10, True)
    claims = desk.put_on_the_wire()
    desk.answer(
        *(
            (ours, HOPELESS if index < failing else accepted(f"wamid.{ours.message_id}"))
            for index, ours in enumerate(claims)
        )
    )
    step(desk)
    expected = BulkState.STOPPED if failing == 2 else BulkState.RUNNING
    assert (view(desk, work_id).state, view(desk, work_id).done) == (expected, 10)
    desk.advance(11)
    step(desk)
    seen = view(desk, work_id)
    assert seen.state is state
    assert seen.done == (10 if failing == 2 else 12)


def test_q10_a_lane_that_is_held_meanwhile_stops_it(desk: Desk) -> None:
    kill(desk, 8)
    work_id = start(desk)
    step(desk)
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        hold_queue(unit, phone_number_id=PHONE_ID, reason="Look at it")
    desk.answer(*((ours, accepted(f"wamid.{ours.message_id}")) for ours in desk.put_on_the_wire()))
    with desk.runtime.unit(desk.place.owner, write=True) as unit:  # what waits in the lane takes the room
        for message in unit.session.exec(select(Message).where(col(Message.state) == MessageState.QUEUED)):
            message.state = MessageState.SENT
            unit.session.add(message)
    step(desk)
    seen = view(desk, work_id)
    assert (seen.state, seen.done) == (BulkState.STOPPED, 3)
    assert "held" in (seen.cause or "")


def test_q10_what_is_asked_for_is_checked(desk: Desk, other_place: Place) -> None:
    kill(desk, 1)
    for wanted, code in (
        (replace(asked(), confirm=False), Malformed),
        (asked(rate_per_second=0), Malformed),
        (asked(rate_per_second=1001), Malformed),
        (asked(wanted=LetterFilter(state=LetterState.DISCARDED)), Malformed),
        (asked(wanted=LetterFilter(error_code="meta_1")), Impossible),
        (Order(BulkVerb.DISCARD, wanted=LetterFilter(error_code="meta_131026")), Impossible),
        (Order(BulkVerb.ASSIGN, wanted=ALL, confirm=True, assignee_id="user_nobody"), Impossible),
    ):
        with pytest.raises(code):
            start(desk, wanted)
    for role in (Role.SUPPORT, Role.AGENT, Role.VIEWER):
        with pytest.raises(Forbidden):
            start(desk, role=role)
    work_id = start(desk)
    with (
        pytest.raises(NotFound),
        desk.runtime.unit(other_place.acting(Role.OWNER), write=True) as unit,
    ):
        bulk.cancel(unit, work_id)


def test_q10_named_letters_and_found_words_are_lists_of_their_own(desk: Desk) -> None:
    ids = kill(desk, 3)
    named = [desk.letters(ids[2])[0].id, desk.letters(ids[0])[0].id, "dl_nobody"]
    done = run(desk, start(desk, asked(letter_ids=named)))
    assert (done.total, done.done, done.skipped) == (3, 2, {"not_open": 1})
    assert [desk.message(one).round for one in ids] == [2, 1, 2]
    by_words = run(desk, start(desk, asked(wanted=LetterFilter(q="UNDELIVER mara"))))
    assert (by_words.done, desk.message(ids[1]).round) == (1, 2)
    with pytest.raises(Impossible):
        start(desk, asked(wanted=LetterFilter(q="nothing like this")))


def test_q10_a_doubtful_one_that_is_sent_on_demand_is_marked(desk: Desk) -> None:
    quick = desk.under(waypost_retry_delays=(1.0,))
    message_id = quick.send_and_get(TIMEOUT)
    quick.try_again(message_id, HOPELESS)
    assert run(desk, start(desk)).skipped == {"outcome_unknown": 1}
    assert run(desk, start(desk, asked(include_unknown=True))).done == 1
    attempts = desk.attempts(message_id)
    assert [one.may_duplicate for one in attempts] == [False, True, True]


def test_q10_no_second_holds_more_than_the_pace_of_all_lanes_together(desk: Desk) -> None:
    """Also when the queue had to wait and all of it is due at once, and for retries."""
    kill(desk, 10)
    kill(desk, 10, first=20, phone_number_id=SECOND_PHONE_ID)
    start(desk, asked(rate_per_second=5))
    moments = []
    for _ in range(60):
        step(desk)
        for ours in desk.mark(desk.take(paced=True).claims):
            assert ours.slot is not None
            moments.append(ours.slot)
            desk.answer((ours, accepted(f"wamid.{ours.message_id}")))
        desk.advance(0.1)
    moments.sort()
    assert len(moments) == 20
    assert all(
        later - first > timedelta(seconds=1) for first, later in zip(moments, moments[5:], strict=False)
    )
    assert moments[-1] - moments[0] < timedelta(seconds=20 / 5 * 1.3)


def test_q10_attempts_go_on_and_nothing_is_sent_twice_by_two_at_once(desk: Desk) -> None:
    ids = kill(desk, 2)
    start(desk)
    start(desk)
    step(desk)
    assert [desk.message(one).round for one in ids] == [2, 2]
    assert answer_all(desk) == 2
    with desk.runtime.unit(WORKER) as unit:
        assert sorted(one.number for one in unit.session.exec(select(Attempt))) == [1, 1, 2, 2]
        assert {work.done for work in unit.session.exec(select(BulkWork))} == {0, 2}


def test_q10_discard_restore_assign_and_note_of_all_that_match(desk: Desk) -> None:
    ids = kill(desk, 3)
    wanted = LetterFilter(error_code="meta_131026")
    with desk.runtime.unit(desk.place.owner) as unit:
        from data.people import Member

        someone = unit.session.exec(unit.scoped(Member)).first()
    assert someone is not None
    for verb, more in (
        (BulkVerb.ASSIGN, {"assignee_id": someone.user_id}),
        (BulkVerb.NOTE, {"reason": "Called them"}),
        (BulkVerb.DISCARD, {"reason": "Old campaign"}),
    ):
        done = run(desk, start(desk, Order(verb, wanted=wanted, **more)))  # type: ignore[arg-type]
        assert (done.state, done.done) == (BulkState.DONE, 3)
    (letter,) = desk.letters(ids[0])
    assert (letter.state, letter.closed_reason, letter.assignee_id) == (
        *(LetterState.DISCARDED, "Old campaign", someone.user_id),
    )
    assert {desk.message(one).state for one in ids} == {MessageState.DISCARDED}
    with desk.runtime.unit(desk.place.owner) as unit:
        (discarded, *_) = bulk.recent_work(unit)
    desk.change(Message, ids[2], recipient="erased")
    undone = run(desk, start(desk, Order(BulkVerb.RESTORE, wanted=LetterFilter(bulk_id=discarded.id))))
    assert (undone.done, undone.skipped) == (2, {"not_open": 1})
    assert states(desk).count(LetterState.OPEN) == 2
    (letter,) = desk.letters(ids[0])
    assert (letter.state, letter.closed_reason, letter.bulk_id) == (LetterState.OPEN, None, None)
    assert desk.message(ids[0]).state is MessageState.DEAD


def test_q10_a_discard_cannot_be_undone_after_seven_days(desk: Desk) -> None:
    kill(desk, 2)
    wanted = LetterFilter(error_code="meta_131026")
    work = run(desk, start(desk, Order(BulkVerb.DISCARD, wanted=wanted, reason="Old")))
    desk.advance(7 * 86_400)
    undone = run(desk, start(desk, Order(BulkVerb.RESTORE, wanted=LetterFilter(bulk_id=work.id))))
    assert (undone.done, undone.skipped) == (0, {"not_open": 2})
