"""What waits for its template, or for its pair, and lets the rest of the lane go."""

import re
from dataclasses import replace

import pytest
from sqlalchemy import TextClause
from sqlmodel import col, select

from core.lanes import commands
from core.messaging import aside, intake, pairs
from core.messaging.aside import has_parked_no_more, unpark
from core.messaging.intake import Stored
from core.messaging.queries import queue_status
from core.messaging.waiting import WaitingFilter, Waits, waiting_messages
from core.ports.graph_replies import Reply, ReplyKind
from data.alerts import Alert
from data.enums import HoldScope, MessageState, WaitingFor
from data.messages import Message
from data.sending import Template
from tests.conftest import NOW, PHONE_ID, SECOND_PHONE_ID, Place
from tests.core.desk import WORKER, Desk, accepted, number, order
from tests.core.messaging.test_claiming import assert_died, ids, only_sqlite

PAUSED = Reply(ReplyKind.REFUSED, meta_code=132015, http_status=400, detail="Template is paused")
SWITCHED_OFF = Reply(ReplyKind.REFUSED, meta_code=131063, http_status=400, detail="Switched off")
TOO_MANY = Reply(ReplyKind.REFUSED, meta_code=131056, http_status=400, detail="Too many to this one")


def hello(to: str) -> dict[str, object]:
    return {"to": to, "template": {"name": "hello_world", "language": "en_US"}}


def queue_hello(desk: Desk, index: int) -> str:
    (queued,) = desk.queue(request=replace(order(), payload=hello(number(index))))
    return queued


def set_status(desk: Desk, name: str, status: str) -> None:
    with desk.runtime.unit(WORKER, write=True) as unit:
        template = unit.session.exec(select(Template).where(col(Template.name) == name)).one()
        template.status = status
        unit.session.add(template)


def template_id(desk: Desk, name: str) -> str:
    with desk.runtime.unit(WORKER) as unit:
        return unit.session.exec(select(Template.id).where(col(Template.name) == name)).one()


def sweep(desk: Desk) -> int:
    """How many messages wait for their template no more."""
    freed = 0
    with desk.runtime.unit(WORKER) as unit:
        parked = has_parked_no_more(unit)
    while parked:
        with desk.runtime.unit(WORKER, write=True) as unit:
            freed += (count := unpark(unit))
        parked = count > 0
    return freed


def parked(desk: Desk) -> list[str]:
    with desk.runtime.unit(WORKER) as unit:
        found = select(Message.id).where(col(Message.waiting_for) == WaitingFor.TEMPLATE)
        return list(unit.session.exec(found.order_by(col(Message.id))))


def test_q5_a_paused_template_parks_all_its_messages_and_the_lane_goes_on(desk: Desk) -> None:
    queued = desk.queue(30)
    others = [queue_hello(desk, 100 + index) for index in range(3)]
    (met,) = desk.put_on_the_wire(per_lane=1)
    desk.answer((met, PAUSED))
    assert desk.holds() == []
    assert desk.claim(per_lane=5) == []
    assert ids(desk.claim(per_lane=5)) == others
    assert parked(desk) == queued
    message = desk.message(met.message_id)
    assert (message.state, message.rung, message.due_at) == (MessageState.QUEUED, 0, message.expires_at)
    assert sweep(desk) == 0
    set_status(desk, "order_update", "APPROVED")
    assert sweep(desk) == 30
    assert ids(desk.claim()) == queued


def test_what_waits_for_its_template_counts_as_held_and_is_listed_so(desk: Desk) -> None:
    queued = desk.queue(3)
    ready = queue_hello(desk, 100)
    set_status(desk, "order_update", "PAUSED")
    desk.put_on_the_wire(per_lane=1, in_all=1)
    with desk.runtime.unit(desk.place.owner) as unit:
        status = queue_status(unit)
        shown = {
            show: [row.id for row in waiting_messages(unit, WaitingFilter(show)).items]
            for show in (Waits.READY, Waits.DELAYED, Waits.HELD)
        }
        row = waiting_messages(unit, WaitingFilter(Waits.HELD)).items[0]
    assert (status.ready, status.delayed, status.held) == (1, 0, 3)
    assert shown == {Waits.READY: [ready], Waits.DELAYED: [], Waits.HELD: queued}
    assert (row.waiting_for, row.next_attempt_at) == (WaitingFor.TEMPLATE, None)


def test_t4_what_was_stored_before_its_template_was_paused_waits_and_dies_with_it(desk: Desk) -> None:
    (queued,) = desk.queue()
    set_status(desk, "order_update", "PAUSED")
    assert desk.claim() == []
    assert parked(desk) == [queued]
    set_status(desk, "order_update", "DISABLED")
    assert sweep(desk) == 1
    assert desk.claim() == []
    assert_died(desk, queued, "template_not_sendable")


@pytest.mark.parametrize(("verdict", "goes"), [("APPROVED", True), ("REJECTED", False)])
def test_t4_what_was_stored_waits_while_an_edit_of_its_template_is_under_review(
    desk: Desk, verdict: str, goes: bool
) -> None:
    (queued,) = desk.queue()
    set_status(desk, "order_update", "PENDING")
    assert desk.claim() == []
    assert parked(desk) == [queued]
    assert sweep(desk) == 0
    with desk.runtime.unit(WORKER) as unit:
        assert unit.session.exec(select(Alert).where(col(Alert.kind) == "template_paused")).first() is None
    set_status(desk, "order_update", verdict)
    assert sweep(desk) == 1
    if goes:
        assert ids(desk.claim()) == [queued]
    else:
        assert desk.claim() == []
        assert_died(desk, queued, "template_not_sendable")


def test_q8_a_parked_message_dies_of_age(desk: Desk) -> None:
    (queued,) = desk.queue(ttl_s=3600)
    set_status(desk, "order_update", "PAUSED")
    desk.claim()
    desk.advance(3600)
    assert desk.claim() == []
    assert_died(desk, queued, "expired")


def test_q5_a_code_that_holds_a_template_parks_it_and_kills_nothing(desk: Desk) -> None:
    queued = desk.queue(3)
    (met,) = desk.put_on_the_wire(per_lane=1)
    desk.answer((met, SWITCHED_OFF))
    (hold,) = desk.holds()
    assert (hold.scope, hold.subject) == (HoldScope.TEMPLATE, template_id(desk, "order_update"))
    assert desk.claim() == []
    assert parked(desk) == queued
    assert sweep(desk) == 0
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        commands.resume(unit, template_id=hold.subject)
    assert sweep(desk) == 3
    assert ids(desk.claim()) == queued


def test_q7_a_person_holds_a_template_and_lets_it_go(desk: Desk) -> None:
    (queued,) = desk.queue()
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        commands.pause(unit, template_id=template_id(desk, "order_update"), reason="Wrong price")
    assert desk.claim() == []
    assert parked(desk) == [queued]
    other = queue_hello(desk, 7)
    assert ids(desk.claim()) == [other]


def test_q5_a_pair_that_meta_complains_of_waits_and_nobody_else_does(desk: Desk) -> None:
    same = [desk.queue(request=order(number(1)))[0] for _ in range(4)]
    (other,) = desk.queue(first=2)
    (elsewhere,) = desk.queue(request=order(number(1), phone_number_id=SECOND_PHONE_ID))
    (met,) = [one for one in desk.put_on_the_wire(per_lane=1) if one.phone_number_id == PHONE_ID]
    assert met.message_id == same[0]
    desk.answer((met, TOO_MANY))
    assert ids(desk.claim()) == [other]
    assert desk.message(elsewhere).state is MessageState.SENDING
    waits = [desk.message(one) for one in same]
    assert {one.waiting_for for one in waits} == {WaitingFor.THROUGHPUT}
    assert {one.due_at for one in waits} == {waits[0].due_at}
    assert {(one.rung, one.state) for one in waits[1:]} == {(0, MessageState.QUEUED)}
    desk.advance(1.2)
    assert ids(desk.claim()) == same


def test_q5_the_wait_of_a_pair_grows_by_four_whichever_of_its_messages_meets_it(desk: Desk) -> None:
    for _ in range(4):
        desk.queue(request=order(number(1)))
    waits = []
    for _ in range(4):
        (met,) = desk.put_on_the_wire(per_lane=1)
        desk.answer((met, TOO_MANY))
        due_at = desk.message(met.message_id).due_at
        assert due_at is not None
        waits.append((due_at - desk.now).total_seconds())
        desk.advance(waits[-1])
    assert all(4**n <= wait <= 4**n * 1.2 for n, wait in enumerate(waits))


def test_q5_a_complaint_long_past_is_forgiven(desk: Desk) -> None:
    first = desk.send_and_get(TOO_MANY)
    desk.try_again(first, accepted())
    desk.advance(600)
    second = desk.queue()[0]
    desk.answer((desk.put_on_the_wire()[0], TOO_MANY))
    due_at = desk.message(second).due_at
    assert due_at is not None
    assert (due_at - desk.now).total_seconds() <= 1.2


def test_q5_metas_burst_rule_is_kept_when_the_setting_says_so(desk: Desk) -> None:
    strict = desk.under(waypost_pair_limit=True)
    for _ in range(60):
        strict.queue(request=order(number(1)))
    (other,) = strict.queue(first=2)
    claims = strict.claim()
    assert len(claims) == 46
    assert other in ids(claims)
    assert strict.claim() == []
    strict.advance(6)
    assert len(strict.claim()) == 1
    strict.advance(60)
    assert len(strict.claim()) == 10


def test_q5_what_a_pair_may_have_next() -> None:
    owed = None
    for _ in range(45):
        assert pairs.may_go_at(owed, now=NOW) == NOW
        owed = pairs.owed_after(owed, now=NOW)
    assert pairs.may_go_at(owed, now=NOW) == NOW + pairs.EVERY


@pytest.mark.parametrize("statement", [aside._PARKED_NO_MORE, aside._UNPARK])
def test_what_waits_for_a_template_is_found_by_an_index(desk: Desk, statement: TextClause) -> None:
    only_sqlite(desk)
    bare = re.sub(r":\w+", "'1'", str(statement))
    with desk.runtime.database.read.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {bare}")]
    assert any("ix_message_parked (template_name=? AND template_language=?" in step for step in plan), plan


# Direct sends


def send_now(desk: Desk, to: str, **options: object) -> bool:
    """Whether a direct send to that recipient goes at once; else it is queued."""
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        return intake.store(unit, replace(order(to), **options)).claim is not None  # type: ignore[arg-type]


def test_q7_a_direct_send_of_a_held_template_waits_with_the_others_and_goes_after_them(desk: Desk) -> None:
    held = template_id(desk, "order_update")
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        commands.pause(unit, template_id=held)
    assert not send_now(desk, number(1))
    assert send_now(desk, number(2), payload=hello(number(2)))
    assert desk.claim() == []
    with desk.runtime.unit(desk.place.owner, write=True) as unit:
        commands.resume(unit, template_id=held)
    assert send_now(desk, number(3))
    assert sweep(desk) == 1
    assert len(desk.claim()) == 1


def test_q7_the_held_template_of_another_workspace_holds_no_direct_send(
    desk: Desk, other_place: Place
) -> None:
    with desk.runtime.unit(other_place.owner, write=True) as unit:
        theirs = unit.session.exec(unit.scoped(Template)).first()
        assert theirs is not None
        commands.pause(unit, template_id=theirs.id)
    assert send_now(desk, number(1))


def test_q5_a_direct_send_to_a_pair_that_meta_complained_of_waits(desk: Desk) -> None:
    desk.queue()
    desk.answer((desk.put_on_the_wire()[0], TOO_MANY))
    assert not send_now(desk, number(1))
    assert send_now(desk, number(2))
    assert send_now(desk, number(1), phone_number_id=SECOND_PHONE_ID)
    desk.advance(2)
    assert send_now(desk, number(1))


def test_q5_direct_sends_count_for_metas_burst_rule_when_the_setting_says_so(desk: Desk) -> None:
    desk = replace(desk, runtime=replace(desk.runtime, throughput_lifted=True))
    strict = desk.under(waypost_pair_limit=True)
    assert [send_now(strict, number(1)) for _ in range(46)] == [True] * 45 + [False]
    assert send_now(strict, number(2))
    assert strict.claim() == []
    strict.advance(6)
    assert len(strict.claim()) == 1
    assert not send_now(strict, number(1))
    assert send_now(desk, number(1))


def test_q5_direct_sends_of_one_batch_share_what_their_pair_has_left(desk: Desk) -> None:
    lifted = replace(desk, runtime=replace(desk.runtime, throughput_lifted=True))
    strict = lifted.under(waypost_pair_limit=True)
    with strict.runtime.unit(desk.place.owner, write=True) as unit:
        stored = intake.store_all([(unit, order(number(1))) for _ in range(50)])
    went = [isinstance(one, Stored) and one.claim is not None for one in stored]
    assert went == [True] * 45 + [False] * 5


def alert_of(desk: Desk) -> Alert | None:
    with desk.runtime.unit(WORKER) as unit:
        return unit.session.exec(select(Alert).where(col(Alert.kind) == "template_paused")).first()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("APPROVED", "Template unpaused: 3 messages were released."),
        ("DISABLED", "The template is disabled now: 3 messages that waited are not sent."),
    ],
)
def test_q7_messages_that_wait_for_a_paused_template_raise_an_alert_that_says_what_became_of_them(
    desk: Desk, status: str, outcome: str
) -> None:
    desk.queue(3)
    set_status(desk, "order_update", "PAUSED")
    assert desk.claim() == []
    alert = alert_of(desk)
    assert alert is not None
    assert alert.resolved_at is None
    assert "order_update" in alert.detail
    set_status(desk, "order_update", status)
    with desk.runtime.unit(WORKER, write=True) as unit:
        assert unpark(unit) == 3
    alert = alert_of(desk)
    assert alert is not None
    assert (alert.resolved_at, alert.outcome) == (desk.now, outcome)
